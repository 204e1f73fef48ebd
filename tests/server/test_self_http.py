"""Oneself over HTTP: by what one is known, and what may be added and taken off."""

from typing import Any

import pytest

from tests.identity.reception import PHONE, SITE
from tests.identity.test_login import ISSUER
from tests.server.lobby import device, lobby


async def test_who_one_is(start: Any) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(PHONE, "o-alice-phone", "o-union-0")
        status, answer = await hall.ask("GET", "/v1/self", token=alice["token"])
        assert (status, answer) == (
            200,
            {
                "account": alice["account"],
                "device": alice["device"],
                "subjects": [
                    {
                        "issuer": "app:wx1",
                        "name": "o-alice-phone",
                        "union": {"platform": "open", "unionid": "o-union-0"},
                        "pending": None,
                    }
                ],
            },
        )


async def test_a_subject_is_added_and_taken_off(start: Any) -> None:
    async with lobby(start, ISSUER) as hall:
        alice = await hall.log_in(PHONE, "o-alice-phone")
        token = alice["token"]
        body = {"mine": hall.code(PHONE, "o-alice-phone"), "new": hall.code(SITE, "o-alice-site")}
        status, answer = await hall.ask("POST", "/v1/self/subjects", body, token)
        assert status == 200
        assert [each["issuer"] for each in answer["subjects"]] == ["app:wx1", "app:wx2"]
        assert (await hall.log_in(SITE, "o-alice-site"))["account"] == alice["account"]
        body = {
            "mine": hall.code(SITE, "o-alice-site"),
            "issuer": "app:wx1",
            "name": "o-alice-phone",
        }
        status, answer = await hall.ask("POST", "/v1/self/subjects/remove", body, token)
        assert [each["issuer"] for each in answer["subjects"]] == ["app:wx2"]
        body = {"mine": hall.code(SITE, "o-alice-site"), "issuer": "app:wx2"}
        body["name"] = "o-alice-site"
        status, answer = await hall.ask("POST", "/v1/self/subjects/remove", body, token)
        assert (status, answer["error"]) == (409, "last_identity")


async def test_refusals(start: Any) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(PHONE, "o-alice-phone")
        await hall.log_in(PHONE, "o-bob-phone")
        token, add = alice["token"], "/v1/self/subjects"
        bobs, mine = hall.code(PHONE, "o-bob-phone"), hall.code(PHONE, "o-alice-phone")
        status, answer = await hall.ask("POST", add, {"mine": mine, "new": bobs}, token)
        assert (status, answer["error"]) == (409, "identity_in_use")
        bobs, new = hall.code(PHONE, "o-bob-phone"), hall.code(SITE, "o-alice-site")
        status, answer = await hall.ask("POST", add, {"mine": bobs, "new": new}, token)
        assert (status, answer["error"]) == (401, "proof_needed")
        body: Any = {"mine": {"app": "phone"}, "new": new}
        assert (await hall.ask("POST", add, body, token))[0] == 400
        body = {"mine": new, "new": new, "account": alice["account"]}
        assert (await hall.ask("POST", add, body, token))[0] == 400


REQUESTS = [
    ("GET", "/v1/self"),
    ("POST", "/v1/self/subjects"),
    ("POST", "/v1/self/subjects/remove"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_only_a_live_token_of_a_device_opens_anything(
    start: Any, method: str, path: str
) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(PHONE, "o-alice-phone")
        again = await hall.log_in(PHONE, "o-alice-phone", device=device(alice))
        key = await hall.running.key()
        for shown in (None, alice["token"], alice["secret"], key, again["token"] + "A", ""):
            assert (await hall.ask(method, path, token=shown))[0] == 401
