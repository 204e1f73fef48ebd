"""The page's line keeps to the protocol where no browser test gets: gaps, losses, refusals."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import BUSY, FENCED, GAP, OUT_OF_TURN, RESENDING, TOO_LARGE
from syncd.server import page

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node here")
EPOCH, OTHER_EPOCH, CHAIN = "e" * 16, "f" * 16, "c" * 16


class Played:
    """The page's line on a scripted socket."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def act(self, what: str, given: Any = None) -> list[Any]:
        """Do something to it; what it did then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, given]) + "\n")
        self._process.stdin.flush()
        done: list[Any] = json.loads(self._process.stdout.readline())
        return done

    def hear(self, frame: str, **fields: Any) -> list[Any]:
        return self.act("hear", {"frame": frame} | fields)

    def verdict(self, frame: str = "welcome", **changes: Any) -> list[Any]:
        told = {
            "account": "alice",
            "device": "d" * 24,
            "epoch": EPOCH,
            "floor": 0,
            "head": 0,
            "start": 0,
            "chain": CHAIN,
            "missed": 0,
            "sent": 0,
        }
        return self.hear(frame, **told | changes)

    def batch(self, prev: int, to: int) -> list[Any]:
        entries = [
            {
                "kind": 1,
                "conversation": "alice~bob",
                "account": "bob",
                "device": "b" * 24,
                "number": seq,
                "target": None,
                "time": 0,
                "body": "aGk",
            }
            for seq in range(prev + 1, to + 1)
        ]
        return self.hear("batch", prev=prev, to=to, entries=entries, chain=CHAIN, head=to)

    def comes_back(self, code: int) -> dict[str, Any]:
        """The line is lost; the hello of the next one."""
        self.act("lose", code)
        self.act("wait")
        [[_, hello]] = self.act("open")
        assert hello["frame"] == "hello"
        return dict(hello)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    folder = tmp_path_factory.mktemp("pages")
    for name in ("line.js", "inbox.js"):
        shutil.copy(Path(page.__file__).parent / "pages" / name, folder)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    assert NODE is not None
    with subprocess.Popen(
        [NODE, str(Path(__file__).parent / "page_line.mjs"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def line(script: subprocess.Popen[str]) -> Played:
    """A line that has said its first hello."""
    played = Played(script)
    assert played.act("begin") == [["connect"]]
    [[_, hello]] = played.act("open")
    assert (hello["frame"], hello["position"]) == ("hello", None)
    return played


def sent(done: list[Any]) -> list[int]:
    """The numbers of the messages that were sent."""
    return [
        message["number"]
        for act, said in done
        if act == "say" and said["frame"] == "send"
        for message in said["messages"]
    ]


def test_a_batch_is_acknowledged_and_its_place_stated_next_time(line: Played) -> None:
    line.verdict(head=2, missed=2)
    assert line.batch(0, 2) == [["say", {"frame": "ack", "epoch": EPOCH, "seq": 2}]]
    hello = line.comes_back(1006)
    assert hello["position"] == {"epoch": EPOCH, "seq": 2, "chain": CHAIN}


def test_what_does_not_continue_its_place_is_a_gap(line: Played) -> None:
    line.verdict(head=3)
    line.batch(0, 1)
    assert line.batch(2, 3) == [["close", GAP.code]]
    assert line.batch(1, 2) == []  # nothing is heard on that socket any more
    assert line.comes_back(1005)["position"]["seq"] == 1


def test_a_heartbeat_from_elsewhere_is_a_gap(line: Played) -> None:
    line.verdict()
    assert line.hear("heartbeat", epoch=EPOCH, head=5, to=0, floor=0) == []
    assert line.hear("heartbeat", epoch=EPOCH, head=5, to=5, floor=0) == [["close", GAP.code]]


def test_what_had_no_answer_goes_again_in_order(line: Played) -> None:
    line.verdict(sent=7)
    assert sent(line.act("send", "YQ") + line.act("send", "Yg")) == [8, 9]
    accepted = {"number": 8, "seq": 1, "duplicate": False}
    line.hear("answers", accepted=[accepted], refused=[])
    line.comes_back(1006)
    assert sent(line.verdict(sent=8)) == [9]


def test_what_the_server_forgot_goes_again_under_its_number(line: Played) -> None:
    line.verdict()
    for body in ("YQ", "Yg"):
        line.act("send", body)
    both = [{"number": number, "seq": number, "duplicate": False} for number in (1, 2)]
    line.hear("answers", accepted=both, refused=[])
    line.comes_back(1006)
    assert sent(line.verdict("reset", reason="epoch", epoch=OTHER_EPOCH, sent=1)) == [2]


def test_a_retryable_refusal_comes_back_and_a_definite_one_does_not(line: Played) -> None:
    line.verdict()
    line.act("send", "YQ")
    line.act("send", "Yg")
    refused = [{"number": 1, "code": TOO_LARGE.code}]
    assert line.hear("answers", accepted=[], refused=refused) == [["refused", 1, TOO_LARGE.code]]
    refused = [{"number": 2, "code": BUSY.code}]
    assert line.hear("answers", accepted=[], refused=refused) == [["close", RESENDING.code]]
    line.comes_back(1005)
    assert sent(line.verdict()) == [2]


def test_a_server_that_skips_entries_is_told_of_and_left(line: Played) -> None:
    done = line.verdict(start=3, head=3)
    assert done == [["close", OUT_OF_TURN.code], ["ended", OUT_OF_TURN.code, "server_skipped"]]


@pytest.mark.parametrize(("instance", "returns"), [("OWN", True), ("0" * 16, False)])
def test_fenced_by_itself_it_returns_and_by_another_it_stops(
    line: Played, instance: str, returns: bool
) -> None:
    line.verdict()
    line.hear("goodbye", code=FENCED.code, name="fenced", instance=instance, retry_after=None)
    if returns:
        assert line.comes_back(FENCED.code)
    else:
        assert line.act("lose", FENCED.code) == [["ended", FENCED.code, "fenced"]]


def test_the_goodbye_decides_where_the_close_frame_is_lost(line: Played) -> None:
    line.verdict()
    line.hear("goodbye", code=4504, name="device_revoked", instance=None, retry_after=None)
    assert line.act("lose", 1006) == [["ended", 4504, "device_revoked"]]
