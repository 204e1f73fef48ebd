"""Logging in over HTTP: what is asked, what is answered, and what is never believed."""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from syncd.identity.upstream import Failure, Redeemed
from syncd.limits import LOGINS_PER_DEVICE_PER_MINUTE, LOGINS_REFUSED_PER_MINUTE
from tests.identity.reception import PHONE, SITE
from tests.identity.test_login import ISSUER, RSA, user_info
from tests.server.lobby import device, lobby

PC = {"name": "PC1", "platform": "pc"}
GUESS = {"app": "phone", "code": "guess"}


async def test_a_person_logs_in_and_comes_again(start: Any) -> None:
    async with lobby(start) as hall:
        first = await hall.log_in(PHONE, "o-alice-phone")
        assert set(first) == {"account", "device", "token", "secret", "new_device", "case"}
        assert re.fullmatch(r"ss_[A-Za-z0-9_-]{43}", first["secret"])
        assert (first["new_device"], first["case"]) == (True, "created")
        assert hall.headers["Cache-Control"] == "no-store"
        again = await hall.log_in(PHONE, "o-alice-phone", device=device(first))
        assert (again["account"], again["device"]) == (first["account"], first["device"])
        assert (again["secret"], again["new_device"], again["case"]) == (None, False, "returned")
        assert (await hall.ask("GET", "/v1/self", token=first["token"]))[0] == 401
        assert (await hall.ask("GET", "/v1/self", token=again["token"]))[0] == 200


async def test_where_nobody_set_up_login_there_is_none(running: Any) -> None:
    async with running.http.post("/v1/login", json=PC | GUESS) as response:
        assert response.status == 404


MALFORMED: list[Any] = [
    PC,
    GUESS,
    PC | {"app": "phone"},
    PC | {"code": "x"},
    PC | GUESS | {"jwt": "a.b.c"},
    PC | GUESS | {"account": "alice"},
    PC | GUESS | {"openid": "o-alice"},
    PC | GUESS | {"unionid": "o-union"},
    PC | GUESS | {"session_key": "tiihtNczf5v6AKRyjwEUhQ=="},
    PC | GUESS | {"device": "d" * 24},
    PC | GUESS | {"device": {"id": "d" * 24}},
    PC | GUESS | {"device": {"id": "d" * 24, "secret": "ss_short"}},
    PC | GUESS | {"device": {"id": "d" * 24, "secret": "ss_" + "A" * 43, "account": "alice"}},
    PC | GUESS | {"name": "PC1\n"},
    PC | GUESS | {"code": ["guess"]},
    [],
]


@pytest.mark.parametrize("body", MALFORMED)
async def test_what_has_another_form_asks_nobody(start: Any, body: Any) -> None:
    async with lobby(start) as hall:
        status, answer = await hall.ask("POST", "/v1/login", body)
        assert (status, answer["error"]) == (400, "bad_request")
        assert hall.desk.asked == []


@pytest.mark.parametrize(
    ("failure", "status", "name", "retry_after"),
    [
        (Failure.INVALID, 401, "invalid_code", None),
        (Failure.USED, 401, "code_used", None),
        (Failure.BLOCKED, 403, "blocked", None),
        (Failure.TOO_MANY, 429, "slow_down", "60"),
        (Failure.MISCONFIGURED, 503, "upstream_unavailable", "1"),
    ],
)
async def test_refusals(
    start: Any, failure: Failure, status: int, name: str, retry_after: str | None
) -> None:
    async with lobby(start) as hall:
        code = hall.desk.answering(PHONE, failure)
        body = PC | {"app": code.app, "code": code.code}
        got, answer = await hall.ask("POST", "/v1/login", body)
        assert (got, answer["error"]) == (status, name)
        assert hall.headers.get("Retry-After") == retry_after


async def test_an_unknown_app_and_a_snapshot(start: Any) -> None:
    async with lobby(start) as hall:
        status, answer = await hall.ask("POST", "/v1/login", PC | {"app": "x", "code": "y"})
        assert (status, answer["error"]) == (400, "unknown_app")
        code = hall.desk.answering(SITE, Redeemed("o-virtual", snapshot=True))
        body = PC | {"app": code.app, "code": code.code}
        status, answer = await hall.ask("POST", "/v1/login", body)
        assert (status, answer["error"]) == (403, "snapshot_user")


async def test_a_bad_token_of_an_issuer(start: Any) -> None:
    async with lobby(start, ISSUER) as hall:
        status, answer = await hall.ask("POST", "/v1/login", PC | {"jwt": "a.b.c"})
        assert (status, answer["error"]) == (401, "bad_proof")
        assert RSA.kid not in answer["text"]


async def until_it_is_enough(asking: Callable[[int], Awaitable[tuple[int, Any]]]) -> list[Any]:
    """Ask until it is refused; the answers before that."""
    answers: list[Any] = []
    for number in range(20 * LOGINS_REFUSED_PER_MINUTE):
        status, answer = await asking(number)
        if status == 429:
            assert answer["error"] == "slow_down"
            return answers
        answers.append((status, answer["error"], answer["text"]))
    raise AssertionError("there is no end to it")


async def test_guessing_ends_after_a_minutes_worth(start: Any) -> None:
    async with lobby(start) as hall:

        def guess(number: int) -> Awaitable[tuple[int, Any]]:
            return hall.ask("POST", "/v1/login", PC | {"app": "phone", "code": f"guess-{number}"})

        answers = await until_it_is_enough(guess)
        assert len(answers) >= LOGINS_REFUSED_PER_MINUTE
        assert int(hall.headers["Retry-After"]) >= 1
        assert len(hall.desk.asked) == len(answers)


async def test_success_is_no_guessing_but_a_device_in_a_loop_waits(start: Any) -> None:
    async with lobby(start) as hall:
        first = await hall.log_in(PHONE, "o-alice-phone")
        for _ in range(LOGINS_PER_DEVICE_PER_MINUTE):
            await hall.log_in(PHONE, "o-alice-phone", device=device(first))
        body = PC | hall.code(PHONE, "o-alice-phone") | {"device": device(first)}
        status, _ = await hall.ask("POST", "/v1/login", body)
        assert status == 429
        # By its secret: who knows only the id can lock nobody out.
        other = {"id": first["device"], "secret": "ss_" + "A" * 43}
        await hall.log_in(PHONE, "o-alice-phone", device=other)


async def test_a_union_that_comes_later(start: Any) -> None:
    async with lobby(start) as hall:
        alice = await hall.log_in(SITE, "o-alice-site", "o-union-0")
        guest = await hall.log_in(PHONE, "o-alice-phone")
        info = info_of("o-alice-phone", "o-union-0")
        status, merged = await hall.ask("POST", "/v1/login/unionid", info, guest["token"])
        assert status == 200
        assert (merged["account"], merged["case"]) == (alice["account"], "merged")
        assert (merged["device"], merged["secret"]) == (guest["device"], None)
        status, _ = await hall.ask("POST", "/v1/login/unionid", info, guest["token"])
        assert status == 401


async def test_a_union_needs_a_session_and_has_no_other_field(start: Any) -> None:
    async with lobby(start) as hall:
        guest = await hall.log_in(PHONE, "o-alice-phone")
        info = info_of("o-alice-phone", "o-union-0")
        assert (await hall.ask("POST", "/v1/login/unionid", info))[0] == 401
        more = info | {"openid": "o-mallory"}
        assert (await hall.ask("POST", "/v1/login/unionid", more, guest["token"]))[0] == 400


async def test_the_oracle_is_one_answer_and_few_questions(start: Any) -> None:
    async with lobby(start) as hall:
        guest = await hall.log_in(PHONE, "o-alice-phone")
        info = info_of("o-alice-phone", "o-union-0")
        flawed = [info | {"iv": ""}, info | {"raw_data": "{}"}, info | {"encrypted_data": "AAAA"}]

        def try_one(number: int) -> Awaitable[tuple[int, Any]]:
            body = flawed[number % len(flawed)]
            return hall.ask("POST", "/v1/login/unionid", body, guest["token"])

        answers = await until_it_is_enough(try_one)
        assert set(answers) == {(401, "bad_proof", "The proof is not valid.")}
        assert (await hall.ask("POST", "/v1/login/unionid", info, guest["token"]))[0] == 429


def info_of(openid: str, unionid: str) -> dict[str, str]:
    """What a client passes on, of now."""
    info = user_info(time.time(), openid, unionId=unionid)
    return {"encrypted_data": info.encrypted_data, "iv": info.iv}
