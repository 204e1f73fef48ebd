"""What is told of a socket: everything between its hello and its end."""

from pathlib import Path

from client_sim.history import (
    Ack,
    Answer,
    Batch,
    Closed,
    Connect,
    Device,
    Opened,
    Queued,
    Send,
    Verdict,
    fingerprint,
)
from syncd.model import ConversationId, CursorScope, DeviceId, Kind, Position, direct
from syncd.protocol.session import Session
from syncd.recording.journal import Journal
from syncd.recording.tape import Tape, audience
from syncd.wire import frames
from syncd.wire.frames import Message
from tests.recording.conftest import recorded
from tests.server.peers import ANNE, BEN, Town, instance, until


def said(number: int, conversation: str = "anne~ben", body: bytes = b"hello") -> Message:
    return Message(number, Kind.MESSAGE, ConversationId(conversation), None, body)


async def test_a_socket_is_told_from_hello_to_goodbye(town: Town, journal: Path) -> None:
    peer = await town.live(window=131_072)
    await peer.say(frames.Send((said(1), said(2, "no group"))))
    refused = await peer.hear(frames.Answers)
    accepted = await peer.hear(frames.Answers)
    batch = await peer.hear(frames.Batch)
    await peer.say(frames.Ack(peer.epoch, 1))
    await until(lambda: any(isinstance(each, Ack) for each in recorded(journal)))
    await peer.socket.close()
    await town.only(0)

    told = [each for each in recorded(journal) if getattr(each, "session", 0)]
    kinds = [Connect, Opened, Verdict, Send, Send, Answer, Answer, Batch, Ack, Queued, Closed]
    assert [type(each) for each in told] == kinds
    connect, opened, verdict, first, second, no, yes, entries, ack, queued, closed = told
    assert (connect.instance, connect.epoch, connect.window) == (instance(1), None, 131_072)
    assert opened.generation == 1
    assert (verdict.kind, verdict.head, verdict.epoch) == ("welcome", 0, peer.epoch.hex())
    assert (first.to, first.body, first.size) == ((ANNE, BEN), fingerprint(b"hello", 1, None), 5)
    assert (no.message, no.outcome, no.definite) == (second.message, "refused", True)
    assert (yes.message, yes.outcome, yes.seq) == (first.message, "accepted", 1)
    assert (len(refused.refused), len(accepted.accepted)) == (1, 1)
    assert entries.messages == ((first.message, first.body),)
    assert (entries.prev, entries.head) == (batch.prev, batch.head)
    assert (ack.epoch, ack.seq) == (peer.epoch.hex(), 1)
    assert queued.bytes == 0
    assert closed.code == "goodbye"
    assert {each.device for each in told} == {first.message.partition("#")[0]}


async def test_a_stated_place_is_told(town: Town, journal: Path) -> None:
    first = await town.live()
    await town.publish(1)
    batch = await first.hear(frames.Batch)
    await first.socket.close()
    await town.live(position=Position(first.epoch, 1, batch.chain))
    connects = [each for each in recorded(journal) if isinstance(each, Connect)]
    assert [(each.epoch, each.seq) for each in connects] == [
        (None, None),
        (first.epoch.hex(), 1),
    ]
    assert [each.session for each in connects] == [1, 2]


async def test_how_a_socket_ended_is_told(town: Town, journal: Path) -> None:
    cut = await town.live()
    cut.socket.transport.abort()
    await town.only(0)
    refused = await town.live()
    await refused.say(frames.Ack(refused.epoch, 9))
    await town.only(0)
    codes = [each.code for each in recorded(journal) if isinstance(each, Closed)]
    assert codes == ["", "ack_beyond_sent"]


async def test_who_is_not_known_is_not_told_of(town: Town, journal: Path) -> None:
    stranger = await town.socket()
    await stranger.say(frames.Hello("sd_" + "A" * 43, instance(1), None, False, 65_536))
    await town.only(0)
    told = recorded(journal)
    assert not any(isinstance(each, Connect | Closed) for each in told)
    assert {each.account for each in told if isinstance(each, Device)} == {ANNE, BEN}


def test_what_waits_is_told_when_it_doubles(journal: Path) -> None:
    writing = Journal(journal)
    session = Session(CursorScope.DEVICE, 0.0)
    tape = Tape(writing)
    tape.queued(session, 50_000)  # nobody's yet
    session.device = DeviceId("a1" * 12)
    for waiting in (100, 20_000, 30_000, 50_000, 10_000, 120_000):
        tape.queued(session, waiting)
    tape.closed(session, said_goodbye=False)
    writing.close()
    told = [each.bytes for each in recorded(journal) if isinstance(each, Queued)]
    assert told == [20_000, 50_000, 120_000, 120_000]


def test_an_audience_is_told_where_it_is_plain() -> None:
    assert audience(BEN, Kind.MESSAGE, direct(ANNE, BEN)) == [ANNE, BEN]
    assert audience(ANNE, Kind.MESSAGE, direct(ANNE, ANNE)) == [ANNE]
    assert audience(ANNE, Kind.READ, direct(ANNE, BEN)) == [ANNE]
    assert audience(ANNE, Kind.DELETE, "team") == [ANNE]
    assert audience(ANNE, Kind.MESSAGE, "team") == []
