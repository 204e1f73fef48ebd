"""Own messages that wait: for their turn, for an answer, for their echo. In number order, always.

The rule that the server's memory rests on: nothing is sent whose number is 1,024 or more above the
oldest one whose answer this device has not durably stored. A span, not a count: the server
forgets by number, however few of the numbers in between still wait. Over several sessions the rule
holds by itself, because what was sent is always a prefix of what waits, and a verdict starts again
at that prefix's beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from syncd.limits import CLIENT_FRAME_BYTES_MAX, MESSAGES_PER_FRAME_MAX, UNANSWERED_MESSAGES_MAX
from syncd.model import DeviceId, Seq
from syncd.protocol.client_events import Echo
from syncd.wire.frames import Entry, Message, Send

_FRAME_BYTES = CLIENT_FRAME_BYTES_MAX - 64
"""What messages may fill of a frame: its own few bytes are paid for generously."""


def size_in_frame(message: Message) -> int:
    """No encoding of the message is larger: base64 for the body, escapes for the conversation."""
    return (len(message.body) + 2) // 3 * 4 + 6 * len(message.conversation) + 192


def message_of(entry: Entry) -> Message | None:
    """The message that became this entry, as it must be sent again; None when it was erased."""
    if entry.body is None:
        return None
    return Message(entry.number, entry.kind, entry.conversation, entry.target, entry.body)


class Outbox:
    """One device's own messages between "queued" and "seen in the log"."""

    __slots__ = ("_order", "_sent", "_unechoed", "_unsent")

    def __init__(self) -> None:
        self._unsent: deque[Message] = deque()
        self._sent: set[int] = set()  # on this socket, and not answered
        self._order: deque[int] = deque()  # what was sent on this socket; its front is cleared late
        self._unechoed: dict[int, Message | None] = {}  # None where it was answered

    def replace(self, waiting: Iterable[Message], accepted: Iterable[int]) -> None:
        """A verdict was taken: `waiting` are all messages without an answer, in number order;
        `accepted` are numbers whose echo alone is still to come.

        What was sent on this socket already is not sent twice: its answer is still owed.
        """
        everything = tuple(waiting)
        self._unsent = deque(each for each in everything if each.number not in self._sent)
        self._unechoed = {message.number: message for message in everything}
        self._unechoed.update(dict.fromkeys(accepted, None))

    def in_order(self) -> bool:
        """Whether what is to be sent comes after what was sent on this socket. A verdict during a
        session may put an earlier message back: then only a new socket keeps the order."""
        if not self._sent or not self._unsent:
            return True
        return self._unsent[0].number > max(self._sent)

    def end_session(self) -> None:
        """The socket is gone: no answer is owed any more."""
        self._sent.clear()
        self._order.clear()

    def add(self, messages: Iterable[Message]) -> None:
        """Newly queued messages; their numbers are above all earlier ones."""
        for message in messages:
            self._unsent.append(message)
            self._unechoed[message.number] = message

    def take_frames(self) -> list[Send]:
        """What may be sent now: its messages count as sent from here on."""
        frames: list[Send] = []
        while frame := self._next_messages():
            frames.append(Send(tuple(frame)))
        return frames

    def _next_messages(self) -> list[Message]:
        room = _FRAME_BYTES
        messages: list[Message] = []
        oldest = self._oldest_sent()
        while self._unsent and len(messages) < MESSAGES_PER_FRAME_MAX:
            message = self._unsent[0]
            if message.number not in self._unechoed:  # its echo came before it was sent again
                self._unsent.popleft()
                continue
            oldest = oldest or message.number
            if message.number >= oldest + UNANSWERED_MESSAGES_MAX:
                break
            room -= size_in_frame(message)
            if room < 0 and messages:
                break
            messages.append(self._unsent.popleft())
            self._sent.add(message.number)
            self._order.append(message.number)
        return messages

    def _oldest_sent(self) -> int | None:
        while self._order and self._order[0] not in self._sent:
            self._order.popleft()
        return self._order[0] if self._order else None

    def answer(self, number: int, awaits_echo: bool) -> bool:
        """The answer of a message is durable: its place among the 1,024 is free.

        False when that is no news: its echo had come before.
        """
        self._sent.discard(number)
        if number not in self._unechoed:
            return False
        is_news = self._unechoed[number] is not None
        if awaits_echo:
            self._unechoed[number] = None
        else:
            del self._unechoed[number]
        return is_news

    def find_echoes(
        self, entries: tuple[Entry, ...], prev: Seq, device: DeviceId
    ) -> tuple[Echo, ...]:
        """Which of the entries prev+1 .. are messages that wait for their echo.

        While a message is unanswered, its content must be the same: a store that was restored may
        have given its number a second time, and then the entry is another message, and ours still
        needs its answer.
        """
        waiting = self._unechoed
        if not waiting:  # nearly always: then a batch costs nothing per entry
            return ()
        return tuple(
            Echo(entry.number, seq)
            for seq, entry in enumerate(entries, prev + 1)
            if entry.device == device
            and entry.number in waiting
            and _is_echo(entry, waiting[entry.number])
        )

    def echo(self, number: int) -> bool:
        """The echo is durable. True when it is the first answer that this message got.

        A message that was sent in this session still occupies its place among the 1,024 until its
        answer comes: the server counts it, too.
        """
        return self._unechoed.pop(number, None) is not None


def _is_echo(entry: Entry, waiting: Message | None) -> bool:
    # Without a message it was accepted; without a body nobody can tell any more what it was.
    return waiting is None or entry.body is None or waiting == message_of(entry)
