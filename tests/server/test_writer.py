"""Entries that no device sent: their identities, what makes a repeat, and which words are none."""

import pytest

from syncd import errors, limits
from syncd.identity.words import Declined
from syncd.membership import Action, Change, read_change
from syncd.model import AccountId, Intent, Kind, Publication, direct, is_device
from syncd.server.writer import Writer, author, body_of, direct_or_own, group
from syncd.wire.codec import unpack_entries
from tests.drafts import ALICE, BOB

TALK = Intent(Kind.MESSAGE, direct(ALICE, BOB))
KEY = ("key:shop", "order 17")


def written(
    writer: Writer, body: bytes = b"hello", sender: str = "", intent: Intent = TALK
) -> Publication:
    return writer.publication(intent, body, AccountId(sender), KEY, ALICE)


def test_identities_are_of_one_start_alone() -> None:
    first, second = Writer(), Writer()
    made = [written(first), written(first), written(second)]
    assert [each.number for each in made] == [1, 2, 1]
    assert all(is_device(each.device) for each in made)
    assert made[0].device == made[1].device != made[2].device


def test_the_entry_says_what_was_meant() -> None:
    made = written(Writer(), sender="bob")
    [entry] = unpack_entries(1, made.record.header + made.record.body)
    assert (entry.kind, entry.conversation, entry.account) == (Kind.MESSAGE, "alice~bob", "bob")
    assert (entry.device, entry.number, entry.body) == (made.device, made.number, b"hello")
    assert (made.publisher, made.key, made.account, made.actor) == (*KEY, ALICE, "bob")
    assert written(Writer()).actor is None


def test_a_repeat_is_known_by_what_was_decided() -> None:
    writer = Writer()
    same = {written(each).content for each in (writer, writer, Writer())}
    others = {
        written(writer, b"other").content,
        written(writer, sender="alice").content,
        written(writer, intent=Intent(Kind.MESSAGE, direct(ALICE, ALICE))).content,
        written(writer, intent=Intent(Kind.SYSTEM, group("team"))).content,
    }
    assert len(same) == 1
    assert len(others | same) == 5


def test_without_a_key_each_is_its_own() -> None:
    writer = Writer()
    made = [writer.publication(TALK, b"x", ALICE, ("", None)) for _ in range(2)]
    assert made[0].key != made[1].key
    assert [each.account for each in made] == [None, None]


@pytest.mark.parametrize("key", ["", "a\nb", "x" * (limits.KEY_CHARACTERS_MAX + 1)])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(Declined) as declined:
        Writer().publication(TALK, b"x", ALICE, ("", key))
    assert declined.value.refusal is errors.BAD_REQUEST


def test_the_largest_body_is_written_and_no_larger_one() -> None:
    written(Writer(), bytes(limits.BODY_BYTES_MAX))
    with pytest.raises(Declined) as declined:
        written(Writer(), bytes(limits.BODY_BYTES_MAX + 1))
    assert declined.value.refusal is errors.PAYLOAD_TOO_LARGE


def test_an_author_is_an_account_or_nobody() -> None:
    assert (author("alice"), author("")) == ("alice", "")
    with pytest.raises(Declined):
        author("a~b")


@pytest.mark.parametrize("text", ["", "a~b", "a b", "x" * 65, "ä"])
def test_ids_of_no_group(text: str) -> None:
    assert group("team") == "team"
    with pytest.raises(Declined) as declined:
        group(text)
    assert declined.value.refusal is errors.BAD_REQUEST


def test_the_direct_conversation_that_is_meant() -> None:
    assert direct_or_own(ALICE, BOB, None) == "alice~bob"
    assert direct_or_own(ALICE, AccountId(""), None) == "alice~alice"
    assert direct_or_own(ALICE, AccountId(""), "alice~carol") == "alice~carol"
    for other in ("bob~carol", "carol~alice", "team", ""):
        with pytest.raises(Declined):
            direct_or_own(ALICE, BOB, other)


def test_the_body_of_a_change() -> None:
    change = Change(Action.ADD, (ALICE,), (BOB,))
    assert read_change(body_of(change)) == change
    for impossible in (
        Change(Action.ADD),
        Change(Action.ADD, (ALICE, ALICE)),
        Change(Action.LEAVE, (ALICE,)),
        Change(Action.REMOVE, (), (ALICE,)),
        Change(Action.ADD, (AccountId("a b"),)),
    ):
        with pytest.raises(Declined) as declined:
            body_of(impossible)
        assert declined.value.refusal is errors.BAD_REQUEST
        assert str(declined.value).endswith(".")
