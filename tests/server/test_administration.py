"""What an operator does to a store, by the admin socket of a running service."""

import asyncio
from pathlib import Path
from typing import Any

from syncd.limits import TRIM_UNASKED_ENTRIES
from syncd.membership import Action, Change
from syncd.model import AccountId
from syncd.server.admin import ask
from syncd.server.requests import (
    Answer,
    Devicelist,
    Erase,
    Import,
    Key,
    Request,
    Retain,
    Revoke,
    Sweep,
    Token,
    Trim,
)


async def asked(running: Any, request: Request) -> Answer:
    return await asyncio.to_thread(ask, running.data, request)


async def test_a_device_is_made_listed_rotated_and_revoked(running: Any) -> None:
    made = (await asked(running, Token("alice", "PC1", "pc")))["ok"]
    [listed] = (await asked(running, Devicelist("alice")))["ok"]["devices"]
    assert (listed["device"], listed["name"], listed["platform"]) == (made["device"], "PC1", "pc")
    rotated = (await asked(running, Token("alice", device=made["device"])))["ok"]
    assert rotated["device"] == made["device"]
    assert rotated["token"] != made["token"]
    revoked = (await asked(running, Revoke(made["device"])))["ok"]
    assert revoked["revoked"] is True


async def test_a_key_is_made_once(running: Any) -> None:
    made = (await asked(running, Key("shop")))["ok"]
    assert made["key"].startswith("sk_")
    assert (await asked(running, Key("shop")))["error"] == "bad_request"


async def test_a_log_is_trimmed(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    for _ in range(3):
        await running.service.publish("bob", b"x")
    bob = {"account": "bob"}
    assert (await asked(running, Trim("bob", 3)))["ok"] == {**bob, "floor": 2, "dropped": 2}
    assert (await asked(running, Trim("bob", 1)))["ok"] == {**bob, "floor": 2, "dropped": 0}
    refused = await asked(running, Trim("bob", 5))
    assert (refused["error"], refused["text"]) == (
        "bad_request",
        "The head is 3; --before is at most 4.",
    )
    assert (await asked(running, Trim("bob", 4)))["ok"] == {**bob, "floor": 3, "dropped": 1}
    assert (await asked(running, Trim("bob", 4)))["ok"] == {**bob, "floor": 3, "dropped": 0}
    assert (await asked(running, Trim("nobody", 1)))["error"] == "no_such_account"
    assert (await asked(running, Trim("bob", 0)))["error"] == "bad_request"


async def test_most_of_a_long_log_is_dropped_only_anyway(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    bodies = (running.service.publish("bob", b"x") for _ in range(TRIM_UNASKED_ENTRIES + 2))
    await asyncio.gather(*bodies)
    half = TRIM_UNASKED_ENTRIES // 2 + 1
    refused = await asked(running, Trim("bob", half + 2))
    assert (refused["error"], refused["text"]) == (
        "bad_request",
        "Nothing was dropped: it would have been 52 of 102 entries; --anyway drops them all the"
        " same.",
    )
    assert (await asked(running, Trim("bob", half + 1)))["ok"]["dropped"] == half
    assert (await asked(running, Trim("bob", 103)))["ok"]["dropped"] == half, "short by now"
    for _ in range(2):
        await asyncio.gather(*(running.service.publish("bob", b"x") for _ in range(100)))
    assert (await asked(running, Trim("bob", 303, anyway=True)))["ok"]["dropped"] == 200


async def test_a_body_is_erased(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    await running.service.publish("bob", b"x")
    assert (await asked(running, Erase("bob", 1)))["ok"] == {
        "account": "bob",
        "seq": 1,
        "logs": 1,
        "edits": [],
        "edits_erased": False,
    }
    assert (await asked(running, Erase("bob", 1)))["ok"]["logs"] == 0, "it was erased already"
    for account, seq, error in (
        ("bob", 2, "bad_request"),
        ("bob", -1, "bad_request"),
        ("nobody", 1, "no_such_account"),
    ):
        assert (await asked(running, Erase(account, seq)))["error"] == error


async def test_a_change_of_a_group_is_not_erased(running: Any) -> None:
    for account in ("alice", "bob"):
        await running.service.create_device(account, name="PC1", platform="pc")
    create = Change(Action.CREATE, (AccountId("alice"), AccountId("bob")))
    await running.service.change_group("friends", create, actor="alice")
    refused = await asked(running, Erase("bob", 1))
    assert (refused["error"], refused["text"]) == (
        "bad_request",
        "Entry 1 is a change of a group's members, not a message; its body cannot be erased.",
    )


async def test_what_is_kept_is_set_and_swept(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    for _ in range(3):
        await running.service.publish("bob", b"x")
    nothing = {"account": "bob", "entries": None, "days": None}
    nothing |= {"default_entries": 0, "default_days": 0}
    assert (await asked(running, Retain("bob")))["ok"] == nothing
    assert (await asked(running, Retain("bob", days=30)))["ok"] == {**nothing, "days": 30}
    both = {**nothing, "entries": 1, "days": 30}
    assert (await asked(running, Retain("bob", 1)))["ok"] == both
    assert (await asked(running, Retain("bob")))["ok"] == both
    assert (await asked(running, Retain("bob", default=True)))["ok"] == nothing
    assert (await asked(running, Retain("bob", 1)))["ok"] == {**nothing, "entries": 1}
    assert (await asked(running, Retain("nobody", 1)))["error"] == "no_such_account"
    assert (await asked(running, Retain("bob", -1)))["error"] == "bad_request"
    assert (await asked(running, Sweep()))["ok"]["swept"] is False
    assert (await asked(running, Sweep(anyway=True)))["ok"]["dropped"] == 2


async def test_what_cannot_be_imported_is_declined(running: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path, Path(__file__)):
        assert (await asked(running, Import("bob", str(path))))["error"] == "bad_request"
