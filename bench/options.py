"""What every sub-command that loads a server may be told, and the server that it then gets."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from bench.machine import filesystem_of, is_on_a_disk, raise_open_files
from bench.processes import FAILURES, UNLIMITED, Cores, Target, choose_cores, load_pinned, serving

Measure = Callable[["Bench"], None]


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The options that all have."""
    made = argparse.ArgumentParser(
        f"python -m bench {name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--runs", type=int, default=3, help="runs of everything (default 3)")
    made.add_argument("--quick", action="store_true", help="one small run, for a look")
    made.add_argument("--url", help="measure the server that runs at http://HOST:PORT")
    made.add_argument("--key", help="an API key of that server: `syncd key NAME`")
    made.add_argument("--pid", type=int, help="its process, if it runs here: for CPU and memory")
    made.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where the temporary store goes (default: the system's temporary folder)",
    )
    made.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="write a flame graph of the server (SVG); of further ones beside it, numbered",
    )
    return made


class Bench:
    """One run of a sub-command: what was asked for, and a server whenever it wants one."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.quick: bool = given.quick
        self.runs: int = 1 if given.quick else given.runs
        self.cores: Cores = choose_cores()
        self._servers = 0

    @contextmanager
    def server(
        self, flags: Sequence[str] = UNLIMITED, environment: Mapping[str, str] | None = None
    ) -> Iterator[Target]:
        """A fresh server with an empty store, or the one that runs, to which neither `flags` nor
        `environment` is told."""
        given = self.given
        running: AbstractContextManager[Target] = serving(
            self.cores, given.folder, flags, environment
        )
        if given.url:
            running = nullcontext(Target(given.url, given.key, given.pid))
        self._servers += 1
        graph: Path | None = given.profile
        if graph is not None and self._servers > 1:
            graph = graph.with_stem(f"{graph.stem}-{self._servers}")
        with running as target, profiled(target.pid, graph):
            yield target


def run(given: argparse.Namespace, measure: Measure) -> int:
    """Measure with this process on its own core; the exit status."""
    if given.url and not given.key:
        print("! --url needs --key, to make devices", file=sys.stderr)
        return 2
    bench = Bench(given)
    raise_open_files()
    if given.url:
        print(f"the server at {given.url}; the load pinned to core {min(bench.cores.load)}")
    else:
        print(f"{bench.cores}; store in {given.folder} ({filesystem_of(given.folder)})")
        if not is_on_a_disk(given.folder):
            print("! this folder is in memory: nothing is durable; choose another with --folder")
    try:
        with load_pinned(bench.cores):
            measure(bench)
    except FAILURES as failure:
        print(f"! {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("! interrupted", file=sys.stderr)
        return 130
    return 0


@contextmanager
def profiled(pid: int | None, graph: Path | None) -> Iterator[None]:
    """A flame graph of the process, of all that happens inside; nothing where `graph` is None, and
    a sentence where no sampler is installed."""
    sampler = shutil.which("py-spy") or shutil.which(
        "py-spy", path=str(Path(sys.executable).parent)
    )
    if graph is None or pid is None or sampler is None:
        if graph is not None:
            print("! no profile: it needs py-spy (pip install py-spy) and the server's --pid")
        yield
        return
    command = [sampler, "record", "--pid", str(pid), "--output", str(graph), "--rate", "200"]
    sampling = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        sampling.send_signal(2)  # as Ctrl-C: it writes what it has
        sampling.wait(30)
        print(f"  flame graph: {graph}")
