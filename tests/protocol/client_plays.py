"""Clients for plays: one in each state, and the frames and events that plays are made of."""

from __future__ import annotations

from typing import Any

from syncd.limits import WINDOW_BYTES_MIN
from syncd.model import AccountId, Chain, ConversationId, DeviceId, Epoch, Position
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client import Client, Settings
from syncd.protocol.client_table import State
from syncd.wire import frames
from tests.playbook import Playbook

ALICE = AccountId("alice")
OWN, OTHER = DeviceId("0" * 24), DeviceId("f" * 24)
EPOCH, NEW_EPOCH = Epoch(b"epoch-01"), Epoch(b"epoch-02")
INSTANCE = "00112233aabbccdd"
WINDOW = WINDOW_BYTES_MIN


def chain(seq: int) -> Chain:
    return Chain(seq.to_bytes(8, "big"))


def at(seq: int, epoch: Epoch = EPOCH) -> Position:
    return Position(epoch, seq, chain(seq))


def verdict(kind: Any = frames.Welcome, *extra: Any, **changes: Any) -> Any:
    """A verdict on a log that holds 6 .. 20, for a device that stated 10."""
    facts: dict[str, Any] = {
        "account": ALICE,
        "device": OWN,
        "epoch": EPOCH,
        "floor": 5,
        "head": 20,
        "start": 10,
        "sent": 0,
    } | changes
    start = facts["start"]
    facts |= {"chain": chain(start), "missed": facts["head"] - start}
    fields = ("account", "device", "epoch", "floor", "head", "start", "chain", "missed", "sent")
    return kind(*(facts[field] for field in fields), *extra)


def reset(reason: str = "epoch", **changes: Any) -> Any:
    return verdict(frames.Reset, reason, **({"epoch": NEW_EPOCH, "start": 5} | changes))


def truncated(**changes: Any) -> Any:
    missing = (11, changes.get("floor", 15))
    return verdict(frames.Truncated, missing, **({"floor": 15, "start": 15} | changes))


def message(number: int) -> frames.Message:
    return frames.Message(number, 1, ConversationId("alice~bob"), None, b"hello")


def entry(number: int, device: DeviceId = OTHER) -> frames.Entry:
    return frames.Entry(1, ConversationId("alice~bob"), ALICE, device, number, None, 0, b"hello")


def batch(prev: int, *entries: frames.Entry, head: int = 20) -> events.Received:
    to = prev + len(entries)
    return got(frames.Batch(prev, to, entries, chain(to), head))


def got(frame: Any, size: int = 100) -> events.Received:
    return events.Received(frame, size)


def taken(*outbox: frames.Message, **changes: Any) -> events.VerdictTaken:
    facts: dict[str, Any] = {
        "outbox": outbox,
        "accepted": (),
        "numbered": (),
        "handed": 10,
        "era": 0,
        "marked": None,
    }
    return events.VerdictTaken(**(facts | changes))


def stored(seq: int, *echoes: events.Echo, epoch: Epoch = EPOCH) -> events.BatchStored:
    return events.BatchStored(at(seq, epoch), echoes, None)


def hello(position: Position | None, cursor: bool = False) -> commands.SendFrame:
    return commands.SendFrame(frames.Hello("a token", INSTANCE, position, cursor, WINDOW))


def ack(seq: int, epoch: Epoch = EPOCH) -> commands.SendFrame:
    return commands.SendFrame(frames.Ack(epoch, seq))


def send(*numbers: int) -> commands.SendFrame:
    return commands.SendFrame(frames.Send(tuple(message(number) for number in numbers)))


def signal() -> frames.Signal:
    return frames.Signal(ConversationId("alice~bob"), 1, b"...")


def signalled() -> frames.Signalled:
    return frames.Signalled(ConversationId("alice~bob"), AccountId("bob"), OTHER, 1, b"...")


def client(**settings: Any) -> Client:
    """A client whose jitter is always a half."""
    return Client(Settings("a token", INSTANCE, WINDOW, **settings), lambda: 0.5)


def loaded() -> events.Loaded:
    return events.Loaded(ALICE, OWN, at(10), 10, 0)


BLANK = events.Loaded(None, None, None, 0, 0)


def play(state: State, **settings: Any) -> Playbook:
    """A play whose client holds 1 .. 10 and has come to this state."""
    stage = Playbook(client(**settings))
    way: dict[State, tuple[Any, ...]] = {
        State.LOADING: (),
        State.CONNECTING: (loaded(),),
        State.GREETING: (loaded(), events.Connected()),
        State.JUDGING: (loaded(), events.Connected(), got(verdict())),
        State.SYNCING: (loaded(), events.Connected(), got(verdict()), taken()),
        State.CLOSING: (loaded(), events.CloseRequested()),
        State.STOPPED: (events.CloseRequested(),),
        State.WAITING: (loaded(), events.Disconnected(None)),
    }
    for event in way[state]:
        stage >> event
        stage.skip()
    assert isinstance(stage.machine, Client)
    assert stage.machine.state is state
    return stage
