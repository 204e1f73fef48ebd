"""Plants one bug into this process: the module is compiled from a changed source when it is first
imported. Run as a program it then becomes another one: ``python -m client_sim.planted.planting BUG
MODULE ARGUMENTS...`` is ``python -m MODULE ARGUMENTS...`` with the bug in it.
"""

from __future__ import annotations

import argparse
import runpy
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

from client_sim.planted.bug import Bug
from client_sim.planted.bugs import BY_NAME

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class NoSuchPlace(Exception):
    """The line that the bug replaces does not stand in its module exactly once."""


def changed(bug: Bug, source: str) -> str:
    """The module's source with the bug in it. Raises NoSuchPlace."""
    found = source.count(bug.old)
    if found != 1:
        raise NoSuchPlace(f"{bug.name}: {bug.module} holds its line {found} times")
    return source.replace(bug.old, bug.new)


def plant(bug: Bug) -> None:
    """From now on an import of the bug's module gives the changed one; once per process.

    Raises RuntimeError where the module was imported already: others may hold the right one.
    """
    if bug.module in sys.modules:
        raise RuntimeError(f"{bug.module} is imported already: plant {bug.name} before")
    sys.meta_path.insert(0, _Finder(bug))


def planted() -> str:
    """The name of the bug in this process; empty where there is none."""
    return next((each.bug.name for each in sys.meta_path if isinstance(each, _Finder)), "")


def server_command(bug: str) -> tuple[str, ...]:
    """The words that start a server with this bug in it."""
    return (sys.executable, "-m", "client_sim.planted.planting", bug, "syncd")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Let a command of client-sim be run with a bug; its `main` sees to it."""
    parser.add_argument(
        "--bug",
        choices=sorted(BY_NAME),
        metavar="NAME",
        help="with this planted bug (see client-sim planted)",
    )


def run_again(bug: str, arguments: Sequence[str]) -> int:
    """The same command of client-sim in a process in which the bug was planted before anything
    was imported; its exit status."""
    planting = [sys.executable, "-m", "client_sim.planted.planting", bug]
    return subprocess.run([*planting, "client_sim", *arguments], check=False).returncode


class _Finder(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self.bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.bug.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(self.bug, fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, bug: Bug, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._bug = bug

    def get_code(self, fullname: str) -> CodeType:
        # Not the inherited one: that would read and write the cache of the right module.
        source = self.get_data(self.path).decode("utf-8")
        return self.source_to_code(changed(self._bug, source).encode(), self.path)

    # Called with a source file's bytes alone; the base is static, and takes syntax trees, too.
    def source_to_code(  # type: ignore[override]
        self, data: ReadableBuffer, path: str, *, _optimize: int = -1
    ) -> CodeType:
        code: CodeType = compile(data, path, "exec", dont_inherit=True, optimize=_optimize)
        return code


def main() -> None:
    """See the module. The program sees its own arguments only."""
    # Whoever asks what is planted imports this module by its name, and must not get another one.
    sys.modules["client_sim.planted.planting"] = sys.modules["__main__"]
    name, module, *arguments = sys.argv[1:]
    plant(BY_NAME[name])
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
