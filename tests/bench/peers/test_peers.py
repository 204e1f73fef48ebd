"""Every peer that is installed does all its work, briefly; the others say what is missing."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench import peers
from bench.peers.peer import Absent, Peer, Place, Server, load
from bench.peers.works import WORKS, Figure, Plan
from bench.processes import choose_cores

BRIEF = Plan(
    connections=(2,),
    sending_s=0.01,
    messages_max=200,
    others=100,
    backlogs=(300,),
    catch_ups=1,
    live_rate=200,
    live_s=0.05,
    idle=10,
    settle_s=0.0,
    storm=10,
    missed=3,
    straced=100,
)
OUTSIDE = """
from bench.peers.peer import Absent

class Nobody:
    name, durable, largest_backlog = "nobody", True, 0

    def start(self, place):
        raise Absent("nobody is installed")
"""


async def figures(peer: Peer, server: Server, works: Iterable[str]) -> set[str]:
    return {
        found.name
        for work in works
        async for found in WORKS[work](peer, server, BRIEF)
        if isinstance(found, Figure)
    }


ONLINE = {"live": {"live_p50_ms", "live_p99_ms"}, "storm": {"storm_s_10"}}
WITHOUT_A_PAST = ONLINE | {"send": {"sends_per_s_2"}, "idle": {"idle_kib_10"}}
RAW, OFFICIAL = {"catchup_300_raw_per_s"}, {"catchup_300_official_per_s"}
ALL = WITHOUT_A_PAST | {"catch_up": RAW | OFFICIAL}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("bench.peers.syncd_server:Syncd", ALL),
        ("bench.peers.redis_streams:RedisAlways", ALL),
        ("bench.peers.nats_jetstream:NatsDefault", ALL),
        ("bench.peers.mosquitto:Mosquitto", WITHOUT_A_PAST),
        ("bench.peers.prosody:Prosody", ONLINE),
    ],
)
def test_a_peer_does_its_work(
    reference: str, expected: dict[str, set[str]], tmp_path: Path
) -> None:
    peer = load(reference)
    try:
        with peer.start(Place(tmp_path, choose_cores())) as server:
            found = asyncio.run(figures(peer, server, expected))
    except Absent as reason:
        pytest.skip(str(reason))
    assert set().union(*expected.values()) <= found


def test_a_run_prints_its_tables_and_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside, result = tmp_path / "outside.py", tmp_path / "result.json"
    outside.write_text(OUTSIDE)
    arguments = ["--quick", "--rounds", "1", "--works", "live", "--only", "syncd"]
    arguments += ["--peer", f"{outside}:Nobody", "--json", str(result)]
    assert peers.main(arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "  - nobody: nobody is installed" in printed
    assert any(line.startswith("| syncd | yes | ") for line in printed)
    assert json.loads(printed[-1]) == json.loads(result.read_text())


@pytest.mark.parametrize("arguments", [["--works", "dance"], ["--url", "http://127.0.0.1:1"]])
def test_what_cannot_be_asked_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        peers.main(arguments)
