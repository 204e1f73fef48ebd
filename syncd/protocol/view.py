"""The conversations of an account as an application shows them: a fold over its log.

Like the unread counts it is a function of the entries that the log still holds. So all devices of a
person show the same, whatever they heard live and whatever they fetched later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from syncd.membership import Action, Change, Role, read_change
from syncd.model import AccountId, ConversationId, Epoch, Identity, Kind, Seq
from syncd.protocol.unread import Unread
from syncd.wire.frames import Entry


class Shown(msgspec.Struct, frozen=True, gc=False):
    """A message as it stands now.

    seq: its place in the log.
    account: its sender; the own account for all that its aliases sent; empty for the system.
    body: after its edits; None where it was recalled or erased.
    """

    seq: Seq
    identity: Identity
    account: AccountId
    body: bytes | None
    edited: bool = False
    recalled: bool = False


@dataclass(slots=True)
class _Conversation:
    """What the log still holds of one conversation, in log order."""

    messages: dict[Identity, Shown] = field(default_factory=dict)
    changes: list[tuple[Seq, AccountId, Change]] = field(default_factory=list)

    def newest(self) -> Seq:
        message = next(reversed(self.messages.values()), None)
        changed = self.changes[-1][0] if self.changes else 0
        return max(message.seq if message else 0, changed)

    def drop_through(self, floor: Seq) -> None:
        gone = takewhile(lambda shown: shown.seq <= floor, self.messages.values())
        for shown in list(gone):
            del self.messages[shown.identity]
        self.changes = [change for change in self.changes if change[0] > floor]


class View:
    """What `account` sees. Feed it every item of a device, in order: `view.apply(*item)`.

    aliases: the accounts that were merged into it, as `Device.aliases` names them; what is merged
        later is told by the log. Their messages and memberships are the account's own.

    Two views are equal when they show the same: conversations, members, messages, unread counts.
    """

    def __init__(self, account: AccountId, aliases: Iterable[AccountId] = ()) -> None:
        self.account = account
        self._told_aliases = tuple(aliases)
        self._past: tuple[Epoch, int] | None = None
        self._begin()

    def _begin(self) -> None:
        self._unread = Unread(self.account, self._told_aliases)
        self._conversations: dict[ConversationId, _Conversation] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self._told() == other._told()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<View of {self.account} at {self._unread.seq}>"

    # -------------------------------------------------------- what happens

    def apply(self, seq: Seq, epoch: Epoch, entry: Entry, era: int = 0) -> None:
        """Take in the entry at `seq`. One that was taken in before changes nothing.

        With another epoch, or another era of the device's store, the view begins anew: after both
        the log is told again from its floor on.
        """
        if (epoch, era) != self._past:
            self._past = (epoch, era)
            self._begin()
        if seq <= self._unread.seq:
            return
        if seq > self._unread.seq + 1:
            self.trim(seq - 1)
        self._unread.apply(seq, entry)
        take = _TAKEN.get(entry.kind)
        if take is not None:
            take(self, seq, entry)

    def trim(self, floor: Seq) -> None:
        """Retention dropped everything up to `floor`: a device's property tells it."""
        if floor <= self._unread.floor:
            return
        self._unread.trim(floor)
        for name, conversation in list(self._conversations.items()):
            conversation.drop_through(floor)
            if not (conversation.messages or conversation.changes):
                del self._conversations[name]

    def _of(self, entry: Entry) -> _Conversation:
        known = self._conversations.get(entry.conversation)
        if known is None:
            known = self._conversations[entry.conversation] = _Conversation()
        return known

    def _message(self, seq: Seq, entry: Entry) -> None:
        identity = entry.identity
        shown = Shown(seq, identity, entry.account, entry.body)
        self._of(entry).messages[identity] = shown

    def _edit(self, seq: Seq, entry: Entry) -> None:
        self._alter(entry, lambda shown: replace(shown, body=entry.body, edited=True))

    def _recall(self, seq: Seq, entry: Entry) -> None:
        self._alter(entry, lambda shown: replace(shown, body=None, edited=False, recalled=True))

    def _alter(self, entry: Entry, altered: Callable[[Shown], Shown]) -> None:
        """Until it was recalled. That it is by the author is seen to by the server, and only there:
        the author may be known by another name since, after a merge."""
        if entry.target is None:
            return
        messages = self._of(entry).messages
        shown = messages.get(entry.target)
        if shown is not None and not shown.recalled:
            messages[entry.target] = altered(shown)

    def _delete(self, seq: Seq, entry: Entry) -> None:
        if entry.target is not None:
            self._of(entry).messages.pop(entry.target, None)

    def _change(self, seq: Seq, entry: Entry) -> None:
        try:
            change = read_change(entry.body or b"")
        except ValueError:
            return  # erased since, or of a later server: it tells nothing that could be shown
        self._of(entry).changes.append((seq, entry.account, change))

    # -------------------------------------------------------- what is shown

    def conversations(self) -> list[ConversationId]:
        """All that have something to show, the one with the newest message or change first."""
        known = self._conversations
        shown = [name for name in known if known[name].newest()]
        return sorted(shown, key=lambda name: known[name].newest(), reverse=True)

    def messages(self, conversation: str) -> list[Shown]:
        """The messages of a conversation, in order."""
        known = self._conversations.get(ConversationId(conversation), _Conversation())
        return [self._as_own(shown) for shown in known.messages.values()]

    def _as_own(self, shown: Shown) -> Shown:
        own = shown.account != self.account and shown.account in self._unread.aliases.accounts
        return replace(shown, account=self.account) if own else shown

    def members(self, conversation: str) -> Mapping[AccountId, Role]:
        """Who is in a group, as far as this log tells: it begins where the account came in, and
        retention shortens it. Empty for a direct conversation, whose id names both."""
        known = self._conversations.get(ConversationId(conversation), _Conversation())
        members: dict[AccountId, Role] = {}
        for seq, actor, change in known.changes:
            self._unite(members, seq)
            as_then = partial(self._unread.aliases.at, seq=seq)
            _tell(members, as_then(actor), change, as_then)
        self._unite(members, self._unread.seq + 1)
        return members

    def _unite(self, members: dict[AccountId, Role], seq: Seq) -> None:
        """Who was in under several names is in once, and an owner if any of them was."""
        aliases = self._unread.aliases
        for name in members.keys() & aliases.accounts - {self.account}:
            if aliases.at(name, seq) == self.account:
                roles = members.pop(name), members.get(self.account)
                members[self.account] = Role.OWNER if Role.OWNER in roles else Role.MEMBER

    def unread(self, conversation: str) -> int:
        """Messages of others that were not read."""
        return self._unread.count(ConversationId(conversation))

    def unread_counts(self) -> dict[ConversationId, int]:
        """The same for every conversation that has any."""
        return self._unread.counts()

    def show(self) -> str:
        """All of it, for people to read and to compare."""
        return "\n".join(line for name in self.conversations() for line in self._lines(name))

    def _lines(self, name: ConversationId) -> list[str]:
        members = self.members(name)
        inside = f" ({', '.join(sorted(members))})" if members else ""
        lines = [f"{name}{inside}: {self.unread(name)} unread"]
        for shown in self.messages(name):
            lines.append(f"  {shown.account or '[system]'}: {_text(shown)}")
        return lines

    def _told(self) -> list[object]:
        names = self.conversations()
        told: list[object] = [(name, self.members(name), self.messages(name)) for name in names]
        return [self.account, self.unread_counts(), *told]


_TAKEN: dict[int, Callable[[View, Seq, Entry], None]] = {
    Kind.MESSAGE: View._message,
    Kind.EDIT: View._edit,
    Kind.RECALL: View._recall,
    Kind.DELETE: View._delete,
    Kind.SYSTEM: View._change,
}


def _text(shown: Shown) -> str:
    if shown.body is None:
        return "[recalled]" if shown.recalled else "[erased]"
    text = shown.body.decode(errors="replace")
    # What a stranger wrote may be more than text to a terminal.
    return (text if text.isprintable() else ascii(text)) + " (edited)" * shown.edited


def _tell(
    members: dict[AccountId, Role],
    actor: AccountId,
    change: Change,
    named: Callable[[AccountId], AccountId],
) -> None:
    """What a change says of who is in. It was judged by the server, who knows more than this log
    may: that somebody changed a group says that they were an owner of it."""
    if change.action is Action.LEAVE:
        members.pop(actor, None)
        return
    if actor:
        members[actor] = Role.OWNER
    if change.action is Action.REMOVE:
        for account in map(named, change.members):
            members.pop(account, None)
        return
    members.update(dict.fromkeys(map(named, change.members), Role.MEMBER))
    members.update(dict.fromkeys(map(named, change.owners), Role.OWNER))
    if change.action is Action.CREATE and actor:
        members[actor] = Role.OWNER
