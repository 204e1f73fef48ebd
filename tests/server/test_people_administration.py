"""What an operator does to people, by the admin socket of a running service."""

import asyncio
from pathlib import Path
from typing import Any

from syncd.persons import Standing
from syncd.server.admin import ask
from syncd.server.requests import (
    Answer,
    Devicelist,
    Logout,
    Merge,
    Pending,
    Remap,
    Request,
    Stand,
    Subjects,
)
from tests.identity.reception import PHONE, SITE
from tests.server.lobby import Lobby, device, lobby


async def asked(hall: Lobby, request: Request) -> Answer:
    return await asyncio.to_thread(ask, hall.running.data, request)


async def facts(hall: Lobby, request: Request) -> Any:
    return (await asked(hall, request))["ok"]


async def test_two_accounts_of_one_person(start: Any) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(SITE, "o-alice-site", "o-union-0")
        guest = await hall.log_in(PHONE, "o-alice-phone")
        merged = await facts(hall, Merge(guest["account"], alice["account"]))
        assert merged == {
            "guest": guest["account"],
            "account": alice["account"],
            "entries": 0,
            "signed_out": [guest["device"]],
        }
        assert (await hall.ask("GET", "/v1/self", token=guest["token"]))[0] == 401
        found = await facts(hall, Subjects(guest["account"]))
        assert (found["account"], found["standing"]) == (alice["account"], "active")
        assert {each["issuer"] for each in found["subjects"]} == {"app:wx1", "app:wx2"}
        again = await asked(hall, Merge(guest["account"], alice["account"]))
        assert again["error"] == "merge_refused"


async def test_who_is_gone_and_who_is_logged_out(start: Any) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(PHONE, "o-alice-phone")
        pc = await hall.log_in(PHONE, "o-alice-phone")
        account = alice["account"]
        done = await facts(hall, Logout(account, alice["device"]))
        assert done == {"account": account, "signed_out": [pc["device"]]}
        listed = (await facts(hall, Devicelist(account)))["devices"]
        assert [each["signed_out"] for each in listed] == [None, "signed_out"]
        back = await hall.log_in(PHONE, "o-alice-phone", device=device(pc))
        assert back["device"] == pc["device"]
        gone = await facts(hall, Stand(account, Standing.GONE))
        assert (gone["standing"], len(gone["signed_out"])) == ("gone", 2)
        body = {"name": "PC1", "platform": "pc"} | hall.code(PHONE, "o-alice-phone")
        status, answer = await hall.ask("POST", "/v1/login", body)
        assert (status, answer["error"]) == (403, "account_gone")


async def test_unionids_that_changed(start: Any, tmp_path: Path) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(PHONE, "o-alice-phone", "o-union-old")
        await hall.log_in(PHONE, "o-alice-phone", "o-union-new")
        [waiting] = (await facts(hall, Pending()))["pending"]
        assert waiting == {
            "account": alice["account"],
            "issuer": "app:wx1",
            "name": "o-alice-phone",
            "platform": "open",
            "linked": "o-union-old",
            "given": "o-union-new",
        }
        path = tmp_path / "changes.csv"
        path.write_text("old,new\no-union-old,o-union-new\no-x,o-y\n")
        done = await facts(hall, Remap("open", str(path)))
        assert done == {"platform": "open", "done": 1, "unknown": ["o-x"], "taken": []}
        assert (await facts(hall, Pending()))["pending"] == []


async def test_what_cannot_be_is_declined(start: Any, tmp_path: Path) -> None:
    async with lobby(start) as hall:
        path = tmp_path / "changes.csv"
        path.write_text("one\n")
        for request, name in (
            (Subjects("nobody"), "no_such_account"),
            (Stand("nobody", Standing.GONE), "no_such_account"),
            (Logout("nobody"), "no_such_account"),
            (Merge("nobody", "no one"), "bad_request"),
            (Remap("open", str(tmp_path / "nowhere")), "bad_request"),
            (Remap("open", str(path)), "bad_request"),
        ):
            assert (await asked(hall, request))["error"] == name
