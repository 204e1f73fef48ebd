"""Messages become drafts, and what became of them becomes answers, each judged on its own."""

import msgspec
import pytest

from syncd import errors
from syncd.errors import Refusal
from syncd.limits import BODY_BYTES_MAX, UNANSWERED_MESSAGES_MAX
from syncd.membership import Action, Change
from syncd.model import Accepted, ConversationId, Identity, Intent, Kind, Refused, direct
from syncd.protocol.sending import Sending, answers, intent_of
from syncd.wire.codec import content_of, unpack_entries
from syncd.wire.frames import Answers, Message, RefusedField, Send
from tests.drafts import ALICE, BOB, CAROL, PHONE, message

GROUP = ConversationId("friends")
TARGET = Identity(PHONE, 1)
LEAVE = b'{"action":"leave"}'
UNKNOWN, TOO_LARGE = errors.UNKNOWN_CONVERSATION, errors.TOO_LARGE


def sending(sent: int = 0) -> Sending:
    return Sending(ALICE, PHONE, 7, sent)


def changed(number: int, **fields: object) -> Message:
    return msgspec.structs.replace(message(number), **fields)


def test_a_frame_becomes_one_submission_in_its_order() -> None:
    made, refused = sending().take(Send((message(3), message(4))), 12)
    assert refused == ()
    assert made is not None
    assert (made.device, made.generation) == (PHONE, 7)
    assert [draft.number for draft in made.drafts] == [3, 4]


def test_a_draft_says_who_sends_it_where() -> None:
    for mine, other in ((ALICE, BOB), (ALICE, ALICE)):
        made, _ = sending().take(Send((message(1, b"x", mine, other),)), 12)
        assert made is not None
        [draft] = made.drafts
        assert draft.intent == Intent(Kind.MESSAGE, direct(mine, other))
        assert (draft.account, draft.device) == (ALICE, PHONE)
        assert draft.content == content_of(message(1, b"x", mine, other), draft.record)


def test_the_entry_says_who_sent_it_and_when() -> None:
    made, _ = sending().take(Send((message(5, b"body"),)), 1234)
    assert made is not None
    record = made.drafts[0].record
    [entry] = unpack_entries(1, record.header + record.body)
    assert (entry.account, entry.identity, entry.time) == (ALICE, Identity(PHONE, 5), 1234)
    assert (entry.conversation, entry.body) == (direct(ALICE, BOB), b"body")


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (changed(1, kind=0), errors.UNSUPPORTED_KIND),
        (changed(1, kind=7), errors.UNSUPPORTED_KIND),
        (changed(1, target=TARGET), errors.WRONG_TARGET),
        (changed(1, kind=Kind.READ, target=TARGET, conversation="b~a"), UNKNOWN),
        (changed(1, kind=Kind.EDIT, target=TARGET, body=bytes(BODY_BYTES_MAX + 1)), TOO_LARGE),
        (changed(1, body=bytes(BODY_BYTES_MAX + 1)), errors.TOO_LARGE),
        (changed(1, conversation=ConversationId("two words")), errors.UNKNOWN_CONVERSATION),
        (changed(1, conversation=ConversationId("x" * 65)), errors.UNKNOWN_CONVERSATION),
        (changed(1, conversation=ConversationId("bob~alice")), errors.UNKNOWN_CONVERSATION),
        (changed(1, conversation=ConversationId("alice~bob~carol")), errors.UNKNOWN_CONVERSATION),
    ],
)
def test_what_could_never_be_accepted_is_refused_alone(wrong: Message, refusal: Refusal) -> None:
    made, refused = sending().take(Send((wrong, message(2))), 0)
    assert refused == (Refused(1, refusal),)
    assert made is not None
    assert [draft.number for draft in made.drafts] == [2]
    assert refusal.definite
    assert not refusal.reconnect


ABOUT_A_TARGET = (Kind.EDIT, Kind.RECALL, Kind.DELETE, Kind.READ)


@pytest.mark.parametrize("kind", ABOUT_A_TARGET)
@pytest.mark.parametrize("conversation", [direct(ALICE, BOB), ConversationId("friends")])
def test_what_is_about_a_target_names_it(kind: Kind, conversation: ConversationId) -> None:
    asked = changed(1, kind=kind, conversation=conversation, target=TARGET)
    assert intent_of(asked) == Intent(kind, conversation, TARGET)
    without = changed(1, kind=kind, conversation=conversation)
    assert intent_of(without) == errors.WRONG_TARGET


@pytest.mark.parametrize("kind", [Kind.MESSAGE, Kind.SYSTEM])
def test_what_is_about_no_target_names_none(kind: Kind) -> None:
    asked = changed(1, kind=kind, conversation=GROUP, target=TARGET, body=LEAVE)
    assert intent_of(asked) == errors.WRONG_TARGET


@pytest.mark.parametrize("conversation", [GROUP, direct(BOB, CAROL)])
def test_who_is_in_a_conversation_is_left_to_the_log(conversation: ConversationId) -> None:
    # Bob or carol may be an account that was merged into the sender's.
    asked = changed(1, conversation=conversation)
    assert intent_of(asked) == Intent(Kind.MESSAGE, conversation)


def change(body: bytes, conversation: ConversationId = GROUP) -> Message:
    return changed(1, kind=Kind.SYSTEM, conversation=conversation, body=body)


def test_a_change_is_read_from_its_body() -> None:
    intent = intent_of(change(b'{"action":"add","members":["bob"],"owners":["carol"]}'))
    assert intent == Intent(Kind.SYSTEM, GROUP, None, Change(Action.ADD, (BOB,), (CAROL,)))
    assert intent_of(change(LEAVE)) == Intent(Kind.SYSTEM, GROUP, None, Change(Action.LEAVE))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"leave",
        b"[]",
        b"{}",
        b'{"action":"rename"}',
        b'{"action":"leave","members":["alice"]}',
        b'{"action":"add"}',
        b'{"action":"add","members":["bob","bob"]}',
        b'{"action":"add","members":["bob"],"owners":["bob"]}',
        b'{"action":"add","members":"bob"}',
        b'{"action":"add","members":[1]}',
        b'{"action":"add","members":["bob"],"later":1}',
        b'{"action":"remove","owners":["bob"]}',
        b'{"action":"leave"}{}',
        b'{"action":"leave"\xff}',
        b"[" * 5000,
    ],
)
def test_a_body_that_is_no_change_is_refused(body: bytes) -> None:
    assert intent_of(change(body)) == errors.BAD_CHANGE


def test_a_direct_conversation_cannot_be_changed() -> None:
    assert intent_of(change(LEAVE, direct(ALICE, BOB))) == errors.BAD_CHANGE


def test_a_recall_is_judged_by_how_old_its_target_may_be() -> None:
    session = sending()
    session.recall_within_s = 120
    recall = changed(1, kind=Kind.RECALL, target=TARGET)
    made, _ = session.take(Send((recall, changed(2, kind=Kind.EDIT, target=TARGET))), 500_000)
    assert made is not None
    assert [draft.intent.recall_since_ms for draft in made.drafts] == [380_000, 0]


def test_a_frame_of_refused_messages_asks_for_no_commit() -> None:
    made, refused = sending().take(Send((changed(1, kind=9), changed(2, kind=9))), 0)
    assert made is None
    assert [each.number for each in refused] == [1, 2]


def test_a_largest_body_is_taken() -> None:
    made, refused = sending().take(Send((message(1, bytes(BODY_BYTES_MAX)),)), 0)
    assert (made is None, refused) == (False, ())


def test_after_a_retryable_refusal_all_later_ones_are_refused_alike() -> None:
    session = sending()
    session.take(Send((message(1),)), 0)
    session.committed((Refused(1, errors.STORAGE_FULL),))
    made, refused = session.take(Send((message(2), changed(3, kind=9))), 0)
    assert made is None
    assert refused == (Refused(2, errors.STORAGE_FULL), Refused(3, errors.STORAGE_FULL))


def test_a_definite_refusal_concerns_that_message_alone() -> None:
    session = sending()
    session.take(Send((message(1),)), 0)
    session.committed((Refused(1, errors.CONFLICT),))
    made, refused = session.take(Send((message(2),)), 0)
    assert (made is None, refused) == (False, ())


def test_sent_is_the_highest_number_accepted() -> None:
    session = sending(sent=4)
    session.take(Send((message(5), message(6))), 0)
    session.committed((Accepted(5, 1, False), Refused(6, errors.UNKNOWN_ACCOUNT)))
    assert session.sent == 5
    session.take(Send((message(3),)), 0)
    session.committed((Accepted(3, 1, True),))
    assert session.sent == 5


def test_more_unanswered_than_are_remembered_is_an_overrun() -> None:
    session = sending()
    session.take(Send(tuple(message(n) for n in range(1, UNANSWERED_MESSAGES_MAX + 1))), 0)
    assert not session.overrun()
    session.committed((Accepted(1, 1, False),))
    session.take(Send((message(2000),)), 0)
    assert not session.overrun()
    session.take(Send((message(2001),)), 0)
    assert session.overrun()


def test_what_is_refused_at_once_is_answered_and_does_not_count() -> None:
    session = sending()
    session.take(Send(tuple(message(n) for n in range(1, UNANSWERED_MESSAGES_MAX + 1))), 0)
    session.take(Send((changed(2000, kind=9),)), 0)
    assert not session.overrun()


def test_resending_after_a_verdict_during_the_session_is_no_overrun() -> None:
    session = sending()
    frame = Send(tuple(message(n) for n in range(1, UNANSWERED_MESSAGES_MAX + 1)))
    session.take(frame, 0)
    session.restart()
    session.take(frame, 0)
    assert not session.overrun()
    session.take(Send((message(2000),)), 0)
    assert session.overrun()


def test_answers_keep_the_order_of_each_sort() -> None:
    outcomes = (
        Accepted(1, 10, False),
        Refused(2, errors.CONFLICT),
        Accepted(3, None, True),
        Refused(4, errors.BUSY),
    )
    assert answers(outcomes) == Answers(
        (Accepted(1, 10, False), Accepted(3, None, True)),
        (RefusedField(2, errors.CONFLICT.code), RefusedField(4, errors.BUSY.code)),
    )
