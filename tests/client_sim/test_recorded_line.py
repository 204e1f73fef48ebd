"""A recorded line: it carries everything unchanged, and tells what passed."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from client_sim.history import (
    Ack,
    Answer,
    Batch,
    Closed,
    Complaint,
    Connect,
    Record,
    Verdict,
    fingerprint,
)
from client_sim.recorded_line import RecordedDialled, RecordedDialler, content, identity
from syncd import errors
from syncd.client.socket import SocketDialler
from syncd.model import Accepted
from syncd.protocol import client_events as events
from syncd.wire import frames
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from tests.client.peer import Talk, peer, soon
from tests.protocol.client_plays import (
    EPOCH,
    INSTANCE,
    OTHER,
    OWN,
    WINDOW,
    at,
    chain,
    entry,
    reset,
    verdict,
)

HELLO = frames.Hello("token", INSTANCE, at(10), False, WINDOW)


class Ear:
    """A recorded line to a scripted peer, and all that it told."""

    def __init__(self, url: str, device: str = OWN) -> None:
        self.records: list[Record] = []
        socket = SocketDialler(url, codec_for(MSGPACK_SUBPROTOCOL))
        self.dialler = RecordedDialler(socket, device, self.records.append, lambda: 1.5, count(1))

    async def greet(self) -> RecordedDialled:
        """A line that said hello."""
        line = self.dialler.dial()
        assert await soon(line.connect())
        await line.send(HELLO)
        return line

    def told(self) -> list[Any]:
        """Everything after the hello."""
        return self.records[1:]


async def silent(talk: Talk) -> None:
    await talk.listen()


def saying(*said: frames.ServerFrame) -> Any:
    async def script(talk: Talk) -> None:
        await talk.expect(frames.Hello)
        await talk.say(*said)
        await talk.listen()

    return script


async def hear(*said: frames.ServerFrame) -> list[Any]:
    """What a line tells of these frames, which pass it unchanged."""
    async with peer(saying(*said)) as url:
        ear = Ear(url)
        line = await ear.greet()
        for frame in said:
            heard = await soon(line.receive())
            assert isinstance(heard, events.Received)
            assert heard.frame == frame
        line.close(None)
        await soon(line.closed())
    return ear.told()


async def test_a_hello_is_told_with_its_place_and_without_its_token() -> None:
    async with peer(silent, silent) as url:
        ear = Ear(url)
        for line in [await ear.greet(), await ear.greet()]:
            line.close(None)
            await soon(line.closed())
    hello = {"device": OWN, "instance": INSTANCE, "epoch": EPOCH.hex(), "seq": 10}
    assert ear.records == [
        Connect(at=1.5, session=1, window=WINDOW, **hello),
        Connect(at=1.5, session=2, window=WINDOW, **hello),
    ]
    assert "token" not in repr(ear.records)


async def test_verdicts_and_batches_are_told_with_what_they_hold() -> None:
    erased = frames.Entry(1, entry(2).conversation, entry(2).account, OTHER, 2, None, 0, None)
    batch = frames.Batch(10, 12, (entry(1), erased), chain(12), 20)
    first, second, third = await hear(verdict(), batch, reset("forked"))
    assert (first.kind, first.start, first.head, first.missed) == ("welcome", 10, 20, 10)
    assert second == Batch(
        at=1.5,
        device=OWN,
        session=1,
        epoch=EPOCH.hex(),
        prev=10,
        messages=((f"{OTHER}#1", fingerprint(b"hello")), (f"{OTHER}#2", None)),
        head=20,
    )
    assert isinstance(third, Verdict)
    assert (third.kind, third.reason) == ("reset", "forked")


async def test_answers_are_told_one_by_one() -> None:
    refused = [errors.CONFLICT, errors.BUSY]
    fields = tuple(frames.RefusedField(2 + at, each.code) for at, each in enumerate(refused))
    told = await hear(frames.Answers((Accepted(1, 7, True),), fields))
    known = {"at": 1.5, "device": OWN, "session": 1}
    assert told == [
        Answer(message=f"{OWN}#1", outcome="accepted", seq=7, duplicate=True, **known),
        Answer(message=f"{OWN}#2", outcome="refused", code="conflict", **known),
        Answer(message=f"{OWN}#3", outcome="refused", code="busy", definite=False, **known),
    ]


async def test_an_ack_is_told_before_it_goes() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(frames.Hello)
        assert await talk.expect(frames.Ack) == frames.Ack(EPOCH, 12)
        await talk.listen()

    async with peer(script) as url:
        ear = Ear(url)
        line = await ear.greet()
        await line.send(frames.Ack(EPOCH, 12))
        line.close(None)
        await soon(line.closed())
    assert ear.told() == [Ack(at=1.5, device=OWN, session=1, epoch=EPOCH.hex(), seq=12)]


async def test_its_end_is_told_with_the_code_of_the_goodbye() -> None:
    async def script(talk: Talk) -> None:
        await talk.expect(frames.Hello)
        await talk.goodbye(errors.DRAINING)

    async with peer(script) as url:
        ear = Ear(url)
        line = await ear.greet()
        while await soon(line.receive()) is not None:
            pass
        assert line.disconnected().code == errors.DRAINING.code
    assert ear.told() == [Closed(at=1.5, device=OWN, session=1, code="draining")]


async def test_a_line_that_never_said_hello_is_not_told() -> None:
    ear = Ear("ws://127.0.0.1:1/v1/sync")
    line = ear.dialler.dial()
    assert not await soon(line.connect())
    assert line.disconnected().code is None
    assert ear.records == []


@pytest.mark.parametrize(
    ("refusal", "judge"),
    [
        (errors.GAP, "explicit-gap"),
        (errors.MALFORMED_FRAME, "poison-safe"),
        (errors.HEARTBEAT_LOST, None),
        (errors.RESENDING, None),
        (None, None),
    ],
)
async def test_a_close_that_must_not_be_needed_is_complained_about(
    refusal: errors.Refusal | None, judge: str | None
) -> None:
    async with peer(silent) as url:
        ear = Ear(url)
        line = await ear.greet()
        line.close(refusal)
        line.close(refusal)
        assert await soon(line.receive()) is None
        line.disconnected()
    *complaints, closed = ear.told()
    assert [each.judge for each in complaints] == ([judge] if judge else [])
    assert all(isinstance(each, Complaint) and each.whose == OWN for each in complaints)
    assert closed.code == (refusal.name if refusal else "")


def test_an_entry_has_the_name_that_its_message_had() -> None:
    assert content(entry(3)) == (identity(OTHER, 3), fingerprint(b"hello"))
