"""Which signals of a session are passed on, and what it leaves behind: presence that must end.

Signals are never answered, so what may not pass is dropped without a word.
"""

from __future__ import annotations

from enum import IntEnum

from syncd import limits
from syncd.model import ConversationId, is_group, members_of_direct
from syncd.wire.frames import Signal


class SignalKind(IntEnum):
    """What a signal says. The number is its name on the wire and never changes its meaning."""

    TYPING = 1
    HERE = 2
    AWAY = 3


_KNOWN = frozenset(SignalKind)


class Signalling:
    """The signals of one session: a bucket of tokens, and the conversations where it is here."""

    __slots__ = ("_filled_at", "_here", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = float(limits.SIGNALS_BURST)
        self._filled_at = now
        self._here: dict[ConversationId, None] = {}

    def passes(self, signal: Signal, now: float) -> bool:
        """Whether to pass the signal on. `now` is monotonic, in seconds."""
        conversation = signal.conversation
        if members_of_direct(conversation) is None and not is_group(conversation):
            return False
        if signal.kind not in _KNOWN or not self._takes_token(now):
            return False
        if signal.kind == SignalKind.AWAY:
            self._here.pop(conversation, None)
        elif signal.kind == SignalKind.HERE:
            return self._remember(conversation)
        return True

    def leave(self) -> tuple[Signal, ...]:
        """What must be said when the session ends: away, wherever it said here. Once."""
        leaving = tuple(Signal(each, SignalKind.AWAY, b"") for each in self._here)
        self._here.clear()
        return leaving

    def _remember(self, conversation: ConversationId) -> bool:
        # One more would be here for ever, as nobody would say that it went.
        if conversation not in self._here and len(self._here) >= limits.PRESENCES_MAX:
            return False
        self._here[conversation] = None
        return True

    def _takes_token(self, now: float) -> bool:
        refill = (now - self._filled_at) * limits.SIGNALS_PER_SECOND
        self._tokens = min(self._tokens + refill, float(limits.SIGNALS_BURST))
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
