"""Verbs: each is one message, of the right kind, with the right target and body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from syncd.client.verbs import Verbs
from syncd.membership import Action, Change, read_change
from syncd.model import Accepted, DeviceId, Identity, Kind

TARGET = Identity(DeviceId("a" * 24), 7)


class Diary(Verbs):
    """Writes down what would be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, Identity | None, bytes]] = []

    async def send(
        self,
        conversation: str,
        body: bytes,
        *,
        kind: int = Kind.MESSAGE,
        target: Identity | None = None,
    ) -> Accepted:
        self.sent.append((conversation, kind, target, body))
        return Accepted(len(self.sent), len(self.sent), False)


ABOUT_MESSAGES: list[tuple[Callable[[Diary], Awaitable[Accepted]], Kind, bytes]] = [
    (lambda diary: diary.edit("friends", TARGET, b"new"), Kind.EDIT, b"new"),
    (lambda diary: diary.recall("friends", TARGET), Kind.RECALL, b""),
    (lambda diary: diary.delete("friends", TARGET), Kind.DELETE, b""),
    (lambda diary: diary.read("friends", TARGET), Kind.READ, b""),
]
ABOUT_GROUPS: list[tuple[Callable[[Diary], Awaitable[Accepted]], Any]] = [
    (
        lambda diary: diary.create_group("friends", ["bob"], owners=["carol"]),
        Change(Action.CREATE, ("bob",), ("carol",)),
    ),
    (lambda diary: diary.create_group("friends", []), Change(Action.CREATE)),
    (lambda diary: diary.add("friends", ["bob"]), Change(Action.ADD, ("bob",))),
    (
        lambda diary: diary.add("friends", (), owners=["bob"]),
        Change(Action.ADD, (), ("bob",)),
    ),
    (lambda diary: diary.remove("friends", ["bob"]), Change(Action.REMOVE, ("bob",))),
    (lambda diary: diary.leave("friends"), Change(Action.LEAVE)),
]


@pytest.mark.parametrize(("done", "kind", "body"), ABOUT_MESSAGES)
async def test_what_is_about_a_message_names_it(
    done: Callable[[Diary], Awaitable[Accepted]], kind: Kind, body: bytes
) -> None:
    diary = Diary()
    assert await done(diary) == Accepted(1, 1, False)
    assert diary.sent == [("friends", kind, TARGET, body)]


@pytest.mark.parametrize(("done", "change"), ABOUT_GROUPS)
async def test_what_is_about_a_group_says_the_change(
    done: Callable[[Diary], Awaitable[Accepted]], change: Change
) -> None:
    diary = Diary()
    assert await done(diary) == Accepted(1, 1, False)
    [(group, kind, target, body)] = diary.sent
    assert (group, kind, target) == ("friends", Kind.SYSTEM, None)
    assert read_change(body) == change


async def test_one_name_is_not_taken_for_a_list_of_letters() -> None:
    diary = Diary()
    for members, owners in (("bob", ()), ((), "bob")):
        with pytest.raises(TypeError, match="a list"):
            await diary.create_group("friends", members, owners=owners)
    assert diary.sent == []
