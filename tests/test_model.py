"""The words: which ids there may be, what a direct conversation is called, and strict positions."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import limits
from syncd.model import (
    AccountId,
    Identity,
    Kind,
    Position,
    direct,
    is_account,
    is_device,
    is_group,
    members_of_direct,
)

accounts = st.from_regex(r"[A-Za-z0-9._@:+=-]{1,64}", fullmatch=True).map(AccountId)


@pytest.mark.parametrize("text", ["a", "Alice", "a.b_c@d:e+f=g-h", "0", "x" * 64])
def test_an_account_id_of_the_narrow_alphabet(text: str) -> None:
    assert is_account(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 65, "a~b", "a b", "a/b", "a\n", "\na", "ä", "a\0", "٣", "a%20", "a\u200b"]
)
def test_everything_else_is_no_account_id(text: str) -> None:
    assert not is_account(text)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("0123456789abcdef01234567", True),
        ("0123456789ABCDEF01234567", False),
        ("0123456789abcdef0123456", False),
        ("0123456789abcdef012345678", False),
        ("0123456789abcdef0123456\n", False),
        ("", False),
    ],
)
def test_a_device_id_is_24_hex_digits(text: str, fits: bool) -> None:
    assert is_device(text) is fits


@given(accounts, accounts)
def test_a_direct_conversation_is_the_same_from_either_side(
    one: AccountId, other: AccountId
) -> None:
    conversation = direct(one, other)
    assert conversation == direct(other, one)
    assert members_of_direct(conversation) == tuple(sorted((one, other)))
    assert len(conversation) <= limits.CONVERSATION_CHARACTERS_MAX


@given(accounts, accounts)
def test_no_group_is_a_direct_conversation(one: AccountId, other: AccountId) -> None:
    assert is_group(one)
    assert members_of_direct(one) is None
    assert not is_group(direct(one, other))


@given(accounts, accounts, accounts, accounts)
def test_different_pairs_have_different_conversations(
    one: AccountId, other: AccountId, third: AccountId, fourth: AccountId
) -> None:
    same = sorted((one, other)) == sorted((third, fourth))
    assert (direct(one, other) == direct(third, fourth)) is same


@pytest.mark.parametrize(
    "text", ["", "~", "a~", "~a", "b~a", "a", "a~b~c", "a~b ", " a~b", "a~" + "b" * 65, "a~~b"]
)
def test_what_is_no_direct_conversation_has_no_members(text: str) -> None:
    assert members_of_direct(text) is None


@given(st.text(max_size=140))
def test_members_lead_back_to_the_conversation(text: str) -> None:
    members = members_of_direct(text)
    assert members is None or direct(*members) == text


@pytest.mark.parametrize(
    "fields",
    [
        (b"1234567", 0, b"12345678"),
        (b"123456789", 0, b"12345678"),
        (b"12345678", -1, b"12345678"),
        (b"12345678", limits.INTEGER_MAX + 1, b"12345678"),
        (b"12345678", True, b"12345678"),
        (b"12345678", 1.0, b"12345678"),
        (b"12345678", 0, b""),
        (b"12345678", 0),
        (b"12345678", 0, b"12345678", 0),
    ],
)
def test_a_position_is_taken_whole_or_not_at_all(fields: tuple[object, ...]) -> None:
    data = msgspec.msgpack.encode(fields)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(data, type=Position)


@pytest.mark.parametrize("fields", [("a" * 23, 1), ("a" * 25, 1), ("a" * 24, 0), ("a" * 24,)])
def test_an_identity_is_a_device_and_a_number_from_one(fields: tuple[object, ...]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=Identity)


def test_the_number_of_a_kind_never_changes() -> None:
    assert {kind.name: kind.value for kind in Kind} == {
        "MESSAGE": 1,
        "EDIT": 2,
        "RECALL": 3,
        "DELETE": 4,
        "READ": 5,
        "SYSTEM": 6,
    }
