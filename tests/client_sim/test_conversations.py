"""What a PC knows of its conversations: seqs for people, and the conversations as they stand."""

from client_sim.conversations import Conversations
from syncd.client import Action, Change, Identity, Item, Kind
from syncd.membership import write_change
from syncd.model import AccountId, ConversationId, DeviceId, Epoch
from syncd.wire.frames import Entry

ALICE, BOB = AccountId("alice"), AccountId("bob")
PHONE = DeviceId("ab" * 12)
TEAM = ConversationId("team")
EPOCH = Epoch(b"epoch---")


def item(
    seq: int, kind: int, body: bytes = b"", target: int | None = None, *, era: int = 0
) -> Item:
    aim = None if target is None else Identity(PHONE, target)
    return Item(seq, EPOCH, Entry(kind, TEAM, BOB, PHONE, 100 + seq, aim, 0, body), era)


def filled() -> tuple[Conversations, list[str]]:
    change = write_change(Change(Action.CREATE, (ALICE,)))
    told = [
        item(1, Kind.SYSTEM, change),
        item(2, Kind.MESSAGE, b"hello"),
        item(3, Kind.EDIT, b"hallo", 102),
        item(4, Kind.MESSAGE, b"oh"),
        item(5, Kind.RECALL, b"", 104),
        item(6, Kind.RECALL, b"", 999),
    ]
    known = Conversations(ALICE)
    return known, [known.take(each) for each in told]


def test_targets_are_named_by_their_seq_in_the_own_log() -> None:
    known, said = filled()
    assert said == [
        "bob creates team with alice",
        "bob in team: hello",
        "bob edits 2: hallo",
        "bob in team: oh",
        "bob recalls 4",
        "bob recalls an entry that is not here",
    ]
    target = known.target(4)
    assert target == (TEAM, Identity(PHONE, 104))
    assert known.placed(target.identity) == "4"
    assert known.target(7) is None


def test_a_conversation_as_it_stands() -> None:
    known, _ = filled()
    assert known.unread() == ["team: 1 unread"]
    shown = [
        "team (alice, bob (owner)): 1 unread",
        "  [2] bob: hallo (edited)",
        "  [4] bob: [recalled]",
    ]
    assert known.show("team") == shown
    known.take(item(2, Kind.MESSAGE, b"hello"))
    assert known.show("team") == shown
    assert known.show("other") == []
    known.trim(4)
    assert (known.unread(), known.show("team")) == ([], [])


def test_a_log_that_is_told_anew_begins_anew() -> None:
    known, _ = filled()
    assert known.take(item(1, Kind.RECALL, b"", 102, era=1)) == (
        "bob recalls an entry that is not here"
    )
    assert known.target(2) is None
    assert known.show("team") == []
