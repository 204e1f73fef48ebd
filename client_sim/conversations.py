"""What a simulated PC knows of its conversations: every entry by its seq, and the view of them."""

from __future__ import annotations

from typing import NamedTuple

from client_sim.phrases import OPERATOR, OWNER, entry_in_words, name_of, text_of
from syncd.client import Identity, Item, Role, Shown, View
from syncd.model import AccountId, ConversationId, Epoch, Seq

NOT_HERE = "an entry that is not here"


class Target(NamedTuple):
    """What an edit, recall, delete or read names: an entry and where it belongs."""

    conversation: ConversationId
    identity: Identity


class Conversations:
    """All that the log of `account` told. Feed it every item of the device, in order; one that was
    taken before changes nothing."""

    def __init__(self, account: AccountId) -> None:
        self._account = account
        self._view = View(account)
        self._past: tuple[Epoch, int] | None = None
        self._targets: dict[Seq, Target] = {}
        self._seqs: dict[Identity, Seq] = {}

    def take(self, item: Item) -> str:
        """Take it in; what it says, in words that name other entries by their seq."""
        if (item.epoch, item.era) != self._past:
            # The log is told anew, and old seqs may name other entries now.
            self._past = (item.epoch, item.era)
            self._targets, self._seqs = {}, {}
        entry = item.entry
        said = entry_in_words(entry, self._account, self.placed)
        self._targets[item.seq] = Target(entry.conversation, entry.identity)
        self._seqs[entry.identity] = item.seq
        self._view.apply(*item)
        return said

    def trim(self, floor: Seq) -> None:
        """Retention dropped everything up to `floor`."""
        self._view.trim(floor)

    def target(self, seq: Seq) -> Target | None:
        """The entry that was shown as ``[seq]``; None where none was."""
        return self._targets.get(seq)

    def placed(self, identity: Identity) -> str:
        """The seq of an entry here, in words."""
        seq = self._seqs.get(identity)
        return NOT_HERE if seq is None else str(seq)

    def unread(self) -> list[str]:
        """A line for each conversation with messages that were not read, the newest first."""
        view, counts = self._view, self._view.unread_counts()
        named = [name for name in view.conversations() if name in counts]
        return [f"{name_of(name)}: {counts[name]} unread" for name in named]

    def show(self, conversation: str) -> list[str]:
        """A conversation as it stands now: who is in, then its messages. Nothing where the log
        tells nothing of it."""
        view = self._view
        if conversation not in view.conversations():
            return []
        roles = view.members(conversation)
        members = ", ".join(f"{who}{OWNER * (roles[who] is Role.OWNER)}" for who in sorted(roles))
        inside = f" ({members})" if members else ""
        heading = f"{name_of(conversation)}{inside}: {view.unread(conversation)} unread"
        return [heading, *map(_line, view.messages(conversation))]


def _line(shown: Shown) -> str:
    text = "[recalled]" if shown.recalled else text_of(shown.body)
    return f"  [{shown.seq}] {shown.account or OPERATOR}: {text}{' (edited)' * shown.edited}"
