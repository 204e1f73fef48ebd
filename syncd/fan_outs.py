"""How many logs a message will probably go to: known for certain only inside the transaction.

What the last message of a group took is what the next one is taken for. A wrong guess costs some
latency and nothing else, so that a change of the group needs no word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncd.limits import FAN_OUTS_REMEMBERED_MAX, MEMBERS_MAX
from syncd.model import ConversationId, Intent, Kind, is_direct

_OWN_LOG = frozenset({Kind.DELETE, Kind.READ})
_DIRECT = 2


class FanOuts:
    """What is known of groups; the oldest knowledge is given up first."""

    def __init__(self, remembered_max: int = FAN_OUTS_REMEMBERED_MAX) -> None:
        self._known: dict[ConversationId, int] = {}
        self._remembered_max = remembered_max

    def of(self, intent: Intent) -> int:
        """Entries that a message is taken to write; an unknown group is taken for a largest one."""
        if intent.kind in _OWN_LOG:
            return 1
        if is_direct(intent.conversation):
            return _DIRECT
        return self._known.get(intent.conversation, MEMBERS_MAX)

    def learn(
        self, accepted: Iterable[ConversationId], fan_outs: Mapping[ConversationId, int]
    ) -> None:
        """Groups that took messages, and to how many logs the newest went, as Done tells it."""
        for conversation in accepted:
            self._known.pop(conversation, None)
            self._known[conversation] = fan_outs.get(conversation, _DIRECT)
        while len(self._known) > self._remembered_max:
            del self._known[next(iter(self._known))]
