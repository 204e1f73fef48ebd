"""What a code of the server means to a client, also one that only a newer server knows.

Old clients meet new servers, so each range of codes has a meaning of its own: see errors.py.
"""

from __future__ import annotations

from syncd import errors
from syncd.errors import Refusal, Scope
from syncd.protocol.client_commands import Ended

_STAY_AWAY_CODES = range(4500, 5000)
_RETRYABLE_CODES_FROM = 100


def end_of(code: int | None, instance: str | None, own: frozenset[str]) -> Ended | None:
    """What a close code ends: a reason to stop, or None for "come back".

    instance: who took over, where the server said so; `own`: who that may be. An abandoned socket
    of our own (of this run or of one that crashed) whose hello came late is no reason to give up;
    when nobody says whose it was, giving up is the safe side, because two clones that come back
    fence each other for ever.
    """
    if code is None:
        return None
    if code == errors.FENCED.code:
        return None if instance in own else Ended(errors.FENCED, instance)
    refusal = errors.BY_CLOSE_CODE.get(code)
    if refusal is None and code in _STAY_AWAY_CODES:
        text = "A code of a newer server; its range says: not by yourself."
        refusal = Refusal(Scope.SOCKET, code, f"code_{code}", False, False, text)
    return None if refusal is None or refusal.reconnect else Ended(refusal)


def message_refusal(code: int) -> Refusal:
    """The row of a message's refusal: below 100 definite, from 100 on retryable."""
    known = errors.BY_MESSAGE_CODE.get(code)
    if known is not None:
        return known
    text = "A code of a newer server; its range says what to do."
    retryable = code >= _RETRYABLE_CODES_FROM
    return Refusal(Scope.MESSAGE, code, f"code_{code}", True, retryable, text)
