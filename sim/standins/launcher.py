"""Starts one stand-in as a process of its own and says when it listens.

`main` prints one line, `listening on PORT`, and serves until it is interrupted.
Stand-ins listen on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import signal
import sys
from collections.abc import Sequence

from aiohttp import web
from pydantic import ValidationError

from sim.standins import profiles
from sim.standins.faults import Faults, StandInState, add_control_routes
from sim.standins.profiles import Profile

HOST = "127.0.0.1"
#: Open streams may go on for so long after SIGTERM.
SHUTDOWN_S = 0.5
#: Uploaded speech may be this large.
MAX_BODY_BYTES = 32 * 1024 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stand-in that `argv` names; the return value is the exit status."""
    options = _parser().parse_args(argv)
    try:
        faults = Faults.model_validate_json(options.faults)
    except ValidationError as error:
        print(f"--faults is not usable: {error}", file=sys.stderr)
        return 2
    try:
        profile = profiles.parse(options.profile)
    except profiles.ProfileError as error:
        print(f"--profile: {error}", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options, faults, profile))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sim standin", description="Run a stand-in for an outside service."
    )
    parser.add_argument("kind", choices=("ollama", "openai", "edge"))
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--faults", default="{}", metavar="JSON", help="faults from the start on")
    parser.add_argument(
        "--profile",
        default="",
        metavar="NAME|JSON",
        help=f"be as slow as a real service: {', '.join(profiles.PROFILES)}; or a JSON object",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the profile's chances (0)")
    ollama = parser.add_argument_group("ollama")
    ollama.add_argument("--models", default="qwen2.5:1.5b,qwen3:1.7b", help="with commas between")
    ollama.add_argument("--parallel", type=int, help="requests generating at once (4)")
    ollama.add_argument("--max-queue", type=int, help="requests waiting at most (512)")
    ollama.add_argument(
        "--refuse-think", action="store_true", help="answer 400 to a request that says `think`"
    )
    return parser


async def _serve(options: argparse.Namespace, faults: Faults, profile: Profile) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    said = {"slots": options.parallel, "queue": options.max_queue}
    given = {name: value for name, value in said.items() if value is not None}
    usual = {"slots": 4, "queue": 512} if options.kind == "ollama" else {}
    state = StandInState(faults, **(usual | given))
    if profile.slots:  # the command line knows better than the profile
        profile = profile.model_copy(update=given)
    state.use(profile, options.seed)
    with contextlib.suppress(asyncio.CancelledError):
        if options.kind == "edge":
            edge = importlib.import_module("sim.standins.edge")
            await edge.serve(options.port, state)
        else:
            await serve_http(_application(options, state), options.port)


def _application(options: argparse.Namespace, state: StandInState) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    add_control_routes(app, state)
    if options.kind == "ollama":
        from sim.standins import ollama

        server = ollama.OllamaServer(
            tuple(name for name in options.models.split(",") if name),
            refuse_think=options.refuse_think,
        )
        ollama.add_routes(app, state, server)
        return app
    from sim.standins import openai_chat

    openai_chat.add_routes(app, state)
    try:
        audio = importlib.import_module("sim.standins.openai_audio")
    except ModuleNotFoundError as error:
        if error.name != "sim.standins.openai_audio":
            raise
    else:
        audio.add_routes(app, state)
    return app


async def serve_http(app: web.Application, port: int) -> None:
    """Serve `app` on loopback until cancelled; says its port when it listens.

    A handler is cancelled when its client leaves: that is how a stand-in sees that
    a stream was closed before its end.
    """
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        print(f"listening on {runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
