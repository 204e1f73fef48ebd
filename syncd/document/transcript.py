"""The worked example of PROTOCOL.md: real sessions over a store in memory, overheard.

Nothing here is typed by hand: the clients' frames follow from the rules of the page, the server's
come from protocol/session.py, the bytes from the codecs. Time and chance are fixed, so the example
stays the same until the protocol changes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from syncd.limits import WINDOW_BYTES_DEFAULT
from syncd.model import (
    AccountId,
    CursorScope,
    DeviceId,
    Opening,
    Position,
    Superseded,
    Work,
    direct,
)
from syncd.protocol import commands, events
from syncd.protocol.session import Session
from syncd.storage.memory import MemoryStorage
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Ack, Batch, ClientFrame, Frame, Hello, Message, Send, Welcome
from syncd.wire.json_twin import frame_name

ALICE, BOB = AccountId("alice"), AccountId("bob")
START_MS = 1_767_225_600_000
_EPOCH_SEED = bytes.fromhex("5eed0000000000")


@dataclass(frozen=True, slots=True)
class Line:
    """One overheard frame: who said it to whom."""

    sender: str
    receiver: str
    frame: Frame


class Stage:
    """A server of one store and the sockets that are open to it."""

    def __init__(self) -> None:
        self._drawn = 0
        self.storage = MemoryStorage(draw=self._draw)
        self.sockets: list[Socket] = []
        self.lines: list[Line] = []
        self.now_ms = START_MS

    def _draw(self, count: int) -> bytes:
        self._drawn += 1
        return (_EPOCH_SEED + bytes((self._drawn,)))[-count:]

    def enrol(self, account: AccountId, name: str, serial: int) -> DeviceId:
        """A device of the account, as a login would make it."""
        device = DeviceId(f"{serial:024x}")

        async def rows() -> None:
            await self.storage.create_account(account)
            await self.storage.create_device(account, device, name, "pc", device.encode())

        asyncio.run(rows())
        return device

    def wake(self, grown: frozenset[AccountId]) -> None:
        for socket in self.sockets:
            if socket.account in grown:
                socket.happen(events.Woken())


class Socket:
    """One device's connection: the client's frames go in, both sides' frames are written down."""

    def __init__(self, stage: Stage, name: str, account: AccountId, device: DeviceId) -> None:
        self.stage, self.name, self.account, self.device = stage, name, account, device
        self.position: Position | None = None
        self.session = Session(CursorScope.DEVICE, now=0.0)

    def connect(self, instance: str) -> None:
        """Open a new socket and say hello from what is stored."""
        self.session = Session(CursorScope.DEVICE, now=0.0)
        self.stage.sockets.append(self)
        token = f"token-of-{self.name.replace(' ', '-')}"
        self.say(Hello(token, instance, self.position, False, WINDOW_BYTES_DEFAULT))

    def disconnect(self) -> None:
        self.stage.sockets.remove(self)
        self.happen(events.Disconnected())

    def say(self, frame: ClientFrame) -> None:
        self.stage.lines.append(Line(self.name, "server", frame))
        self.stage.now_ms += 1
        self.happen(events.Received(frame, self.stage.now_ms))

    def ack(self) -> None:
        assert self.position is not None
        self.say(Ack(self.position.epoch, self.position.seq))

    def happen(self, event: events.Event) -> None:
        for command in self.session.handle(event, now=0.0):
            self._perform(command)

    def _perform(self, command: commands.Command) -> None:
        match command:
            case commands.Authenticate():
                self.happen(events.Admitted(self.account, self.device, 1))
            case commands.Open(request):
                [opening] = self.stage.storage.commit_now(Work(openings=(request,))).openings
                assert isinstance(opening, Opening)
                self.happen(events.Opened(opening))
            case commands.Append(submission):
                self._append(Work(submissions=(submission,)))
            case commands.Read(request):
                [page] = self.stage.storage.read_now([request])
                self.happen(events.PageRead(page))
            case commands.SaveCursor(mark):
                self.stage.storage.commit_now(Work(cursors=(mark,)))
            case commands.Reply(frame):
                self._hear(frame)
            case commands.Deliver(prev, page):
                codec = codec_for(MSGPACK_SUBPROTOCOL)
                data = codec.batch(prev, page.to, page.entries, page.chain, page.head)
                self._hear(codec.decode_server(data))
            case commands.NoteVerdict():
                pass  # operators see it, nobody on the line
            case commands.Signal() | commands.Alarm() | commands.Close():
                raise AssertionError(f"the example is about a good day, not about {command}")

    def _append(self, work: Work) -> None:
        done = self.stage.storage.commit_now(work)
        [outcomes] = done.submissions
        assert not isinstance(outcomes, Superseded)
        self.happen(events.Committed(outcomes))
        self.stage.wake(done.grown)

    def _hear(self, frame: Frame) -> None:
        self.stage.lines.append(Line("server", self.name, frame))
        if isinstance(frame, Welcome):
            self.position = Position(frame.epoch, frame.start, frame.chain)
        if isinstance(frame, Batch):
            assert self.position is not None
            assert frame.prev == self.position.seq
            self.position = Position(self.position.epoch, frame.to, frame.chain)


# ---------------------------------------------------------------- the play


def play() -> Iterator[tuple[str, list[Line]]]:
    """The example in scenes: what happens, and the frames of it."""
    stage = Stage()
    phone = Socket(stage, "phone", BOB, stage.enrol(BOB, "phone", 0xB0))
    first = Socket(stage, "PC1", ALICE, stage.enrol(ALICE, "PC1", 0xA1))
    second = Socket(stage, "PC2", ALICE, stage.enrol(ALICE, "PC2", 0xA2))

    def scene(title: str) -> tuple[str, list[Line]]:
        lines, stage.lines = stage.lines, []
        return title, lines

    conversation = direct(ALICE, BOB)
    phone.connect("00000000000000b0")
    phone.say(Send((Message(1, 1, conversation, None, b"hi alice"),)))
    phone.ack()
    phone.disconnect()
    yield scene("Nobody is connected for alice. Bob's phone sends her a message.")
    first.connect("00000000000000a1")
    first.ack()
    yield scene("PC1 connects for the first time, gets the message, stores it, acknowledges it.")
    second.connect("00000000000000a2")
    second.ack()
    yield scene(
        "PC2 connects later and gets it too: PC1's acknowledgement moved PC1's cursor only."
    )
    second.say(Send((Message(1, 1, conversation, None, b"hi bob"),)))
    second.ack()
    first.ack()
    yield scene(
        "PC2 writes back. Its message comes to PC1, and to PC2 itself as the echo that moves its "
        "position; the answer may come before or after the echo."
    )
    first.disconnect()
    first.connect("00000000000000a1")
    yield scene("PC1 lost its line and connects again, stating its position: nothing is missing.")


# ---------------------------------------------------------------- writing it down


def annotated(value: object, name: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """A value's MessagePack bytes piece by piece, as (hex, what it is)."""
    indent = "  " * depth
    pack = msgspec.msgpack.encode
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        fields = [(each, getattr(value, each)) for each in value.__struct_fields__]
        count = len(fields) + (tag is not None)
        yield _start(count), f"{indent}{name}: array of {count}"
        if tag is not None:
            yield pack(tag).hex(), f"{indent}  tag {tag}, {frame_name(type(value))}"
        for field, inner in fields:
            yield from annotated(inner, field, depth + 1)
    elif isinstance(value, tuple):
        yield _start(len(value)), f"{indent}{name}: array of {len(value)}"
        for place, inner in enumerate(value):
            yield from annotated(inner, f"[{place}]", depth + 1)
    else:
        shown = value.hex() if isinstance(value, bytes) else json.dumps(value)
        yield pack(value).hex(), f"{indent}{name} = {shown}"


def _start(count: int) -> str:
    """The hex of an array's first bytes: all of an array of nils but the nils."""
    packed = msgspec.msgpack.encode([None] * count)
    return packed[: len(packed) - count].hex()


_HEX_COLUMN = 36


def _annotation(frame: Frame) -> str:
    lines = []
    for digits, meaning in annotated(frame, frame_name(type(frame))):
        # A long piece has its hex folded, and its meaning beside the first row.
        folded = [digits[at : at + _HEX_COLUMN] for at in range(0, len(digits), _HEX_COLUMN)]
        lines.append(f"{folded[0]:{_HEX_COLUMN}}  {meaning}")
        lines += folded[1:]
    return "\n".join(lines)


def _written(line: Line) -> str:
    spelled = codec_for(JSON_SUBPROTOCOL).encode(line.frame).decode()
    return (
        f"**{line.sender} to {line.receiver}**\n\n```json\n{spelled}\n```\n\n"
        f"```text\n{_annotation(line.frame)}\n```"
    )


def text() -> str:
    """The whole example in Markdown."""
    scenes = (
        f"### Scene {number}\n\n{title}\n\n" + "\n\n".join(map(_written, lines))
        for number, (title, lines) in enumerate(play(), start=1)
    )
    return "\n\n".join(scenes)
