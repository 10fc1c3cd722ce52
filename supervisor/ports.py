"""Binding the two ports that face the network, and saying who holds one that is taken."""

from __future__ import annotations

import errno
import socket

import psutil


class PortTaken(Exception):
    """The port cannot be had; the text says why, who holds it, and what to do."""


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; raises `PortTaken` naming the setting `setting`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener: socket.socket | None = None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise PortTaken(_explain(host, port, setting, error)) from error
    return listener


def _explain(host: str, port: int, setting: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} ({setting}) is taken by {holder(port)}.\n"
            f"Stop that, or choose another port: set {setting} in the settings file."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} ({setting}) is only for root: choose one above 1023."
    return f"Cannot listen on {host} port {port} ({setting}, server.host): {error.strerror}."


def holder(port: int) -> str:
    """Who listens on this TCP port, as far as this user may know.

    Of several that share the socket it is the one above the others: a server, not
    one of its workers, which would only be started again.
    """
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                if connection.pid is None:
                    break
                process = psutil.Process(connection.pid)
                for ancestor in process.parents():
                    if _listens(ancestor, port):
                        process = ancestor
                command = " ".join(process.cmdline()).strip()[:80] or process.name()
                return f"process {process.pid} ({command})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "a process of another user"


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections("tcp")
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections
    )
