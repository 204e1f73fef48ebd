"""One device, one WebSocket: the interpreter that turns bytes into events and commands into deeds.

The one task of a connection is the one that aiohttp made for the request; it receives and feeds the
session. Completions (a commit, a page, a wake-up, a deadline) arrive as plain calls from the loop.
Nothing is awaited while the session thinks or while its commands are performed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from syncd import errors
from syncd.committer import Committer, Lane
from syncd.errors import Refusal
from syncd.identity.devices import Admission
from syncd.limits import (
    ADMITTING_TIMEOUT_S,
    ENDED_GRACE_S,
    SOCKET_BUFFER_BYTES_MAX,
    SOCKET_FRAMES_MAX,
    WRITE_STALLED_TIMEOUT_S,
)
from syncd.live_connections import LiveConnections
from syncd.model import (
    CursorScope,
    Opening,
    Outcome,
    Page,
    Submission,
    Superseded,
)
from syncd.policy import Checkpoint
from syncd.protocol import commands, events
from syncd.protocol.session import Session
from syncd.protocol.session_table import State
from syncd.reader import Reader
from syncd.recording.journal import Journal
from syncd.recording.tape import Tape
from syncd.server.deadlines import Deadlines
from syncd.server.flushing import Batches, Flushing, framed
from syncd.server.signals import Signals
from syncd.server.throttle import Stranger, Throttle
from syncd.wakeups import Wakeups
from syncd.wire.codec import Codec, Malformed
from syncd.wire.frames import Answers, Goodbye, Signalled, VerdictFields

log = logging.getLogger(__name__)

Authenticate = Callable[[str], Awaitable[Admission | Refusal]]

_BACKPRESSURE_LOOK_S = 0.05
"""How often a connection whose socket is full looks whether it may read again."""

_FOLLOWED = (Answers, VerdictFields)
"""Frames after which there mostly is another one at once: the echo, the first batch."""

_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: closing throws away what was not sent, and resets the connection."""


@dataclass(frozen=True, slots=True)
class Backstage:
    """Everybody that a connection turns to."""

    authenticate: Authenticate
    committer: Committer
    reader: Reader
    wakeups: Wakeups
    deadlines: Deadlines
    live: LiveConnections
    signals: Signals
    throttle: Throttle
    scope: CursorScope
    checkpoint: Checkpoint | None = None
    recall_within_s: int = 0
    """How old a message may be that its author recalls; 0 for any age."""
    journal: Journal | None = None
    flushing: Flushing = field(default_factory=Flushing)
    batches: Batches = field(default_factory=Batches)


class Connection:
    """Performs the commands of one session. Made, run and forgotten by websocket.py."""

    __slots__ = (
        "_accepted_bytes",
        "_backstage",
        "_closing",
        "_codec",
        "_gate",
        "_held",
        "_lane",
        "_listening",
        "_loop",
        "_opcode",
        "_progress_at",
        "_socket",
        "_stranger",
        "_tape",
        "_token",
        "_transport",
        "_unflushed_frames",
        "_written_bytes",
        "session",
    )

    def __init__(
        self,
        backstage: Backstage,
        socket: web.WebSocketResponse,
        transport: asyncio.WriteTransport,
        codec: Codec,
        stranger: Stranger,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._backstage: Final = backstage
        self._socket = socket
        self._transport = transport
        self._codec = codec
        self._stranger = stranger
        self._opcode = WSMsgType.BINARY if codec.binary else WSMsgType.TEXT
        self._lane = Lane()
        checkpoint = backstage.checkpoint
        self._gate = None if checkpoint is None else checkpoint.gate(self._append)
        self._tape = None if backstage.journal is None else Tape(backstage.journal)
        self._listening = False
        self._token: str | None = None
        self._held = b""
        """Frames that wait for what follows them."""
        self._written_bytes = 0
        self._unflushed_frames = 0
        self._accepted_bytes = 0
        self._progress_at = self._loop.time()
        self._closing: asyncio.Task[bool] | None = None
        self.session = Session(backstage.scope, self._loop.time(), backstage.recall_within_s)

    async def run(self) -> None:
        """Receive until the socket is gone."""
        self._backstage.live.enter(self)
        self._backstage.deadlines.add(self)
        try:
            while await self._receive():
                if self._token is not None:
                    await self._authenticate()
        finally:
            self.handle(events.Disconnected())
            if self._tape is not None:
                said_goodbye = self._socket.close_code == WSCloseCode.OK
                self._tape.closed(self.session, said_goodbye=said_goodbye)
            if self._listening:
                self._backstage.wakeups.forget(self.session.account, self)
            try:
                if self._closing is not None:
                    await self._closing
            finally:
                # Not before: until then the socket may stall, and a stopping server waits for it.
                self._backstage.live.leave(self)

    # -------------------------------------------------------- what happens

    def handle(self, event: events.Event, now: float | None = None) -> None:
        """Feed one event and perform what follows. Never raises: a bug ends this socket alone."""
        try:
            wanted = self.session.handle(event, self._loop.time() if now is None else now)
            if self._tape is not None:
                self._tape.note(self.session, event, wanted)
            for command in wanted:
                DEEDS[type(command)](self, command)
            if type(event) is events.Ended and wanted:
                self._loop.call_later(ENDED_GRACE_S, self._cut_off)
        except Exception:
            log.exception("! %r failed at %s", self.session, type(event).__name__)
            if self.session.state is not State.CLOSED:
                self.session.state = State.CLOSED
                self._say_goodbye(errors.INTERNAL)

    def woken(self) -> None:
        self.handle(events.Woken())

    def signalled(self, signal: Signalled) -> None:
        """Pass a signal on, unless the line is busy: a late one would be a wrong one."""
        if not self._transport.get_write_buffer_size():
            self.handle(events.Signalled(signal))

    def deadline(self) -> float | None:
        return self.session.deadline()

    def time_passed(self, now: float) -> None:
        self.handle(events.TimePassed(), now)

    def look_for_stall(self, now: float) -> None:
        """Notice a socket that accepted no byte for too long."""
        waiting = self._transport.get_write_buffer_size()
        accepted = self._written_bytes - waiting
        if waiting == 0 or accepted > self._accepted_bytes:
            self._accepted_bytes, self._progress_at = accepted, now
        elif now - self._progress_at >= WRITE_STALLED_TIMEOUT_S:
            self.handle(events.WriteStalled())
            self._transport.abort()

    def abort(self) -> None:
        """Drop the socket without a word."""
        self._transport.abort()

    def _cut_off(self) -> None:
        """Drop what the line still holds, here and in the kernel: it was on its way before the
        right ended, and a device that reads slowly would get it for as long as it likes."""
        held = self._transport.get_extra_info("socket")
        with suppress(OSError):  # it is closed
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    async def _receive(self) -> bool:
        """Take one message off the socket; False when there will be no more."""
        while self._must_wait():
            await asyncio.sleep(_BACKPRESSURE_LOOK_S)
            if self._transport.is_closing():
                return False
        message: WSMessage = await self._socket.receive()
        if message.type is self._opcode:
            if self.session.account:
                self._backstage.throttle.received(self.session.account, len(message.data))
            self._decode(message.data)
        elif message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
            self.handle(events.Malformed(errors.WRONG_ENCODING))
        elif message.type is WSMsgType.PING:
            self._write(message.data, WSMsgType.PONG)
        elif message.type is not WSMsgType.PONG:
            return False
        return True

    def _must_wait(self) -> bool:
        """Whether to leave the peer's bytes where they are.

        It sends but does not read (the stall check may end that), its account sent too much
        lately, or the policy or the disk is behind and it has messages waiting there already: it
        shall feel a slow line rather than be refused.
        """
        waiting = self._transport.get_write_buffer_size()
        if waiting == 0:
            self._unflushed_frames = 0
        if waiting > SOCKET_BUFFER_BYTES_MAX or self._unflushed_frames > SOCKET_FRAMES_MAX:
            return True
        if self._gate is not None and self._gate.crowded:
            return True
        account = self.session.account
        if account and self._backstage.throttle.exhausted(account):
            return True
        return self.session.unanswered > 0 and self._backstage.committer.crowded(account)

    def _decode(self, data: bytes) -> None:
        try:
            frame = self._codec.decode_client(data)
        except Malformed as malformed:
            log.info("< malformed frame from %r: %s", self.session, malformed)
            self.handle(events.Malformed(malformed.refusal))
        else:
            self.handle(events.Received(frame, time.time_ns() // 1_000_000))

    async def _authenticate(self) -> None:
        token, self._token = self._token, None
        assert token is not None
        try:
            async with asyncio.timeout(ADMITTING_TIMEOUT_S):
                answer = await self._backstage.authenticate(token)
        except TimeoutError:
            self.handle(events.TimePassed())  # the session's own deadline was the earlier one
            return
        if isinstance(answer, Refusal):
            self.handle(events.NotAdmitted(answer))
            return
        self._stranger.known()
        wait_ms = self._backstage.throttle.hello(answer.account)
        if wait_ms:
            await self._backstage.throttle.hold(answer.account)
            self.handle(events.Throttled(wait_ms))
        else:
            self.handle(events.Admitted(answer.account, answer.device, answer.credential))

    # -------------------------------------------------------- what to do

    def _deliver(self, command: commands.Deliver) -> None:
        page = command.page
        self._backstage.throttle.delivered(self.session.account, len(page.entries))
        self._hand_over(self._backstage.batches.frame(self._codec, command.prev, page))

    def _reply(self, command: commands.Reply) -> None:
        write = self._hold if isinstance(command.frame, _FOLLOWED) else self._write
        write(self._codec.encode(command.frame), self._opcode)

    def _submit(self, command: commands.Append) -> None:
        submission = command.submission
        self._backstage.throttle.submitted(self.session.account, len(submission.drafts))
        submit = self._append if self._gate is None else self._gate.submit
        submit(submission)

    def _signal(self, command: commands.Signal) -> None:
        self._backstage.signals.send(command.frame, self.session.account, self.session.device)

    def _note_token(self, command: commands.Authenticate) -> None:
        self._token = command.token  # `run` goes on with it: nothing is awaited here

    def _open(self, command: commands.Open) -> None:
        self._listening = True
        self._backstage.wakeups.listen(command.request.account, self)
        self._backstage.committer.open(command.request, self._opened)

    def _alarm(self, command: commands.Alarm) -> None:
        log.error("! alarm: %s", command.name, extra={"facts": command.facts})

    def _close(self, command: commands.Close) -> None:
        self._say_goodbye(command.refusal, command.instance, command.retry_after_ms)

    def _append(self, submission: Submission) -> None:
        self._backstage.committer.append(self._lane, submission, self._committed)

    def _opened(self, result: Opening | Refusal) -> None:
        if isinstance(result, Refusal):
            self.handle(events.NotOpened(result))
        else:
            self.handle(events.Opened(result))
            self._backstage.deadlines.add(self)
            self._backstage.live.take_over(self, result.generation)

    def _page_read(self, page: Page | None) -> None:
        self.handle(events.ReadFailed() if page is None else events.PageRead(page))

    def _committed(self, result: tuple[Outcome, ...] | Superseded) -> None:
        if not isinstance(result, Superseded):
            self.handle(events.Committed(result))
        elif result.instance is None:
            self.handle(events.Ended(errors.DEVICE_REVOKED))
        else:
            self.handle(events.Superseded(result.instance))

    # -------------------------------------------------------- towards the socket

    def flush(self) -> None:
        """Hand to the transport what was held back."""
        if self._held:
            self._hand_over(b"")

    def _hold(self, data: bytes, opcode: WSMsgType) -> None:
        """Keep a message until something follows it; not long."""
        if not self._held:
            self._backstage.flushing.add(self)
        self._held += framed(data, opcode)

    def _write(self, data: bytes, opcode: WSMsgType) -> None:
        """Hand a message to the transport, now: the window bounds what we write."""
        self._hand_over(framed(data, opcode))

    def _hand_over(self, frame: bytes) -> None:
        frames, self._held = self._held + frame, b""
        if self._transport.is_closing():
            return  # the receiving side notices
        self._transport.write(frames)
        self._written_bytes += len(frames)
        self._unflushed_frames += 1
        if self._tape is not None:
            self._tape.queued(self.session, self._transport.get_write_buffer_size())

    def _say_goodbye(
        self, refusal: Refusal, instance: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        log.info("= %r closes: %s", self.session, refusal.name)
        goodbye = Goodbye(refusal.code, refusal.name, instance, retry_after_ms)
        self._write(self._codec.encode(goodbye), self._opcode)
        # The handshake waits for the peer, so it is a task of its own; `run` sees it to its end.
        # Without drain, which would wait for ever for a peer that does not read.
        self._closing = asyncio.create_task(
            self._socket.close(code=refusal.code, message=refusal.name.encode(), drain=False)
        )


DEEDS: Final[dict[type[commands.Command], Callable[[Connection, Any], None]]] = {
    commands.Deliver: Connection._deliver,
    commands.Reply: Connection._reply,
    commands.Read: lambda self, asked: self._backstage.reader.read(asked.request, self._page_read),
    commands.Append: Connection._submit,
    commands.SaveCursor: lambda self, given: self._backstage.committer.save_cursor(given.mark),
    commands.NoteVerdict: lambda self, told: self._backstage.committer.note_verdict(told.note),
    commands.Signal: Connection._signal,
    commands.Authenticate: Connection._note_token,
    commands.Open: Connection._open,
    commands.Alarm: Connection._alarm,
    commands.Close: Connection._close,
}
"""What is done about each command. A look into a table takes a fifth of what a match over classes
takes, and a message brings five commands."""
