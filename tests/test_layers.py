"""The tree keeps the layering rules, and the check itself finds what it should."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.layers import Module, is_pure, read_module, violations

ROOT = Path(__file__).resolve().parent.parent
#: Scripts that made a model; they are run by hand and are no part of the program.
APART = ROOT / "actors" / "workers" / "asr" / "tiny"


def tree() -> dict[str, Module]:
    """Every module of the program by its dotted name."""
    files = [ROOT / "run.py"]
    for folder in ("actors", "supervisor", "cfg", "sim"):
        files += sorted((ROOT / folder).rglob("*.py"))
    modules = {}
    for file in files:
        if APART in file.parents:
            continue
        parts = list(file.relative_to(ROOT).with_suffix("").parts)
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        modules[name] = read_module(name, file.read_text(encoding="utf-8"), package=package)
    return modules


def test_the_tree_keeps_the_rules() -> None:
    found = violations(tree())
    assert not found, "\n" + "\n".join(found)


def test_the_check_sees_the_tree() -> None:
    modules = tree()
    assert {"run", "actors.messages", "cfg.model", "actors.wire.frames", "sim"} <= set(modules)
    assert any(item.target == "pydantic.BaseModel" for item in modules["cfg.model"].imports)
    assert is_pure(modules["actors.wire.frames"])
    assert is_pure(modules["cfg.model"])


@pytest.mark.parametrize(
    "name", ["run.py", "cfg/environment.py", "cfg/installing.py", "cfg/system_packages.py"]
)
def test_what_runs_first_parses_on_an_old_python(name: str) -> None:
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 9))


#: A small tree around the module under test.
SURROUNDINGS = {
    "actors": "",
    "actors.messages": "",
    "actors.base": "",
    "actors.wire.frames": "",
    "actors.audio.opus": "",
    "actors.session.turn": "",
    "actors.router.actor": "",
    "actors.workers.actor": "",
    "actors.workers.interface": "",
    "actors.workers.remote": "",
    "supervisor.root": "",
    "cfg": "",
    "cfg.installing": "",
    "cfg.model": "",
    "cfg.loading": "",
    "sim.device": "",
}
PACKAGES = ("actors.session", "actors.router", "actors.workers", "actors.workers.tts")


def check(name: str, source: str, *, package: bool = False) -> list[str]:
    modules = {other: read_module(other, text) for other, text in SURROUNDINGS.items()}
    modules |= {other: read_module(other, "", package=True) for other in PACKAGES}
    modules[name] = read_module(name, source, package=package)
    return violations(modules)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("actors.wire.frames", "import socket"),
        ("actors.wire.frames", "import time"),
        ("actors.wire.frames", "def f():\n    import asyncio"),
        ("actors.wire.frames", "import structlog"),
        ("actors.wire.frames", "from actors.audio import opus"),
        ("actors.wire.frames", "from actors.messages import Start"),
        ("actors.wire.frames", "from cfg.loading import load"),
        ("actors.audio.opus", "from actors.base import Actor"),
        ("actors.router.policy", '"""Choosing. Pure: no clock."""\nimport time'),
        ("actors.session.actor", "from actors.router.actor import Router"),
        ("actors.session.actor", "from actors.router import actor"),
        ("actors.session.actor", "from actors import router"),
        ("actors.session.actor", "from ..workers.interface import Health"),
        ("actors.session.actor", "from cfg.loading import load"),
        ("actors.session.actor", "import sim.device"),
        ("actors.session.actor", "from supervisor.root import Root"),
        ("actors.session.actor", "import openai"),
        ("actors.session.actor", "import os\nos.environ['HOME']"),
        ("actors.session.actor", "from os import getenv"),
        ("actors.session.actor", "import os\nos.environ.get('HOME')"),
        ("actors.wire.frames", "import random\nrandom.Random(random.random())"),
        ("actors.messages", "from actors.session.turn import Turn"),
        ("actors.workers.asr.vosk", "from actors.workers.tts.edge import Edge"),
        ("actors.workers.asr.vosk", "from actors.workers.actor import Worker"),
        ("actors.workers.actor", "import httpx"),
        ("supervisor.root", "import os\nos.getenv('HOME')"),
        ("supervisor.root", "import vosk"),
        ("sim.device", "from actors.messages import Start"),
        ("sim.device", "import supervisor"),
        ("cfg.loading", "from actors.messages import Start"),
        ("cfg.environment", "import pydantic"),
        ("cfg.environment", "from cfg.loading import load"),
        ("run", "from cfg.loading import load"),
        ("run", "import supervisor.root"),
        ("sim.device", "import tests.layers"),
        ("sim.device", "import run"),
    ],
)
def test_a_breach_is_found_with_its_line(name: str, source: str) -> None:
    found = check(name, source)
    assert len(found) == 1, found
    assert found[0].startswith(f"{name}:")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("actors.wire.frames", "import struct, json\nfrom urllib.parse import urlsplit"),
        (
            "actors.audio.uplink",
            "import numpy\nfrom . import opus\nfrom cfg.model import Listening",
        ),
        ("actors.session.actor", "from actors.messages import Start\nfrom actors.base import A"),
        ("actors.session.actor", "from actors import messages\nfrom .turn import Turn"),
        ("actors.session.actor", "from actors.wire.frames import F\nimport time, structlog"),
        ("actors.session.actor", "import os\nos.environ['FOR_A_LIBRARY'] = '1'"),
        ("actors.wire.frames", "import random\ndef f(source: random.Random) -> None: ..."),
        ("actors.session.actor", "import os\nos.getpid()\nenviron = {}"),
        ("actors.workers.actor", "def f():\n    from actors.workers import tts"),
        ("actors.workers.tts.edge", "import edge_tts\nfrom actors.workers.remote import H"),
        ("actors.base", "import thespian.actors\nfrom actors.messages import Start"),
        ("supervisor.root", "from actors.session.turn import Turn\nimport thespian"),
        ("sim.device", "import vosk, websockets\nfrom actors.wire import frames\nimport cfg"),
        ("run", "def f():\n    from supervisor.root import Root\n    from cfg import loading"),
        ("cfg.environment", "from cfg.installing import say\nimport os\nos.environ"),
    ],
)
def test_what_is_allowed_is_not_complained_about(name: str, source: str) -> None:
    assert check(name, source) == []


def test_relative_imports_of_a_package_are_resolved() -> None:
    module = read_module("actors.session", "from .turn import Turn", package=True)
    assert [item.target for item in module.imports] == ["actors.session.turn.Turn"]
