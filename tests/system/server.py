"""The whole server as an operator runs it: `run.py serve`, with its own settings file."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from supervisor.processes import die_with_parent
from tests.system.waiting import until

ROOT = Path(__file__).resolve().parents[2]

#: On a busy host importing alone takes most of it.
START_S = 40.0
#: A terminated server is gone within this time (the product's promise).
STOP_S = 3.0
CALL_S = 5.0

#: Below the range from which the kernel gives ports to everybody else.
_PORTS = range(20000, 30000)

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

#: By section; a list of sections for asr, llm and tts.
SettingsTree = Mapping[str, Any]


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens at the moment, on any address."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def as_toml(settings: SettingsTree) -> str:
    """The tree as a settings file."""
    lines: list[str] = []
    for name, value in settings.items():
        for section in value if isinstance(value, list) else [value]:
            lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in section.items()]
    return "\n".join(lines) + "\n"


def command(config: Path) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), "serve", "--config", str(config)]


def environment() -> dict[str, str]:
    """This one, without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("XIAOZHI")}


def alive(pids: list[int]) -> list[str]:
    """Those of `pids` that still run, in words. A zombie does not run."""
    running = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                running.append(f"{pid} {' '.join(process.cmdline())}")
        except psutil.NoSuchProcess:
            continue
    return running


class Server:
    """One running server. `ports` are (device, HTTP); without them free ones are taken.

    Makes a process that ends with this one; call `stop` all the same.
    """

    def __init__(
        self,
        folder: Path,
        settings: SettingsTree | None = None,
        ports: tuple[int, int] | None = None,
    ) -> None:
        self.device_port, self.http_port = ports or tuple(free_ports(2))
        mine = {"host": "127.0.0.1", "device_port": self.device_port, "http_port": self.http_port}
        wanted = dict(settings or {})
        # No test fetches a model from the network.
        wanted.setdefault("asr", [{"kind": "vosk", "model": "tiny"}])
        # Every server begins with empty caches, and leaves the user's own alone.
        wanted.setdefault("storage", {"folder": str(folder / f"cache-{self.device_port}")})
        wanted["server"] = mine | dict(wanted.get("server", {}))
        self.config = folder / f"server-{self.device_port}.toml"
        self.config.write_text(as_toml(wanted), encoding="utf-8")
        self.log_file = folder / f"server-{self.device_port}.log"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command(self.config),
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.device_port}/xiaozhi/v1/"

    @property
    def ota_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/xiaozhi/ota/"

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    # --- life ---

    def wait_ready(self, within_s: float = START_S) -> Server:
        """Return once a device would be answered and the start was announced."""
        try:
            until(self._ready, within_s, "the server is ready")
        except AssertionError as late:
            told = json.dumps(self.get("/status"), ensure_ascii=False)[:3000]
            raise AssertionError(f"{late}\n{told}\n{self.log()[-3000:]}") from None
        return self

    def _ready(self) -> bool:
        code = self.process.poll()
        assert code is None, f"the server ended with {code}:\n{self.log()[-3000:]}"
        return self.get("/readyz") is not None and "Ready after" in self.log()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code. Fails if anything of it is left."""
        pids = self.pids()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"still running {STOP_S:g} s after signal {number}:\n{self.log()[-3000:]}"
            ) from None
        left = alive(pids)
        assert not left, f"left behind: {left}"
        return code

    def pids(self) -> list[int]:
        """The launcher and everything below it, as the kernel knows them."""
        try:
            launcher = psutil.Process(self.process.pid)
            return [launcher.pid, *(child.pid for child in launcher.children(recursive=True))]
        except psutil.NoSuchProcess:
            return [self.process.pid]

    # --- what it says of itself ---

    def get(self, path: str) -> Any:
        """The JSON at `path` of the HTTP port; None when it does not answer with 200."""
        try:
            url = f"http://127.0.0.1:{self.http_port}{path}"
            with _DIRECT.open(url, timeout=CALL_S) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return None

    def status(self) -> dict[str, Any]:
        """/status, asked again while the console is being replaced."""
        found: dict[str, Any] = until(lambda: self.get("/status"), CALL_S, "/status answers")
        return found

    def actor(self, name: str) -> dict[str, Any] | None:
        """One actor's line in the status."""
        actors = self.status()["actors"]
        return next((actor for actor in actors if actor["name"] == name), None)

    def pid(self, name: str) -> int:
        """The process of a ready actor, or of Thespian's own 'MultiProcAdmin' and 'logger'."""

        def ready() -> int | None:
            if name in ("MultiProcAdmin", "logger"):
                return next((pid for pid in self.pids() if title(pid).startswith(name)), None)
            actor = self.actor(name)
            return int(actor["pid"]) if actor and actor["state"] == "ready" else None

        return until(ready, CALL_S, f"{name} is ready")

    def session_of(self, device_id: str) -> int:
        """The process that serves this device now."""

        def serving() -> int | None:
            for actor in self.status()["actors"]:
                if actor["kind"] == "session" and actor["detail"].get("device") == device_id:
                    return int(actor["pid"])
            return None

        return until(serving, CALL_S, f"a session serves {device_id}")

    def turns(self, device_id: str) -> list[dict[str, Any]]:
        """The records of this device's last turns, newest first."""
        answer = self.get(f"/turns?device={device_id}")
        return list(answer["turns"]) if answer else []

    def last_turn(self, device_id: str, number: int) -> dict[str, Any]:
        """The record of this device's turn `number`, as soon as the console has it."""

        def recorded() -> dict[str, Any] | None:
            turns = self.turns(device_id)
            return next((t for t in turns if t["turn"].endswith(f"#{number}")), None)

        return until(recorded, CALL_S, f"turn {number} of {device_id} is recorded")

    # --- what is done to it ---

    def kill(self, pid: int) -> None:
        """kill -9; returns when the process is gone."""
        assert pid in self.pids(), f"{pid} is none of this server's processes"
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive([pid]), CALL_S, f"{pid} is gone")

    def wait_replaced(self, name: str, killed: int, within_s: float = 10.0) -> int:
        """The pid of the actor `name` once it is ready in another process."""

        def replaced() -> int | None:
            actor = self.actor(name)
            if actor is None or actor["state"] != "ready" or actor["pid"] == killed:
                return None
            return int(actor["pid"])

        return until(replaced, within_s, f"{name} is back")


def title(pid: int) -> str:
    """What `ps` shows of a process; '' when it is gone."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""


def timed_exit(process: subprocess.Popen[Any], within_s: float) -> float:
    """Seconds until the process ended; fails after `within_s`."""
    began = time.monotonic()
    process.wait(within_s)
    return time.monotonic() - began
