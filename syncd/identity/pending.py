"""Notices when many logins of one app bring a union that contradicts the linked one.

One such login is a person's affair; many mean that the app was bound to another Open Platform
account, where everybody has another unionid, and the operator has to say which is which (remap).
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque

from syncd.limits import PENDING_PERCENT_MAX, PENDING_WINDOW_LOGINS, PENDING_WINDOW_LOGINS_MIN

log = logging.getLogger(__name__)


class PendingShares:
    """Of the newest logins of each issuer: how many were pending."""

    def __init__(self) -> None:
        self._newest: defaultdict[str, deque[bool]] = defaultdict(
            lambda: deque(maxlen=PENDING_WINDOW_LOGINS)
        )
        self._alarming: set[str] = set()

    def saw(self, issuer: str, pending: bool) -> None:
        """A login; the alarm is a line at error level, once until the share has fallen again."""
        newest = self._newest[issuer]
        newest.append(pending)
        many = sum(newest) * 100 > len(newest) * PENDING_PERCENT_MAX
        if not many:
            self._alarming.discard(issuer)
        elif issuer not in self._alarming and len(newest) >= PENDING_WINDOW_LOGINS_MIN:
            self._alarming.add(issuer)
            log.error(
                "! %d of the last %d logins by %s bring another union than the linked one: was the"
                " app bound to another platform account? see syncd pending",
                sum(newest),
                len(newest),
                issuer,
            )
