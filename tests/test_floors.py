"""Imports point down: every module of syncd lives on a floor and imports only from below it."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE_FOLDERS = ("syncd", "client_sim", "bench")


class Wing(NamedTuple):
    """Modules of one floor that may know each other; other wings of the same floor may not."""

    floor: int
    modules: tuple[str, ...]
    never: tuple[str, ...] = ()  # lower wings that stay strangers all the same


WINGS = {
    "ground": Wing(
        0,
        (
            "model",
            "membership",
            "errors",
            "limits",
            "chain",
            "heading",
            "checksum",
            "allowance",
            "persisted_clock",
            "notices",
            "persons",
        ),
    ),
    "wire": Wing(1, ("wire",)),
    "protocol": Wing(2, ("protocol",)),
    # Storage keeps entries as bytes; it never sees a frame.
    "storage": Wing(3, ("storage",), never=("wire", "protocol")),
    "delivery": Wing(
        4,
        (
            "committer",
            "lanes",
            "turns",
            "fan_outs",
            "reader",
            "damages",
            "wakeups",
            "live_connections",
            "policy",
            "retention",
            "badges",
        ),
    ),
    # What a server does, told to a file: it looks on, and nobody on its floor knows.
    "recording": Wing(4, ("recording",)),
    # Accounts and platforms know nothing of sync: a session asks them, in their words.
    "identity": Wing(4, ("identity",), never=("wire", "protocol")),
    # A world of its own, as the real one is: it shares not even our words.
    "platform": Wing(4, ("platform",), never=("ground", "wire", "protocol", "storage")),
    "server": Wing(5, ("server",)),
    "client": Wing(5, ("client",)),
    "top": Wing(6, ("__main__", "commands", "config", "document")),
}
WING_OF = {module: name for name, wing in WINGS.items() for module in wing.modules}

# The same events must give the same commands, always: no clock, no chance, no I/O, no logs there.
SANS_IO_FLOOR_MAX = 2
CLOCKS = {"datetime", "time"}
CHANCE = {"random", "secrets", "uuid"}
SYSTEM = {"asyncio", "concurrent", "multiprocessing", "os", "signal", "subprocess", "threading"}
NETWORK = {"aiohttp", "select", "selectors", "socket", "ssl", "websockets"}
DATABASES = {"aiosqlite", "asyncpg", "sqlite3"}
IMPURE = CLOCKS | CHANCE | SYSTEM | NETWORK | DATABASES | {"logging"}


class Import(NamedTuple):
    """One imported name, absolute and dotted down to the thing that was asked for."""

    target: str
    line: int
    lazy: bool  # not run when the importing module is


def sources() -> Iterator[tuple[str, str]]:
    for folder in SOURCE_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def module_name(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def walk(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, with whether it is passed over when the module is imported."""
    for child in ast.iter_child_nodes(node):
        deferred = lazy or is_deferred(child)
        yield child, deferred
        yield from walk(child, deferred)


def is_deferred(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        only_for_types = re.fullmatch(r"(\w+\.)?TYPE_CHECKING", ast.unparse(node.test))
        return bool(only_for_types) and not node.orelse
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def imports(path: str, source: str) -> Iterator[Import]:
    module = module_name(path)
    package = module if path.endswith("/__init__.py") else module.rpartition(".")[0]
    for node, lazy in walk(ast.parse(source, filename=path)):
        for target in imported_names(node, package):
            yield Import(target, getattr(node, "lineno", 1), lazy)


def imported_names(node: ast.AST, package: str) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=origin, names=names, level=level):
            home = resolve_name("." * level + (origin or ""), package)
            return [f"{home}.{alias.name}" for alias in names]
        # An import spelled as a call is an import all the same.
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(target)), *_],
        ):
            return [resolve_name(target, package)]
    return []


def floor_breaches(path: str, source: str) -> list[str]:
    module = module_name(path)
    _, _, below = module.partition(".")
    if within(module, "syncd") and below and below.partition(".")[0] not in WING_OF:
        return [f"{path}:1: {module} has no floor yet; give it one in tests/test_floors.py"]
    return [
        f"{path}:{imported.line}: imports {imported.target}: {complaint}"
        for imported in imports(path, source)
        if (complaint := objection(module, imported))
    ]


def objection(module: str, imported: Import) -> str | None:
    """Why `module` must not import this, or None."""
    origin = imported.target.partition(".")[0]
    if within(module, "client_sim") and within(imported.target, "syncd.server"):
        return "client_sim meets the server on the wire only"
    if not within(module, "syncd"):
        return None
    if origin in {"client_sim", "bench", "tests"}:
        return f"syncd stands without {origin}"
    if module == "syncd":
        return door_objection(origin, imported)
    if origin == "syncd":
        return height_objection(module, imported.target)
    if WINGS[wing_name(module)].floor <= SANS_IO_FLOOR_MAX and origin in IMPURE:
        return f"floors 0 to {SANS_IO_FLOOR_MAX} are sans-IO"
    return None


def door_objection(origin: str, imported: Import) -> str | None:
    # Importing any part of syncd runs the door first, so a door in a hurry drags everything in.
    if imported.lazy or origin in sys.stdlib_module_names:
        return None
    return "the public door imports lazily"


def height_objection(module: str, target: str) -> str | None:
    if target == "syncd.__version__":  # a plain string, safe on every floor
        return None
    here_name, there_name = wing_name(module), wing_name(target)
    here, there = WINGS[here_name], WINGS[there_name]
    if there_name in here.never:
        return f"{here_name} never imports {there_name}"
    if here_name == there_name or there.floor < here.floor:
        return None
    if here.floor == there.floor:
        return f"{here_name} and {there_name} are wings of floor {here.floor} and do not meet"
    return f"floor {here.floor} must not look up to floor {there.floor}"


def wing_name(dotted: str) -> str:
    """The wing of a module or of a name in it; what only the door offers counts as the top."""
    return WING_OF.get(dotted.split(".")[1] if "." in dotted else "", "top")


# The event loop holds a task weakly: a task that nobody keeps may vanish half-way, and its error
# with it. A task group keeps its own, so `group.create_task(...)` is welcome as a statement.
STARTS_A_TASK = re.compile(r"((.*\.)?(asyncio|\w*loop(\(\))?)\.)?(create_task|ensure_future)")


def dropped_tasks(path: str, source: str) -> list[str]:
    return [
        f"{path}:{node.lineno}: keep the task that {ast.unparse(call.func)} returns, or use a group"
        for node in ast.walk(ast.parse(source, filename=path))
        if isinstance(node, ast.stmt)
        and (call := dropped_call(node))
        and STARTS_A_TASK.fullmatch(ast.unparse(call.func))
    ]


def dropped_call(statement: ast.stmt) -> ast.Call | None:
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return call
        case ast.Assign(targets=[ast.Name(id="_")], value=ast.Call() as call):
            return call
    return None


def test_imports_point_down() -> None:
    breaches = [breach for path, source in sources() for breach in floor_breaches(path, source)]
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_task_is_kept() -> None:
    breaches = [breach for path, source in sources() for breach in dropped_tasks(path, source)]
    assert not breaches, "\n" + "\n".join(breaches)


# From here on the rules themselves are tried: a rule that cannot fail is worth nothing.


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("syncd/novelty.py", "", ":1: syncd.novelty has no floor"),
        ("syncd/novelty/part.py", "", ":1: syncd.novelty.part has no floor"),
        ("syncd/model.py", "\nimport syncd.wire.codec", ":2: imports syncd.wire.codec: floor 0"),
        ("syncd/wire/codec.py", "from syncd import protocol", "look up to floor 2"),
        ("syncd/wire/codec.py", "from ..protocol.session import Session", "look up to floor 2"),
        ("syncd/wire/__init__.py", "from .. import protocol", "look up to floor 2"),
        ("syncd/wire/codec.py", "from syncd import connect", "look up to floor 6"),
        ("syncd/wire/codec.py", "import syncd", "look up to floor 6"),
        ("syncd/wire/codec.py", "def later():\n    import syncd.server", ":2: imports"),
        ("syncd/wire/codec.py", "if TYPE_CHECKING:\n    import syncd.server", ":2: imports"),
        ("syncd/wire/codec.py", "importlib.import_module('syncd.server')", "look up to floor 5"),
        ("syncd/wire/codec.py", "__import__('asyncio')", "sans-IO"),
        ("syncd/wire/codec.py", "import os.path", "sans-IO"),
        ("syncd/protocol/session.py", "from time import monotonic", "sans-IO"),
        ("syncd/errors.py", "import logging", "sans-IO"),
        ("syncd/storage/memory.py", "from syncd.wire import codec", "storage never imports wire"),
        ("syncd/storage/memory.py", "import syncd.protocol", "storage never imports protocol"),
        ("syncd/identity/login.py", "import syncd.wire.frames", "identity never imports wire"),
        ("syncd/identity/login.py", "import syncd.platform", "wings of floor 4"),
        ("syncd/identity/login.py", "import syncd.wakeups", "wings of floor 4"),
        ("syncd/reader.py", "import syncd.identity", "wings of floor 4"),
        ("syncd/server/app.py", "import syncd.client.store", "wings of floor 5"),
        ("syncd/client/store.py", "from syncd.server import app", "wings of floor 5"),
        ("syncd/server/app.py", "from syncd.config import Config", "look up to floor 6"),
        ("syncd/config.py", "import client_sim.clock", "syncd stands without client_sim"),
        ("syncd/__main__.py", "from bench import load", "syncd stands without bench"),
        ("syncd/__init__.py", "from syncd.client import connect", "imports lazily"),
        ("syncd/__init__.py", "import aiohttp", "imports lazily"),
        ("client_sim/live.py", "from syncd.server.app import App", "on the wire only"),
        ("client_sim/live.py", "from syncd import server", "on the wire only"),
    ],
)
def test_a_breach_of_floors_is_found(path: str, source: str, complaint: str) -> None:
    [breach] = floor_breaches(path, source)
    assert breach.startswith(path + ":")
    assert complaint in breach


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("syncd/errors.py", "from syncd.model import Seq"),
        ("syncd/wire/codec.py", "import hashlib, json\nimport msgspec\nfrom . import frames"),
        ("syncd/protocol/session.py", "from syncd.wire.frames import Hello\nimport syncd.limits"),
        ("syncd/storage/sqlite.py", "import asyncio, time\nfrom syncd import errors, model"),
        ("syncd/committer.py", "from syncd.storage import Storage\nfrom syncd import wakeups"),
        ("syncd/identity/login.py", "from syncd.storage import Storage"),
        ("syncd/server/app.py", "from syncd import __version__, reader\nimport aiohttp"),
        ("syncd/__main__.py", "from syncd.config import Config\nfrom syncd.server import app"),
        ("syncd/__init__.py", "import importlib\ndef find():\n    import syncd.client"),
        ("syncd/__init__.py", "if TYPE_CHECKING:\n    from syncd.client import connect"),
        ("client_sim/live.py", "from syncd.client import connect\nimport asyncio"),
        ("bench/load.py", "from syncd.server import app\nfrom client_sim import clock"),
    ],
)
def test_a_proper_import_passes(path: str, source: str) -> None:
    assert floor_breaches(path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "asyncio.create_task(work())",
        "create_task(work())",
        "asyncio.ensure_future(work())",
        "self._loop.create_task(work())",
        "asyncio.get_running_loop().create_task(work())",
        "_ = asyncio.create_task(work())",
        "def start():\n    asyncio.create_task(work())",
    ],
)
def test_a_dropped_task_is_found(source: str) -> None:
    [breach] = dropped_tasks("syncd/reader.py", source)
    assert breach.startswith(f"syncd/reader.py:{len(source.splitlines())}: keep the task")


@pytest.mark.parametrize(
    "source",
    [
        "task = asyncio.create_task(work())",
        "tasks.append(asyncio.create_task(work()))",
        "def start():\n    return asyncio.create_task(work())",
        "async def run():\n    await asyncio.create_task(work())",
        "group.create_task(work())",
    ],
)
def test_a_kept_task_passes(source: str) -> None:
    assert dropped_tasks("syncd/reader.py", source) == []
