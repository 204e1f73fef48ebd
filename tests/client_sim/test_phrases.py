"""The words of a simulated PC: who did what to what, and nothing that steers a terminal."""

import pytest

from client_sim.phrases import entry_in_words, name_of, printable, sender_of, signal_in_words
from syncd.client import Action, Change, Identity, Kind
from syncd.membership import write_change
from syncd.model import AccountId, ConversationId, DeviceId, direct
from syncd.wire.frames import Entry, Signalled

ALICE, BOB, CAROL = AccountId("alice"), AccountId("bob"), AccountId("carol")
PHONE = DeviceId("ab" * 12)
TEAM = ConversationId("team")


def entry(
    kind: int,
    body: bytes | None = b"",
    account: str = BOB,
    conversation: str = TEAM,
    target: Identity | None = None,
) -> Entry:
    names = ConversationId(conversation), AccountId(account)
    return Entry(kind, *names, PHONE, 1, target, 0, body)


def changing(*change: object) -> bytes:
    return write_change(Change(*change))


@pytest.mark.parametrize(
    ("conversation", "account", "words"),
    [
        (direct(ALICE, BOB), ALICE, "alice to bob"),
        (direct(ALICE, BOB), BOB, "bob"),
        (direct(ALICE, ALICE), ALICE, "alice to alice"),
        (direct(ALICE, ALICE), "", ""),
        ("team", ALICE, "alice in team"),
        ("team", "", "an operator in team"),
    ],
)
def test_a_message_says_where_it_went(conversation: str, account: str, words: str) -> None:
    assert sender_of(entry(Kind.MESSAGE, b"", account, conversation), ALICE) == words


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (Kind.MESSAGE, b"hello", "bob in team: hello"),
        (Kind.MESSAGE, None, "bob in team: [erased]"),
        (Kind.EDIT, b"new", "bob edits 1: new"),
        (Kind.EDIT, None, "bob edits 1: [erased]"),
        (Kind.RECALL, b"", "bob recalls 1"),
        (Kind.DELETE, b"", "you delete 1"),
        (Kind.READ, b"", "you read up to 1"),
        (99, b"", "bob sends an entry of kind 99, which is not known here"),
        (Kind.SYSTEM, changing(Action.CREATE, (ALICE,)), "bob creates team with alice"),
        (Kind.SYSTEM, changing(Action.CREATE), "bob creates team"),
        (
            Kind.SYSTEM,
            changing(Action.ADD, (ALICE,), (CAROL,)),
            "bob adds alice, carol (owner) to team",
        ),
        (Kind.SYSTEM, changing(Action.REMOVE, (CAROL,)), "bob removes carol from team"),
        (Kind.SYSTEM, changing(Action.LEAVE), "bob leaves team"),
        (Kind.SYSTEM, None, "bob changes team in a way that cannot be read here"),
    ],
)
def test_every_kind_has_its_words(kind: int, body: bytes | None, words: str) -> None:
    target = Identity(PHONE, 1)
    assert entry_in_words(entry(kind, body, target=target), ALICE, lambda _: "1") == words


def test_who_is_nobody_and_what_is_about_nothing() -> None:
    operated = entry(Kind.SYSTEM, changing(Action.REMOVE, (BOB,)), "")
    assert entry_in_words(operated, ALICE, str) == "an operator removes bob from team"
    assert entry_in_words(entry(Kind.RECALL), ALICE, str) == "bob recalls nothing"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (1, "bob types in team"),
        (2, "bob is here in team"),
        (3, "bob is away from team"),
        (9, "bob signals kind 9 in team"),
    ],
)
def test_a_signal_says_what_is_true_just_now(kind: int, words: str) -> None:
    assert signal_in_words(Signalled(TEAM, BOB, PHONE, kind, b"")) == words


def test_what_a_stranger_wrote_cannot_steer_the_terminal() -> None:
    assert printable(b"a\x1b[2J\n\xff") == "a\\x1b[2J\\n\ufffd"
    assert name_of("a\x1b~b") == "a\\x1b~b"
    steering = changing(Action.ADD, (AccountId("\x1b[2J"),))
    said = entry_in_words(entry(Kind.SYSTEM, steering), ALICE, str)
    assert said == "bob adds \\x1b[2J to team"
