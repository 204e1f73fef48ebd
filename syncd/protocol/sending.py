"""From the device: its messages become drafts, and what became of them becomes answers.

Only what could never have been accepted is refused here, without a look at the log: a retry of an
accepted message must reach the log, where its number is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd import errors
from syncd.errors import Refusal
from syncd.limits import BODY_BYTES_MAX, UNANSWERED_MESSAGES_MAX
from syncd.membership import read_change
from syncd.model import (
    Accepted,
    AccountId,
    DeviceId,
    Draft,
    Intent,
    Kind,
    Outcome,
    Refused,
    Submission,
    is_direct,
    is_group,
    members_of_direct,
)
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Answers, Message, RefusedField, Send

_KINDS = {int(kind): kind for kind in Kind}
"""Looking a kind up takes a tenth of the time that making one takes."""
_SYSTEM = Kind.SYSTEM
_WITHOUT_TARGET = frozenset({Kind.MESSAGE, _SYSTEM})


class Sending:
    """The sends of one session.

    Once a message was refused retryably every later one gets the same refusal, until the device
    opens a new socket: so the sends of one device keep their order.
    """

    __slots__ = (
        "_account",
        "_device",
        "_generation",
        "_refusing",
        "_unanswered_max",
        "recall_within_s",
        "sent",
        "unanswered",
    )

    def __init__(self, account: AccountId, device: DeviceId, generation: int, sent: int) -> None:
        self._account = account
        self._device = device
        self._generation = generation
        self._refusing: Refusal | None = None
        self.unanswered = 0
        """Messages handed over and not yet answered."""
        self._unanswered_max = UNANSWERED_MESSAGES_MAX
        self.sent = sent
        """The highest number known from this device: what a verdict tells it."""
        self.recall_within_s = 0
        """How old a message may be that its author recalls; 0 for any age."""

    def take(self, frame: Send, wall_ms: int) -> tuple[Submission | None, tuple[Refused, ...]]:
        """What to append of a frame, and what is refused at once; each in the frame's order."""
        if self._refusing is not None:
            refusing = self._refusing
            return None, tuple(Refused(message.number, refusing) for message in frame.messages)
        drafts: list[Draft] = []
        refused: list[Refused] = []
        for message in frame.messages:
            intent = intent_of(message)
            if isinstance(intent, Intent):
                drafts.append(self._draft(message, intent, wall_ms))
            else:
                refused.append(Refused(message.number, intent))
        self.unanswered += len(drafts)
        if not drafts:
            return None, tuple(refused)
        return Submission(self._device, self._generation, tuple(drafts)), tuple(refused)

    def overrun(self) -> bool:
        """Whether the device has more messages unanswered than it may."""
        return self.unanswered > self._unanswered_max

    def restart(self) -> None:
        """A verdict is given during the session: the device sends again what it has no answer to,
        while the first copies are still under way here. No device can bring this about."""
        self._unanswered_max += UNANSWERED_MESSAGES_MAX

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of what became of an earlier submission."""
        self.unanswered -= len(outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                if outcome.number > self.sent:
                    self.sent = outcome.number
            elif outcome.refusal.reconnect:
                self._refusing = outcome.refusal

    def _draft(self, message: Message, intent: Intent, wall_ms: int) -> Draft:
        if self.recall_within_s and intent.kind is Kind.RECALL:
            since_ms = wall_ms - self.recall_within_s * 1000
            intent = Intent(Kind.RECALL, intent.conversation, intent.target, None, since_ms)
        record = pack_entry(message, self._account, self._device, wall_ms)
        content = content_of(message, record)
        return Draft(self._account, self._device, message.number, content, intent, record)


def intent_of(message: Message) -> Intent | Refusal:
    """What a message is meant to do, or why it could never have been accepted.

    A direct conversation of two others may yet be the sender's: under the name of an account that
    was merged into it.
    """
    kind = _KINDS.get(message.kind)
    if kind is None:
        return errors.UNSUPPORTED_KIND
    if len(message.body) > BODY_BYTES_MAX:
        return errors.TOO_LARGE
    conversation = message.conversation
    if members_of_direct(conversation) is None and not is_group(conversation):
        return errors.UNKNOWN_CONVERSATION
    if (message.target is None) is not (kind in _WITHOUT_TARGET):
        return errors.WRONG_TARGET
    if kind is not _SYSTEM:
        return Intent(kind, conversation, message.target)
    if is_direct(conversation):
        return errors.BAD_CHANGE
    try:
        return Intent(kind, conversation, None, read_change(message.body))
    except ValueError:
        return errors.BAD_CHANGE


def answers(outcomes: Sequence[Outcome]) -> Answers:
    """The frame that tells the device what became of its messages."""
    return Answers(
        tuple([each for each in outcomes if isinstance(each, Accepted)]),
        tuple(
            [
                RefusedField(each.number, each.refusal.code)
                for each in outcomes
                if isinstance(each, Refused)
            ]
        ),
    )
