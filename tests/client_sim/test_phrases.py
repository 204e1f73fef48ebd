"""The words of a simulated PC: who sent what to whom, and nothing that steers a terminal."""

import pytest

from client_sim.phrases import printable, sender_of
from syncd.model import AccountId, ConversationId, DeviceId, direct
from syncd.wire.frames import Entry

ALICE, BOB = AccountId("alice"), AccountId("bob")


def entry(conversation: str, account: AccountId) -> Entry:
    return Entry(1, ConversationId(conversation), account, DeviceId("d"), 1, 0, None, b"")


@pytest.mark.parametrize(
    ("conversation", "account", "words"),
    [
        (direct(ALICE, BOB), ALICE, "alice to bob"),
        (direct(ALICE, BOB), BOB, "bob"),
        (direct(ALICE, ALICE), ALICE, "alice to alice"),
        (direct(ALICE, ALICE), "", ""),
        ("no pair", ALICE, "alice"),
    ],
)
def test_own_messages_say_to_whom(conversation: str, account: AccountId, words: str) -> None:
    assert sender_of(entry(conversation, account), ALICE) == words


def test_a_body_cannot_steer_the_terminal() -> None:
    assert printable(b"a\x1b[2J\n\xff") == "a\\x1b[2J\\n\ufffd"
