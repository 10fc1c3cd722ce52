"""The layering rules of the architecture, checked on the import graph.

Pure: sources in, violations out; `tests/test_layers.py` runs it on the tree. It
reads every import statement, also those inside functions and under
TYPE_CHECKING: a layer must not know another's types either.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

PROJECT = ("actors", "supervisor", "cfg", "sim", "run", "tests")

#: What a pure module may use beside the standard library.
NUMPY_LIKE = frozenset({"numpy", "av", "soxr", "onnxruntime", "silero_vad", "pydantic"})

#: Parts of the standard library that are sockets, clocks, processes or chance.
IMPURE = (
    "asyncio",
    "concurrent",
    "http.client",
    "http.server",
    "multiprocessing",
    "random",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "time",
    "urllib.request",
)

#: Libraries that touch a model, a network service or a database.
ENGINE_LIBRARIES = frozenset(
    {"vosk", "ollama", "openai", "edge_tts", "espeakng_loader", "httpx", "requests"}
    | {"pymysql", "sqlite3", "redis", "sentence_transformers", "torch", "transformers"}
)
#: Where those may be imported. `actors.audio` has the voice-activity model by its own rule.
ENGINE_KINDS = ("actors.workers.asr", "actors.workers.llm", "actors.workers.tts")
ENGINE_PLACES = (*ENGINE_KINDS, "actors.workers.remote", "actors.store", "actors.cache")
#: The worker actor, which uses engines and which no engine knows.
AROUND_ENGINES = ("actors.workers.actor", "actors.workers.jobs")

#: What runs before the environment exists: nothing but the standard library.
BOOTSTRAP = ("cfg", "cfg.environment", "cfg.installing", "cfg.system_packages")


@dataclass(frozen=True, slots=True)
class Import:
    """One import. `late`: inside a function, so it happens only when that runs."""

    target: str
    line: int
    late: bool


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    imports: tuple[Import, ...]
    docstring: str
    environment_lines: tuple[int, ...]
    package: bool = False

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")


def read_module(name: str, source: str, *, package: bool = False) -> Module:
    """Parse one module; `package` says that it is an __init__.py."""
    tree = ast.parse(source)
    late = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    chance = {node.attr for node in ast.walk(tree) if _is_attribute_of(node, "random")}
    found = [
        # a source of chance that is passed in is none of one's own
        Import("random.Random" if target == "random" and chance == {"Random"} else target, *place)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for target in _targets(node, name, package)
        for place in [(node.lineno, id(node) in late)]
    ]
    lines = _lines_that_read_the_environment(tree)
    return Module(name, tuple(found), ast.get_docstring(tree) or "", lines, package)


def _targets(node: ast.Import | ast.ImportFrom, module: str, package: bool) -> Iterator[str]:
    """What an import statement names, absolute; `from a import b` gives a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        base = node.module or ""
        if node.level:
            parents = module.split(".")
            parents = parents[: len(parents) - node.level + package]
            base = ".".join([*parents, *([base] if base else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _is_attribute_of(node: ast.AST, module: str) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == module
    )


def _lines_that_read_the_environment(tree: ast.Module) -> tuple[int, ...]:
    """Setting one variable for a library is no reading; `from os import environ` is."""
    names = {"environ", "environb", "getenv"}
    written = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
    }
    return tuple(
        node.lineno
        for node in ast.walk(tree)
        if (_is_attribute_of(node, "os") and node.attr in names and id(node) not in written)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in names for alias in node.names)
        )
    )


def violations(modules: Mapping[str, Module]) -> list[str]:
    """Every breach of a rule, as 'module:line: what is wrong'."""
    found = []
    for module in modules.values():
        for item in module.imports:
            complaint = next(_complaints(module, item, modules), None)
            if complaint:
                found.append(f"{module.name}:{item.line}: imports {item.target}: {complaint}")
        if module.parts[0] not in ("cfg", "tests"):
            for line in module.environment_lines:
                found.append(f"{module.name}:{line}: only cfg reads the environment (rule 6)")
    return found


def is_pure(module: Module) -> bool:
    """In a pure folder, or marked so: its docstring has a sentence that begins 'Pure'."""
    marked = re.search(r"(?:^|[.!]\s+|\n)Pure\b", module.docstring) is not None
    return marked or within(module.name, "actors.wire") or within(module.name, "actors.audio")


def within(name: str, *packages: str) -> bool:
    """Whether `name` is one of these packages or modules, or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _complaints(module: Module, item: Import, modules: Mapping[str, Module]) -> Iterator[str]:
    own = module.parts[0]
    top = item.target.split(".")[0]
    if own == "tests":
        return
    if top == "tests":
        yield "only tests import tests"
    if top == "run":
        yield "nothing imports run.py"
    if is_pure(module):
        yield from _pure(module, item)
    if top in ENGINE_LIBRARIES and own != "sim" and not within(module.name, *ENGINE_PLACES):
        yield "only engines touch a model, a network service or a database (rule 3)"
    if top == "supervisor" and own not in ("supervisor", "run"):
        yield "only run.py, supervisor and tests import supervisor (rule 4)"
    if own == "actors" and top in PROJECT:
        yield from _actors(module, item, modules)
    for_sim = ("sim", "actors.wire", "actors.audio", "cfg")
    if own == "sim" and top in PROJECT and not within(item.target, *for_sim):
        yield "sim imports wire, audio and cfg only (rule 5)"
    if own == "cfg" and top in PROJECT and top != "cfg":
        yield "cfg imports nothing else of the project"
    if module.name in BOOTSTRAP or (own == "run" and not item.late):
        yield from _bootstrap(module, item, modules)


def _pure(module: Module, item: Import) -> Iterator[str]:
    top = item.target.split(".")[0]
    if within(item.target, *IMPURE) and item.target != "random.Random":
        yield "a pure module has no socket, clock, process or chance of its own (rule 1)"
    elif top not in sys.stdlib_module_names and top not in NUMPY_LIKE and top not in PROJECT:
        yield "a pure module uses the standard library and numpy-like libraries only (rule 1)"
    if within(module.name, "actors.wire", "actors.audio") and top in PROJECT:
        own = ".".join(module.parts[:2])
        if not within(item.target, own, "cfg.model"):
            yield f"{own} imports itself and cfg.model only (rule 1)"


def _actors(module: Module, item: Import, modules: Mapping[str, Module]) -> Iterator[str]:
    """Rule 2: messages (and the other modules at the top), their own folder, pure layers."""
    target = item.target
    common = ["actors.wire", "actors.audio", "cfg.model", *_own_folders(module, modules)]
    if within(target, *common) or _at_top(target, modules):
        return
    yield "an actor imports messages, its own folder and the pure layers only (rule 2)"


def _own_folders(module: Module, modules: Mapping[str, Module]) -> list[str]:
    """The folder an actor's module belongs to; the engines see the pool's plain modules."""
    if len(module.parts) < 2 or (len(module.parts) == 2 and not module.package):
        return []
    own = ".".join(module.parts[:2])
    kind = ".".join(module.parts[:3])
    if kind in ENGINE_KINDS:
        # what engines share lies beside them; the actor around them is not theirs
        beside = (
            name for name in modules if within(name, "actors.workers") and name.count(".") == 2
        )
        return [kind, *(n for n in beside if n not in (*ENGINE_KINDS, *AROUND_ENGINES))]
    return [own]


def _at_top(target: str, modules: Mapping[str, Module]) -> bool:
    """Whether it is a module that lies directly in actors/: base, messages, log, …"""
    name = _resolve(target, modules)
    module = modules.get(name)
    if name == "actors":
        return True
    at_top = within(name, "actors") and name.count(".") == 1
    return at_top and module is not None and not module.package


def _resolve(target: str, modules: Mapping[str, Module]) -> str:
    """The module behind an imported name: a.b.Class → a.b."""
    while target and target not in modules and "." in target:
        target = target.rsplit(".", 1)[0]
    return target


def _bootstrap(module: Module, item: Import, modules: Mapping[str, Module]) -> Iterator[str]:
    top = item.target.split(".")[0]
    name = _resolve(item.target, modules)
    typing_only = module.name == "run" and name == "cfg.model"
    if top not in sys.stdlib_module_names and name not in BOOTSTRAP and not typing_only:
        yield "this runs before anything is installed: standard library only"
