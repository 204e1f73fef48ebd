"""The server's end of a pretended line: what server/connection.py is to a socket.

The second interpreter of protocol/commands.py. Policy and throttle are left out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypedDict

from client_sim.history import SERVER, Ack, Closed, Opened, Queued
from syncd import errors
from syncd.committer import Lane
from syncd.errors import Refusal
from syncd.limits import SOCKET_BUFFER_BYTES_MAX, WRITE_STALLED_TIMEOUT_S
from syncd.model import Opening, Outcome, Page, Submission, Superseded
from syncd.protocol import commands, events
from syncd.protocol.session import Session
from syncd.protocol.session_table import State
from syncd.wire.codec import Malformed, MsgpackCodec
from syncd.wire.frames import Goodbye, Signalled

if TYPE_CHECKING:
    from client_sim.pretend.line import Line
    from client_sim.pretend.node import Node

_CODEC = MsgpackCodec()
_QUEUED_STEP_BYTES = 16 * 1024
"""What waits for a device is told again when it has grown by so much."""


class _Told(TypedDict):
    at: float
    by: str
    device: str
    session: int


class Seat:
    """Performs the commands of one session, as long as its node lives."""

    def __init__(self, node: Node, line: Line, number: int) -> None:
        self.session = Session(node.scope, node.world.now())
        self._node = node
        self._line = line
        self._number = number
        self._lane = Lane()
        self._listening = False
        self._left = False
        self._code = ""
        self._timer: asyncio.TimerHandle | None = None
        self._most_queued = 0
        self._written = 0
        self._taken = 0
        self._progress_at = node.world.now()
        node.live.enter(self)
        self._arm()

    # -------------------------------------------------------- what happens

    def handle(self, event: events.Event, now: float | None = None) -> None:
        """Feed one event and perform what follows. Never raises: a bug ends this socket alone."""
        node = self._node
        if not node.alive:
            return
        try:
            for command in self.session.handle(event, node.world.now() if now is None else now):
                self._perform(command)
        except Exception as error:
            node.world.complain(f"{self.session!r} failed at {type(event).__name__}: {error!r}")
            if self.session.state is not State.CLOSED:
                self.session.state = State.CLOSED
                self._say_goodbye(errors.INTERNAL)
        self._arm()

    def woken(self) -> None:
        """The log may have grown."""
        self.handle(events.Woken())

    def arrive(self, data: bytes) -> None:
        """A frame came."""
        try:
            frame = _CODEC.decode_client(data)
        except Malformed as malformed:
            self.handle(events.Malformed(malformed.refusal))
        else:
            self.handle(events.Received(frame, self._node.world.wall_ms()))

    def gone(self) -> None:
        """The line is dead, or the client closed it."""
        if self._left or not self._node.alive:
            return
        self._left = True
        self.handle(events.Disconnected())
        self._node.live.leave(self)
        if self._listening:
            self._node.wakeups.forget(self.session.account, self)
        self._tell_queued(least=1)
        self._node.forget(self._line)
        if self.session.device:
            self._node.world.tell(Closed(**self._told(), code=self._code))

    def _told(self) -> _Told:
        """What every record of this session says."""
        return {
            "at": self._node.world.now(),
            "by": SERVER,
            "device": self.session.device,
            "session": self._number,
        }

    def signalled(self, signal: Signalled) -> None:
        """Pass a signal on, unless the line is busy."""
        if not self._line.waiting:
            self.handle(events.Signalled(signal))

    def crowded(self) -> bool:
        """As server/connection.py has it: it sends but does not read, or the disk is behind."""
        if self._line.waiting > SOCKET_BUFFER_BYTES_MAX:
            return True
        return self.session.unanswered > 0 and self._node.committer.crowded(self.session.account)

    def look_for_stall(self, now: float) -> None:
        """Notice a line that took no byte for too long."""
        waiting = self._line.waiting
        taken = self._written - waiting
        if waiting == 0 or taken > self._taken:
            self._taken, self._progress_at = taken, now
        elif now - self._progress_at >= WRITE_STALLED_TIMEOUT_S:
            self.handle(events.WriteStalled())
            self._line.abort()

    def abort(self) -> None:
        """Drop the line without a word."""
        self._line.abort()

    def died(self) -> None:
        """The process is dead."""
        if self._timer is not None:
            self._timer.cancel()
        self._line.died()

    # -------------------------------------------------------- what to do

    def _perform(self, command: commands.Command) -> None:
        node = self._node
        match command:
            case commands.Deliver(prev, page):
                self._write(_CODEC.batch(prev, page.to, page.entries, page.chain, page.head))
            case commands.Reply(frame):
                self._write(_CODEC.encode(frame))
            case commands.Read(request):
                node.reader.read(request, self._page_read)
            case commands.Append(submission):
                self._append(submission)
            case commands.SaveCursor(mark):
                node.world.tell(Ack(**self._told(), epoch=mark.epoch.hex(), seq=mark.seq))
                node.committer.save_cursor(mark)
            case commands.NoteVerdict(note):
                node.committer.note_verdict(note)
            case commands.Signal(frame):
                node.signal(frame, self.session.account, self.session.device)
            case commands.Authenticate(token):
                node.keep(self._authenticate(token))
            case commands.Open(request):
                self._listening = True
                node.wakeups.listen(request.account, self)
                node.committer.open(request, self._opened)
            case commands.Alarm(name, facts):
                said = ", ".join(f"{key} {value}" for key, value in facts.items())
                node.world.complain(f"alarm: {name}: {said}", judge="")
            case commands.Close(refusal, instance, retry_after_ms):
                self._say_goodbye(refusal, instance, retry_after_ms)

    def _append(self, submission: Submission) -> None:
        self._node.committer.append(self._lane, submission, self._committed)

    async def _authenticate(self, token: str) -> None:
        answer = await self._node.authenticate(token)
        if isinstance(answer, Refusal):
            self.handle(events.NotAdmitted(answer))
        else:
            self.handle(events.Admitted(answer.account, answer.device, answer.credential))

    def _opened(self, result: Opening | Refusal) -> None:
        if isinstance(result, Refusal):
            self.handle(events.NotOpened(result))
            return
        self._node.world.tell(Opened(**self._told(), generation=result.generation))
        self.handle(events.Opened(result))
        self._node.live.take_over(self, result.generation)

    def _page_read(self, page: Page | None) -> None:
        self.handle(events.ReadFailed() if page is None else events.PageRead(page))

    def _committed(self, result: tuple[Outcome, ...] | Superseded) -> None:
        if not isinstance(result, Superseded):
            self.handle(events.Committed(result))
        elif result.instance is None:
            self.handle(events.Ended(errors.DEVICE_REVOKED))
        else:
            self.handle(events.Superseded(result.instance))

    # -------------------------------------------------------- towards the line

    def _write(self, data: bytes) -> None:
        self._written += len(data)
        self._line.send_down(data)
        self._tell_queued(least=_QUEUED_STEP_BYTES)

    def _tell_queued(self, least: int) -> None:
        waiting = self._line.waiting
        if waiting >= self._most_queued + least and self.session.device:
            self._most_queued = waiting
            self._node.world.tell(Queued(**self._told(), bytes=waiting))

    def _say_goodbye(
        self, refusal: Refusal, instance: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        self._code = refusal.name
        goodbye = Goodbye(refusal.code, refusal.name, instance, retry_after_ms)
        self._write(_CODEC.encode(goodbye))
        self._line.close_down(refusal.code, refusal.name)

    # -------------------------------------------------------- the clock

    def _arm(self) -> None:
        """See to it that TimePassed comes in time; a timer that is early looks again."""
        due = self.session.deadline()
        if self._timer is not None:
            if due is None or self._timer.when() <= due:
                return
            self._timer.cancel()
        loop = self._node.world.loop
        self._timer = None if due is None else loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._node.awake(self._time_passed)

    def _time_passed(self) -> None:
        self.handle(events.TimePassed())
