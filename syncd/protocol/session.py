"""The server's side of one connection: events in, commands out, time as an argument.

What is done when stands in session_table.py; here, with its two halves delivery.py and sending.py,
stands what is done. Nothing waits, reads a clock or touches a socket.

A session handles one *frame* per event, never one message, and holds no queue: the log is the
queue, the window says what is on the wire, and storage says the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.model import (
    AccountId,
    CursorMark,
    CursorScope,
    DeviceId,
    Epoch,
    Opening,
    OpeningRequest,
    Position,
    Seq,
    VerdictNote,
)
from syncd.protocol import commands, events
from syncd.protocol.delivery import Delivery
from syncd.protocol.sending import Sending, answers
from syncd.protocol.session_table import TABLE, State
from syncd.protocol.signalling import Signalling
from syncd.protocol.verdict import Judgement, Reason, judge
from syncd.protocol.window import AckJudgement
from syncd.wire.frames import (
    Ack,
    Heartbeat,
    Hello,
    Reset,
    Send,
    Signal,
    Truncated,
    Verdict,
    Welcome,
)

Commands: TypeAlias = list[commands.Command]
Action: TypeAlias = Callable[[Any, float], Commands]
"""What is done about an event: the one place where an event's type follows from its row."""
Refusing: TypeAlias = events.Malformed | events.NotAdmitted | events.NotOpened | events.Ended


class Session:
    """One device's connection, from its first byte to its close.

    The caller owes: feed every event that happens, perform every command in order, call again with
    TimePassed when `deadline()` has come. After a Close command no event brings further commands.
    """

    __slots__ = (
        "_aliases",
        "_cursor_hello",
        "_deadline",
        "_delivery",
        "_position",
        "_recall_within_s",
        "_scope",
        "_sending",
        "_signalling",
        "_window_bytes",
        "account",
        "credential",
        "device",
        "generation",
        "instance",
        "state",
    )

    def __init__(self, scope: CursorScope, now: float, recall_within_s: int = 0) -> None:
        self.state: State = State.GREETING
        self.account = AccountId("")
        self.device = DeviceId("")
        self.credential: int | None = None
        self.generation = 0
        self.instance = ""
        self._scope: Final = scope
        self._recall_within_s: Final = recall_within_s
        self._aliases: tuple[AccountId, ...] = ()
        self._deadline: float | None = now + limits.HELLO_TIMEOUT_S
        self._position: Position | None = None
        self._cursor_hello = False
        self._window_bytes = limits.WINDOW_BYTES_MIN
        self._delivery: Delivery | None = None
        self._sending: Sending | None = None
        self._signalling = Signalling(now)

    def __repr__(self) -> str:
        place = ""
        if self._delivery is not None:
            window = self._delivery.window
            place = f" {window.acked}<={window.sent}<={self._delivery.head}"
        return f"<Session {self.state.value} {self.account}/{self.device}{place}>"

    @property
    def unanswered(self) -> int:
        """Messages of this session that wait for the disk."""
        return 0 if self._sending is None else self._sending.unanswered

    def deadline(self) -> float | None:
        """When to call again with TimePassed at the latest; None when time means nothing."""
        return None if self.state is State.CLOSED else self._deadline

    def handle(self, event: events.Event, now: float) -> Commands:
        """What to do about `event`, in order. `now` is monotonic, in seconds."""
        action: Action = getattr(self, TABLE[self.state, type(event)].action)
        return action(event, now)

    # -------------------------------------------------------- the hello

    def _greeted(self, event: events.Received, now: float) -> Commands:
        hello = event.frame
        if not isinstance(hello, Hello) or (hello.cursor and hello.position is not None):
            return self._close(errors.OUT_OF_TURN)
        self.instance = hello.instance
        self._position, self._cursor_hello = hello.position, hello.cursor
        self._window_bytes = hello.window
        self.state, self._deadline = State.ADMITTING, now + limits.ADMITTING_TIMEOUT_S
        return [commands.Authenticate(hello.token)]

    def _admitted(self, event: events.Admitted, now: float) -> Commands:
        self.account, self.device = event.account, event.device
        self.credential = event.credential
        self._delivery = Delivery(self._window_bytes)
        self.state, self._deadline = State.OPENING, None
        stated = None if self._position is None else self._position.seq
        return [
            commands.Open(
                OpeningRequest(event.account, event.device, event.credential, self.instance, stated)
            )
        ]

    def _opened(self, event: events.Opened, now: float) -> Commands:
        opening = event.opening
        judgement = judge(self._position, self._cursor_hello, opening, self._scope)
        self.generation, self._aliases = opening.generation, opening.aliases
        self._sending = Sending(self.account, self.device, opening.generation, opening.sent)
        self._sending.recall_within_s = self._recall_within_s
        self.state, self._deadline = State.LIVE, now + limits.HEARTBEAT_INTERVAL_S
        result = self._confirmed(judgement, opening)
        result += self._begin(judgement, opening.epoch, opening.floor, opening.head)
        return result + self._pump()

    def _confirmed(self, judgement: Judgement, opening: Opening) -> Commands:
        """What a stated position (or a cursor) tells us, beside the verdict."""
        position = self._position
        stated = opening.cursor if position is None else position.seq
        if judgement.reason in (Reason.AHEAD, Reason.FORKED):
            assert stated is not None
            return [self._alarm(judgement.reason, stated, opening.head)]
        if position is not None and judgement.reason is None and judgement.missing is None:
            # A valid stated position is also an acknowledgement.
            return [self._save(opening.epoch, position.seq)]
        return []

    def _begin(self, judgement: Judgement, epoch: Epoch, floor: Seq, head: Seq) -> Commands:
        """Take up the place that the verdict gives, and say so."""
        assert self._delivery is not None
        self._delivery.begin(judgement, epoch, floor, head)
        note = VerdictNote(self.device, self.generation, judgement.text())
        told = self._verdict(judgement, epoch, floor, head)
        return [commands.NoteVerdict(note), commands.Reply(told)]

    def _verdict(self, judgement: Judgement, epoch: Epoch, floor: Seq, head: Seq) -> Verdict:
        assert self._sending is not None
        start, sent, aliases = judgement.start, self._sending.sent, self._aliases
        fields = (self.account, self.device, epoch, floor, head, start, judgement.chain)
        if judgement.reason is not None:
            return Reset(*fields, head - start, sent, judgement.reason.value, aliases)
        if judgement.missing is not None:
            return Truncated(*fields, head - start, sent, judgement.missing, aliases)
        return Welcome(*fields, head - start, sent, aliases)

    # -------------------------------------------------------- towards the device

    def _woken(self, event: events.Woken, now: float) -> Commands:
        assert self._delivery is not None
        # While opening, the log may have grown since the snapshot: the first pump looks again.
        self._delivery.wake()
        return self._pump() if self.state is State.LIVE else []

    def _pump(self) -> Commands:
        assert self._delivery is not None
        request = self._delivery.next_read(self.account)
        return [] if request is None else [commands.Read(request)]

    def _page_read(self, event: events.PageRead, now: float) -> Commands:
        assert self._delivery is not None
        page, place = event.page, self._delivery.window.sent
        changed = self._delivery.changed(page)
        if changed is not None and changed.reason is Reason.AHEAD:
            # A loss within one epoch. An ack under way could be of either past, so none may be
            # believed on this socket: the next hello states its place and gets the verdict.
            alarm = self._alarm(Reason.AHEAD, place, page.head)
            return [alarm, *self._close(errors.STORAGE_UNAVAILABLE)]
        if changed is not None:
            assert self._sending is not None
            self._sending.restart()
            return self._begin(changed, page.epoch, page.floor, page.head) + self._pump()
        prev = self._delivery.take(page)
        return ([] if prev is None else [commands.Deliver(prev, page)]) + self._pump()

    def _signalled(self, event: events.Signalled, now: float) -> Commands:
        return [commands.Reply(event.frame)]

    def _heartbeat(self, event: events.TimePassed, now: float) -> Commands:
        assert self._delivery is not None
        if self._deadline is None or now < self._deadline:
            return []
        self._deadline = now + limits.HEARTBEAT_INTERVAL_S
        delivery = self._delivery
        to = delivery.window.sent
        return [commands.Reply(Heartbeat(delivery.epoch, delivery.head, to, delivery.floor))]

    # -------------------------------------------------------- from the device

    def _received(self, event: events.Received, now: float) -> Commands:
        match event.frame:
            case Ack():
                return self._ack(event.frame)
            case Send():
                return self._send(event.frame, event.wall_ms)
            case Signal():
                passes = self._signalling.passes(event.frame, now)
                return [commands.Signal(event.frame)] if passes else []
            case Hello():
                return self._close(errors.OUT_OF_TURN)

    def _ack(self, frame: Ack) -> Commands:
        assert self._delivery is not None
        match self._delivery.ack(frame.epoch, frame.seq):
            case AckJudgement.BACKWARDS:
                return self._close(errors.ACK_BACKWARDS)
            case AckJudgement.BEYOND_SENT:
                return self._close(errors.ACK_BEYOND_SENT)
            case AckJudgement.TAKEN:
                return [self._save(frame.epoch, frame.seq), *self._pump()]
            case None:
                return []

    def _send(self, frame: Send, wall_ms: int) -> Commands:
        assert self._sending is not None
        submission, refused = self._sending.take(frame, wall_ms)
        if self._sending.overrun():
            return self._close(errors.TOO_MANY_UNANSWERED)
        result: Commands = [commands.Reply(answers(refused))] if refused else []
        if submission is not None:
            result.append(commands.Append(submission))
        return result

    def _committed(self, event: events.Committed, now: float) -> Commands:
        assert self._sending is not None
        self._sending.committed(event.outcomes)
        return [commands.Reply(answers(event.outcomes))]

    # -------------------------------------------------------- the end

    def _close(
        self, refusal: Refusal, instance: str | None = None, retry_after_ms: int | None = None
    ) -> Commands:
        return [*self._leave(), commands.Close(refusal, instance, retry_after_ms)]

    def _leave(self) -> Commands:
        """Nothing more is heard or said here; elsewhere it is said that this device went."""
        self.state, self._deadline = State.CLOSED, None
        return [commands.Signal(each) for each in self._signalling.leave()]

    def _refused(self, event: Refusing, now: float) -> Commands:
        return self._close(event.refusal)

    def _out_of_turn(self, event: events.Received, now: float) -> Commands:
        return self._close(errors.OUT_OF_TURN)

    def _late(self, event: events.TimePassed, now: float) -> Commands:
        if self._deadline is None or now < self._deadline:
            return []
        return self._close(errors.HELLO_TIMEOUT)

    def _superseded(self, event: events.Superseded, now: float) -> Commands:
        return self._close(errors.FENCED, event.instance)

    def _read_failed(self, event: events.ReadFailed, now: float) -> Commands:
        return self._close(errors.STORAGE_UNAVAILABLE)

    def _drained(self, event: events.Draining, now: float) -> Commands:
        return self._close(errors.DRAINING)

    def _throttled(self, event: events.Throttled, now: float) -> Commands:
        return self._close(errors.SLOW_DOWN, retry_after_ms=event.retry_after_ms)

    def _stalled(self, event: events.WriteStalled, now: float) -> Commands:
        return self._close(errors.SLOW_READER)

    def _gone(self, event: events.Disconnected, now: float) -> Commands:
        return self._leave()

    def _deaf(self, event: events.Event, now: float) -> Commands:
        return []

    def _impossible(self, event: events.Event, now: float) -> Commands:
        raise AssertionError(f"{self!r} cannot meet {type(event).__name__}")

    # -------------------------------------------------------- small things

    def _save(self, epoch: Epoch, seq: Seq) -> commands.Command:
        mark = CursorMark(self.account, self.device, self.generation, epoch, seq)
        return commands.SaveCursor(mark)

    def _alarm(self, reason: Reason, stated: Seq, head: Seq) -> commands.Command:
        facts: dict[str, str | int] = {"account": self.account, "device": self.device}
        return commands.Alarm(reason.value, facts | {"stated": stated, "head": head})
