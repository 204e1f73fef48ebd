"""How many messages of others an account has not read, per conversation: a fold over its log.

A count is a function of the entries that the log still holds, so whoever folds them gets the same:
the server, a device that heard everything, and one that is new and begins at the floor.

The entries of a guest that was merged into the account follow the notice of it in one piece, a
*segment*, though they were made before. So within it the log is in two parts, and a read mark
speaks of the part that its target lies in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import takewhile

from syncd.model import AccountId, ConversationId, Identity, Kind, Seq
from syncd.notices import Merge
from syncd.protocol.aliases import Aliases, merge_of
from syncd.wire.frames import Entry

_Held = tuple[Seq, AccountId | None]
"""The place of an entry, and its author where it counts as unread."""


class _Conversation:
    """The entries of one conversation above the floor and above the read mark, in log order.

    The mark itself needs no place here: what is not above it is not held, and an entry that is not
    held can neither be read again nor make any difference when it is recalled.

    settled: the authors of what does not count only because a notice of a merge says so.
    """

    __slots__ = ("held", "settled", "unread")

    def __init__(self) -> None:
        self.held: dict[Identity, _Held] = {}
        self.settled: dict[Identity, AccountId] = {}
        self.unread = 0

    def take(self, identity: Identity, held: _Held) -> None:
        self.held[identity] = held
        self.unread += held[1] is not None

    def settle(self, identity: Identity) -> AccountId | None:
        """It counts no more, but a read mark may still name it. Its author, if it counted."""
        seq, author = self.held[identity]
        self.settled.pop(identity, None)
        if author is not None:
            self.held[identity] = (seq, None)
            self.unread -= 1
        return author

    def settle_by_notice(self, identity: Identity) -> None:
        """It counts no more, as long as the notice is there that says so."""
        author = self.settle(identity)
        if author is not None:
            self.settled[identity] = author

    def count_again(self, is_settled: Callable[[Seq], bool]) -> None:
        """A notice is gone; `is_settled` tells what another one still speaks of."""
        for identity, author in list(self.settled.items()):
            seq, _ = self.held[identity]
            if not is_settled(seq):
                del self.settled[identity]
                self.take(identity, (seq, author))

    def disown(self, account: AccountId) -> None:
        """What that account sent is the own account's."""
        authors = {identity: author for identity, (_, author) in self.held.items()} | self.settled
        for identity, author in authors.items():
            if author == account:
                self.settle(identity)

    def drop(self, identity: Identity) -> Seq:
        """Let go of it; where it was."""
        seq, author = self.held.pop(identity)
        self.settled.pop(identity, None)
        self.unread -= author is not None
        return seq

    def drop_through(self, seq: Seq) -> dict[Identity, Seq]:
        """Let go of everything up to `seq`; what that was, and where."""
        gone = list(takewhile(lambda identity: self.held[identity][0] <= seq, self.held))
        return {identity: self.drop(identity) for identity in gone}


class _Part:
    """A piece of the log: all of it, or the segment of a guest while it comes in.

    notice, until: where its notice and its last entry stand.
    read: of a segment, what is not above its marks; a mark after the segment may still name it.
    """

    __slots__ = ("conversations", "notice", "read", "until")

    def __init__(self, notice: Seq = 0, until: Seq = 0) -> None:
        self.notice, self.until = notice, until
        self.conversations: dict[ConversationId, _Conversation] = {}
        self.read: dict[ConversationId, dict[Identity, Seq]] = {}

    def of(self, name: ConversationId) -> _Conversation:
        known = self.conversations.get(name)
        if known is None:
            known = self.conversations[name] = _Conversation()
        return known

    def mark(self, name: ConversationId, seq: Seq) -> int:
        """A conversation was read up to there; how many entries need not be held any more."""
        gone = self.conversations[name].drop_through(seq)
        if not self.notice:
            return len(gone)
        self.read.setdefault(name, {}).update(gone)
        return 0

    def trim(self, floor: Seq) -> int:
        """Let go of everything up to `floor`; how much that was."""
        count = 0
        for name, conversation in list(self.conversations.items()):
            count += len(conversation.drop_through(floor))
            if not conversation.held:
                del self.conversations[name]
        for read in self.read.values():
            gone = [identity for identity, seq in read.items() if seq <= floor]
            count += len(gone)
            for identity in gone:
                del read[identity]
        return count

    def join(self, segment: _Part) -> int:
        """Take in a segment, whose entries all lie above. How many of them came again, because
        retention had dropped the first ones."""
        count = 0
        for name in segment.read.keys() | segment.conversations.keys():
            before, later = self.of(name), segment.of(name)
            read: dict[Identity, _Held] = {
                identity: (seq, None) for identity, seq in segment.read.get(name, {}).items()
            }
            again = before.held.keys() & (read.keys() | later.held.keys())
            for identity in again:
                before.drop(identity)
            before.held |= read | later.held
            before.settled |= later.settled
            before.unread += later.unread
            count += len(again)
        return count


class Unread:
    """What `account` has not read. Feed it the log's entries in order.

    An entry counts when it is a message of another account, above the floor and above the read mark
    of its conversation, and neither recalled nor deleted on an own device. The system account
    counts as another; an erased body changes nothing.

    aliases: the accounts that were merged into it, as a verdict names them; what is merged later is
        told by the log. What they sent is the account's own, before the merge and after it.

    It holds the identities of the entries above the floor and the marks, and nothing else.
    """

    __slots__ = ("_notices", "_own", "_parts", "aliases", "floor", "held", "seq")

    def __init__(self, account: AccountId, aliases: Iterable[AccountId] = ()) -> None:
        self.aliases = Aliases(account, aliases)
        """Which accounts are the own one, as far as it was told."""
        self._own = self.aliases.accounts
        self.seq: Seq = 0
        """Up to where the log was taken in."""
        self.held = 0
        """How many entries are remembered: what bounds the memory of many folds."""
        self.floor: Seq = 0
        """Up to where retention dropped the log, as far as it was told."""
        self._parts = [_Part()]  # in log order; all but the first are segments that come in
        self._notices: list[tuple[Seq, Seq, Merge]] = []  # with their places and last entries

    def apply(self, seq: Seq, entry: Entry) -> None:
        """Take in the entry at `seq`. One that was taken in before changes nothing, and what lies
        between the last one and this one counts as dropped by retention."""
        if seq <= self.seq:
            return
        if seq > self.seq + 1:
            self.trim(seq - 1)
        self.seq = seq
        if entry.target is not None:
            self._judge(entry, entry.target)
        others = entry.kind == Kind.MESSAGE and entry.account not in self._own
        conversation = self._parts[-1].of(entry.conversation)
        conversation.take(entry.identity, (seq, entry.account if others else None))
        self.held += 1
        if self._notices and self._is_settled(entry.conversation, seq):
            conversation.settle_by_notice(entry.identity)
        if entry.kind == Kind.SYSTEM and (merge := merge_of(entry)) is not None:
            self._merge(seq, merge)
        if len(self._parts) > 1:
            self._join()

    def _judge(self, entry: Entry, target: Identity) -> None:
        """A target that this log does not hold, or not in this conversation, means nothing. That a
        recall is its author's was seen to by the server, and only there: the author may be known
        by another name since, after a merge."""
        for part in reversed(self._parts):
            conversation = part.conversations.get(entry.conversation)
            if conversation is None or (held := conversation.held.get(target)) is None:
                continue
            if entry.kind == Kind.READ:
                self.held -= part.mark(entry.conversation, held[0])
            elif entry.kind in (Kind.DELETE, Kind.RECALL):
                conversation.settle(target)
            return

    # -------------------------------------------------------- merges

    def _merge(self, seq: Seq, merge: Merge) -> None:
        until = seq + merge.entries
        self.aliases.learn(merge.guest, seq, until)
        for _, conversation in self._all():
            conversation.disown(merge.guest)
        self._parts.append(_Part(seq, until))
        if merge.read:
            self._notices.append((seq, until, merge))

    def _is_settled(self, name: ConversationId, seq: Seq) -> bool:
        """Whether a notice says that what stands there was read."""
        return any(
            notice < seq <= min(until, notice + merge.read.get(name, 0))
            for notice, until, merge in self._notices
        )

    def _join(self) -> None:
        """Of a segment that is complete the marks speak as of all that lies before."""
        for place in range(len(self._parts) - 1, 0, -1):
            if self._parts[place].until <= self.seq:
                segment = self._parts.pop(place)
                self.held -= self._parts[place - 1].join(segment)

    def _forget_notices(self) -> None:
        """A new device does not know what the notices below the floor said."""
        known = len(self._notices)
        self._notices = [each for each in self._notices if each[0] > self.floor]
        if len(self._notices) < known:
            for name, conversation in self._all():
                conversation.count_again(partial(self._is_settled, name))

    # -------------------------------------------------------- retention

    def trim(self, floor: Seq) -> None:
        """Retention dropped everything up to `floor`. A floor that is known already, or lower,
        changes nothing."""
        if floor <= self.floor:
            return
        self.floor = floor
        # What is below the floor does not come any more, wherever this fold stands.
        self.seq = max(self.seq, floor)
        self.held -= sum(part.trim(floor) for part in self._parts)
        self.aliases.trim(floor)
        self._forget_notices()
        self._join()

    # -------------------------------------------------------- the counts

    def _all(self) -> Iterator[tuple[ConversationId, _Conversation]]:
        for part in self._parts:
            yield from part.conversations.items()

    def count(self, conversation: ConversationId) -> int:
        """Unread messages of one conversation; 0 for one that this log does not know."""
        known = (part.conversations.get(conversation) for part in self._parts)
        return sum(each.unread for each in known if each is not None)

    def counts(self) -> dict[ConversationId, int]:
        """Unread messages of every conversation that has any."""
        counts: dict[ConversationId, int] = {}
        for name, conversation in self._all():
            if conversation.unread:
                counts[name] = counts.get(name, 0) + conversation.unread
        return counts
