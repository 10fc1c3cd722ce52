"""`python3 -m sim swarm` and `python3 -m sim run`: drive a server and give a verdict.

Exit codes: 0 every limit held, 1 a limit was missed or the server was lost, 2 the
command line or the scenario is wrong, 3 nobody could be reached, 4 the run is void:
something other than the server decided its figures. 130 interrupted by the user.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sim import report
from sim.ota import OtaError, check_url
from sim.speech import SpeechError
from sim.swarm import records
from sim.swarm.conductor import Job, conduct
from sim.swarm.live import Live
from sim.swarm.records import Run
from sim.swarm.scenario import Scenario, ScenarioError, load, parse
from sim.swarm.server import Target

HELD, MISSED, USAGE, UNREACHABLE, VOID, INTERRUPTED = 0, 1, 2, 3, 4, 130

DEFAULT_URL = "ws://127.0.0.1:8000/xiaozhi/v1/"
#: Where runs are kept when --out is not given.
RUNS_FOLDER = Path(__file__).resolve().parents[2] / "var" / "sim" / "runs"
#: What `swarm` holds a server to when no --limit is given: the product's promises.
DEFAULT_LIMITS = {
    "availability": ">= 99.5",
    "completeness": ">= 99.5",
    "correctness": ">= 99",
    "cross_talk": "== 0",
    "stuck_devices": "== 0",
    "first_word_ms.p50": "<= 300",
    "first_word_ms.p95": "<= 500",
}


def main_swarm(argv: Sequence[str]) -> int:
    """`sim swarm`: a load without a scenario file."""
    made = _swarm_parser()
    options = made.parse_args(argv)
    try:
        scenario = parse(_from_options(options), "command line")
    except ScenarioError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    return _run(scenario, options, "swarm", argv)


def main_run(argv: Sequence[str]) -> int:
    """`sim run`: one or more scenario files."""
    options = _run_parser().parse_args(argv)
    try:
        scenarios = [load(path) for path in options.scenario]
    except ScenarioError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    if options.check:
        for path, scenario in zip(options.scenario, scenarios, strict=True):
            print(f"{path}: {scenario.name}: is right")
        return HELD
    codes = [_run(scenario, options, "run", argv) for scenario in scenarios]
    return max(codes)


def _swarm_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python3 -m sim swarm",
        description="Many simulated devices talk to a server at once; every turn is checked.",
    )
    load_ = made.add_argument_group("the load")
    load_.add_argument("--devices", type=int, default=10, metavar="N", help="talking (default: 10)")
    load_.add_argument("--minutes", type=float, default=2.0, metavar="M", help="(default: 2)")
    load_.add_argument("--listeners", type=int, default=0, metavar="N", help="open, silent")
    load_.add_argument("--idlers", type=int, default=0, metavar="N", help="connected, no more")
    load_.add_argument("--warm-up", type=float, default=15.0, metavar="S", help="not counted")
    load_.add_argument("--period", type=float, default=12.0, metavar="S", help="between turns")
    load_.add_argument("--together", action="store_true", help="all speak at the same moment")
    load_.add_argument(
        "--mix",
        action="append",
        default=[],
        metavar="WHAT=CHOICE:WEIGHT,...",
        help="such as modes=auto:8,realtime:2 or generations=2.4:1; see sim/swarm/population.py",
    )
    load_.add_argument(
        "--habit",
        action="append",
        default=[],
        metavar="NAME=SHARE",
        help="interrupting, leaving, vanishing or typing, as a share of the turns, 0 to 1",
    )
    load_.add_argument("--common", type=float, default=0.0, help="share of everyday questions")
    load_.add_argument("--questions", type=int, default=5, metavar="N", help="different, a device")
    load_.add_argument("--seed", type=int, help="the same seed gives the same run (default: 1)")
    load_.add_argument("--sample", type=float, default=2.0, metavar="S", help="resources each S s")
    load_.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="FIGURE=BOUND",
        help='such as "first_word_ms.p95=<= 500"; without any, the product\'s promises',
    )
    load_.add_argument("--no-limits", action="store_true", help="measure only")
    load_.add_argument("--foreign", type=float, metavar="%", help="foreign CPU that voids a run")
    _add_common(made)
    return made


def _run_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python3 -m sim run", description="Run scenarios from files (sim/scenarios/*.yaml)."
    )
    made.add_argument("scenario", type=Path, nargs="+", help="YAML file")
    made.add_argument("--check", action="store_true", help="only say whether they are right")
    made.add_argument("--seed", type=int, help="instead of the scenario's")
    made.add_argument("--foreign", type=float, metavar="%", help="foreign CPU that voids a run")
    _add_common(made)
    return made


def _add_common(made: argparse.ArgumentParser) -> None:
    server = made.add_argument_group("the server")
    server.add_argument("--url", help=f"WebSocket address (default: {DEFAULT_URL})")
    server.add_argument("--ota", metavar="URL", help="OTA address; devices ask it where to go")
    server.add_argument("--token", default="", help="sent as bearer token")
    server.add_argument("--status", default="", metavar="URL", help="our server's status address")
    server.add_argument("--pid", type=int, help="its first process, to measure what it costs")
    server.add_argument(
        "--serve", action="store_true", help="start our own server for this run, embedded parts"
    )
    kept = made.add_argument_group("what is kept")
    kept.add_argument("--out", type=Path, metavar="DIR", help="(default: var/sim/runs/...)")
    kept.add_argument("--generators", type=int, metavar="N", help="processes (default: as needed)")


def _from_options(options: argparse.Namespace) -> dict[str, Any]:
    phases: list[dict[str, Any]] = []
    roles = {
        "talkers": options.devices,
        "listeners": options.listeners,
        "idlers": options.idlers,
    }
    if options.warm_up > 0:
        phases.append(
            {"name": "warm-up", "minutes": options.warm_up / 60, "counted": False, **roles}
        )
    phases.append({"name": f"{options.devices} talkers", "minutes": options.minutes, **roles})
    limits: dict[str, Any] = {} if options.no_limits else dict(DEFAULT_LIMITS)
    if options.limit:
        limits = dict(_pair(each, "--limit") for each in options.limit)
    return {
        "name": f"swarm of {options.devices}",
        "talking": {
            "period_s": options.period,
            "start": "together" if options.together else "random",
        },
        "mix": dict(weights(each) for each in options.mix),
        "habits": dict(_pair(each, "--habit") for each in options.habit),
        "questions": {"per_device": options.questions, "common": options.common},
        "phases": phases,
        "limits": limits,
        "sample_s": options.sample,
    }


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ScenarioError(f"{option} {text!r}: write NAME=VALUE")
    return name.strip(), value.strip()


def weights(text: str) -> tuple[str, dict[str, str]]:
    """`modes=auto:8,realtime:2` as a section's member; a choice alone has weight 1."""
    name, choices = _pair(text, "--mix")
    weights = {}
    for choice in choices.split(","):
        value, _, weight = choice.partition(":")
        weights[value] = weight or "1"
    return name, weights


def _run(scenario: Scenario, options: argparse.Namespace, command: str, argv: Sequence[str]) -> int:
    changes: dict[str, Any] = {}
    if options.seed is not None:
        changes["seed"] = options.seed
    if options.generators is not None:
        changes["generators"] = options.generators
    if options.foreign is not None:
        changes["trust"] = scenario.trust.model_copy(update={"foreign_percent": options.foreign})
    if options.serve and scenario.serve is None:
        changes["serve"] = {}
    told = scenario.model_dump() | {
        name: value.model_dump() if hasattr(value, "model_dump") else value
        for name, value in changes.items()
    }
    try:
        scenario = parse(told, "command line")
        target = _target(scenario, options)
        folder = options.out or new_folder(scenario.name)
        said = shlex.join(["python3", "-m", "sim", command, *without_token(argv)])
        run = asyncio.run(conduct(Job(scenario, target, folder, said), Live()))
    except (ScenarioError, SpeechError, OtaError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    keep(run, folder)
    return exit_code(run)


def exit_code(run: Run) -> int:
    """The process's exit code for a run."""
    if run.info.ended == "unreachable":
        return UNREACHABLE
    if run.info.ended == "stopped":
        return INTERRUPTED
    if run.info.ended == "generator failed" or (run.info.ended == "complete" and run.verdict.void):
        return VOID
    return HELD if run.verdict.passed else MISSED


def _target(scenario: Scenario, options: argparse.Namespace) -> Target:
    told = scenario.target
    url, ota = options.url or "", options.ota or ""
    if not (url or ota):
        url, ota = told.url, told.ota
    if not (url or ota) and scenario.serve is None:
        url = DEFAULT_URL
    if url:
        check_url(url)
    return Target(
        url=url,
        ota=ota,
        token=options.token or told.token,
        status=options.status or told.status,
        pid=options.pid or told.pid,
    )


def new_folder(name: str) -> Path:
    """Where a run of this name is kept when the command line does not say."""
    plain = "".join(char if char.isalnum() else "-" for char in name.casefold()).strip("-")
    return RUNS_FOLDER / f"{datetime.now():%Y%m%d-%H%M%S}-{plain}"


def without_token(argv: Sequence[str]) -> list[str]:
    """The command line as it may be kept: a token is a secret."""
    kept = list(argv)
    for place, word in enumerate(kept):
        if word == "--token" and place + 1 < len(kept):
            kept[place + 1] = "***"
        elif word.startswith("--token="):
            kept[place] = "--token=***"
    return kept


def keep(run: Run, folder: Path, *, summary: bool = True) -> None:
    """Write the record and the report; say where they are and, with `summary`, what came out."""
    path, page = folder / "run.json", folder / "report.html"
    path.write_bytes(records.to_json(run))
    report.write_html(run, page)
    if summary:
        print(report.summary(run))
    print(f"kept      {path}, {page}")
