"""How does this service compare with the servers that people would take instead?

Every peer is started here, on loopback, with the configuration that is printed; it and the load are
pinned to a core each. Peers do the same work in alternation - one after the other for each work,
and again in each round - so that the mood of the machine falls on all of them. The last line is one
JSON object. What is not installed is skipped with a sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from textwrap import indent

import msgspec

from bench.machine import calibration_ms, filesystem_of, is_on_a_disk, raise_open_files
from bench.peers.peer import Absent, Peer, Place, Server, load, needed
from bench.peers.results import OURS, Results, in_short, tables
from bench.peers.syncd_server import Syncd
from bench.peers.works import QUICK, WHOLE, WORKS, Plan
from bench.processes import FAILURES, Cores, Target, choose_cores, load_pinned
from bench.results import Setting

PEERS = (
    "bench.peers.syncd_server:Syncd",
    "bench.peers.redis_streams:RedisAlways",
    "bench.peers.redis_streams:RedisEverysec",
    "bench.peers.nats_jetstream:NatsAlways",
    "bench.peers.nats_jetstream:NatsDefault",
    "bench.peers.prosody:Prosody",
    "bench.peers.ejabberd:Ejabberd",
    "bench.peers.mosquitto:Mosquitto",
    "bench.peers.synapse:Synapse",
)
"""Those of this package."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print every figure as it comes, then the tables and, last, one JSON object."""
    options = _options(arguments)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    peers = _chosen(options)
    raise_open_files()
    cores = choose_cores()
    print(f"{cores}; stores in {options.folder} ({filesystem_of(options.folder)})")
    if not is_on_a_disk(options.folder):
        print("! this folder is in memory: nothing is durable; choose another with --folder")
    results = Results(options.rounds)
    with load_pinned(cores):
        run = Run(options.folder, cores, QUICK if options.quick else WHOLE, results)
        try:
            run.all(peers, options.works, options.rounds)
        except KeyboardInterrupt:
            print("! interrupted: what follows is what was measured until then", file=sys.stderr)
    settings: dict[str, Setting] = {"quick": options.quick, "rounds": options.rounds}
    report = results.report(began, settings)
    print(*tables(report), sep="\n")
    text = msgspec.json.encode(report).decode()
    if options.json:
        options.json.write_text(text + "\n")
    print(text)
    return 0 if report.rows else 1


class Run:
    """All work of all peers, each figure printed as it comes."""

    def __init__(self, folder: Path, cores: Cores, plan: Plan, results: Results) -> None:
        self._folder = folder
        self._cores = cores
        self._plan = plan
        self._results = results

    def all(self, peers: Sequence[Peer], works: Sequence[str], rounds: int) -> None:
        """Introduce every peer, then the rounds."""
        present = [peer for peer in peers if self._introduced(peer)]
        for turn in range(rounds):
            for work in works:
                print(f"\nround {turn + 1} of {rounds}, {work}: {WORKS[work].__doc__}")
                for peer in present:
                    self._work(turn, work, peer)

    def _introduced(self, peer: Peer) -> bool:
        """Whether it runs here: started once, and its configuration printed."""
        try:
            with self._place() as place, peer.start(place) as server:
                config = server.config.replace(str(place.folder), "FOLDER")
                self._results.introduce(peer.name, server.version, peer.durable, config)
        except (Absent, *FAILURES) as reason:
            self._missed(peer, reason)
            return False
        durable = "an answer is on disk" if peer.durable else "an answer is NOT on disk yet"
        print(f"\n{peer.name}: {server.version}; {durable}\n{indent(config.rstrip(), '    ')}")
        return True

    def _work(self, turn: int, work: str, peer: Peer) -> None:
        calibration = calibration_ms()
        self._results.note_calibration(calibration)
        print(f"  {peer.name} (calibration {calibration:.0f} ms)", flush=True)
        try:
            with self._place() as place, peer.start(place) as server, _runner() as runner:
                runner.run(self._figures(turn, work, peer, server))
        except Absent as reason:
            self._missed(peer, reason)
        except Exception as reason:  # whatever fails in one peer must not cost the others' figures
            self._missed(peer, f"{work}: {reason!r}")

    async def _figures(self, turn: int, work: str, peer: Peer, server: Server) -> None:
        async for found in WORKS[work](peer, server, self._plan):
            if isinstance(found, Absent):
                self._missed(peer, found)
                continue
            self._results.note(turn, peer.name, work, found)
            value = f"{in_short(found.value):>12} {found.unit}"
            print(f"    {found.name:28} {value:36} {found.remark}".rstrip(), flush=True)

    def _missed(self, peer: Peer, reason: object) -> None:
        if self._results.note_missing(peer.name, str(reason)):
            print(f"  - {peer.name}: {reason}", flush=True)

    @contextmanager
    def _place(self) -> Iterator[Place]:
        with TemporaryDirectory(prefix="bench-peers-", dir=self._folder) as folder:
            yield Place(Path(folder), self._cores)


def _runner() -> asyncio.Runner:
    """uvloop where it is installed: the load must not be what is measured."""
    with suppress(Absent):
        return asyncio.Runner(loop_factory=needed("uvloop", "uvloop").new_event_loop)
    return asyncio.Runner()


def _chosen(options: argparse.Namespace) -> list[Peer]:
    """What --only and --peer leave; this service always comes first."""
    own = [load(reference) for reference in PEERS]
    if options.url:
        own[0] = Syncd(Target(options.url, options.key, options.pid))
    words = options.only.split(",") if options.only else [""]
    kept = [peer for peer in own if peer.name == OURS or any(word in peer.name for word in words)]
    return kept + [load(reference) for reference in options.peer]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench peers", description=__doc__)
    parser.add_argument("--only", metavar="WORDS", help="peers whose name holds one of a,b,c")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="one more peer, also FILE.py:CLASS (see bench/peers/peer.py)",
    )
    parser.add_argument(
        "--works", type=_works, default=list(WORKS), help=f"some of {','.join(WORKS)}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="(default 3)")
    parser.add_argument("--quick", action="store_true", help="seconds per peer, for a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the last line there, too")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(gettempdir()),
        help="where the stores go (default: the system's temporary folder)",
    )
    parser.add_argument("--url", help="as this service, the server that runs at http://HOST:PORT")
    parser.add_argument("--key", help="an API key of that server: `syncd key NAME`")
    parser.add_argument("--pid", type=int, help="its process, if it runs here: for CPU and memory")
    options = parser.parse_args(arguments)
    if options.url and not options.key:
        parser.error("--url needs --key, to make devices")
    return options


def _works(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in WORKS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {','.join(WORKS)}")
    return names
