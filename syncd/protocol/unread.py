"""How many messages of others an account has not read, per conversation: a fold over its log.

A count is a function of the entries that the log still holds, so whoever folds them gets the same:
the server, a device that heard everything, and one that is new and begins at the floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from syncd.model import AccountId, ConversationId, Identity, Kind, Seq
from syncd.wire.frames import Entry

_Held = tuple[Seq, AccountId | None]
"""The place of an entry, and its author where it counts as unread."""


class _Conversation:
    """The entries of one conversation above the floor and above the read mark, in log order.

    The mark itself needs no place here: what is not above it is not held, and an entry that is not
    held can neither be read again nor make any difference when it is recalled.
    """

    __slots__ = ("held", "unread")

    def __init__(self) -> None:
        self.held: dict[Identity, _Held] = {}
        self.unread = 0

    def take(self, identity: Identity, held: _Held) -> None:
        self.held[identity] = held
        self.unread += held[1] is not None

    def settle(self, identity: Identity) -> None:
        """It counts no more, but a read mark may still name it."""
        seq, author = self.held[identity]
        if author is not None:
            self.held[identity] = (seq, None)
            self.unread -= 1

    def drop_through(self, seq: Seq) -> int:
        """Let go of everything up to `seq`; how many that were."""
        gone = list(takewhile(lambda identity: self.held[identity][0] <= seq, self.held))
        for identity in gone:
            _, author = self.held.pop(identity)
            self.unread -= author is not None
        return len(gone)


class Unread:
    """What `account` has not read. Feed it the log's entries in order.

    An entry counts when it is a message of another account, above the floor and above the read mark
    of its conversation, and neither recalled by its author nor deleted on an own device. The system
    account counts as another; an erased body changes nothing.

    It holds the identities of the entries above the floor and the marks, and nothing else.
    """

    __slots__ = ("_account", "_conversations", "floor", "held", "seq")

    def __init__(self, account: AccountId) -> None:
        self.seq: Seq = 0
        """Up to where the log was taken in."""
        self.held = 0
        """How many entries are remembered: what bounds the memory of many folds."""
        self._account = account
        self.floor: Seq = 0
        """Up to where retention dropped the log, as far as it was told."""
        self._conversations: dict[ConversationId, _Conversation] = {}

    def apply(self, seq: Seq, entry: Entry) -> None:
        """Take in the entry at `seq`. One that was taken in before changes nothing, and what lies
        between the last one and this one counts as dropped by retention."""
        if seq <= self.seq:
            return
        if seq > self.seq + 1:
            self.trim(seq - 1)
        self.seq = seq
        conversation = self._conversations.get(entry.conversation)
        if conversation is None:
            conversation = self._conversations[entry.conversation] = _Conversation()
        if entry.target is not None:
            self._judge(conversation, entry, entry.target)
        others = entry.kind == Kind.MESSAGE and entry.account != self._account
        conversation.take(entry.identity, (seq, entry.account if others else None))
        self.held += 1

    def _judge(self, conversation: _Conversation, entry: Entry, target: Identity) -> None:
        """A target that this log does not hold, or not in this conversation, means nothing."""
        held = conversation.held.get(target)
        if held is None:
            return
        if entry.kind == Kind.READ:
            self.held -= conversation.drop_through(held[0])
        elif entry.kind == Kind.DELETE or (
            # The server accepts a recall from the author alone; whoever counts need not trust it.
            entry.kind == Kind.RECALL and entry.account == held[1]
        ):
            conversation.settle(target)

    def trim(self, floor: Seq) -> None:
        """Retention dropped everything up to `floor`. A floor that is known already, or lower,
        changes nothing."""
        if floor <= self.floor:
            return
        self.floor = floor
        # What is below the floor does not come any more, wherever this fold stands.
        self.seq = max(self.seq, floor)
        for name, conversation in list(self._conversations.items()):
            self.held -= conversation.drop_through(floor)
            if not conversation.held:
                del self._conversations[name]

    def count(self, conversation: ConversationId) -> int:
        """Unread messages of one conversation; 0 for one that this log does not know."""
        known = self._conversations.get(conversation)
        return 0 if known is None else known.unread

    def counts(self) -> dict[ConversationId, int]:
        """Unread messages of every conversation that has any."""
        return dict(self._unread())

    def _unread(self) -> Iterator[tuple[ConversationId, int]]:
        for name, conversation in self._conversations.items():
            if conversation.unread:
                yield name, conversation.unread
