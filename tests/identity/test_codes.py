"""Codes: one winner whatever comes at once, and a replay ends what it got."""

import asyncio
import logging
from typing import Any

import pytest

from syncd.identity.codes import Code, union_of
from syncd.identity.login import LoggedIn, installation
from syncd.identity.upstream import Failure, Redeemed
from syncd.identity.words import Declined
from syncd.persons import Subject, Union
from syncd.storage import Storage
from tests.identity.reception import KEY, LOOSE, PHONE, SITE, Reception

PC = installation("PC1", "pc")


async def refusal(reception: Reception, code: Code) -> Declined:
    with pytest.raises(Declined) as declined:
        await reception.login.log_in(code, PC)
    return declined.value


def test_a_union_is_believed_of_a_bound_app_alone() -> None:
    assert union_of(PHONE, "u") == Union("open", "u")
    assert union_of(PHONE, None) is None
    assert union_of(LOOSE, "u") is None


async def test_sixteen_at_once_have_one_winner_and_it_is_signed_out(storage: Storage) -> None:
    reception = Reception(storage)
    reception.desk.open.clear()
    code = reception.desk.code(PHONE, "o-alice")
    logins = [asyncio.create_task(reception.login.log_in(code, PC)) for _ in range(16)]
    await asyncio.sleep(0)
    reception.desk.open.set()
    done = await asyncio.gather(*logins, return_exceptions=True)
    [winner] = [each for each in done if isinstance(each, LoggedIn)]
    refused = [each.refusal.name for each in done if isinstance(each, Declined)]
    assert refused == ["code_used"] * 15
    assert reception.desk.asked == ["code-1"]
    # Nobody can know who of the sixteen was the thief.
    assert await reception.admitted(winner) == "signed_out"
    assert reception.ended == [(winner.device, "signed_out")]


async def test_a_replay_later_signs_out_what_the_code_got(storage: Storage) -> None:
    reception = Reception(storage)
    code = reception.desk.code(PHONE, "o-alice")
    first = await reception.login.log_in(code, PC)
    other = await reception.by(PHONE, "o-alice")
    assert (await refusal(reception, code)).refusal.name == "code_used"
    assert await reception.admitted(first) == "signed_out"
    assert not isinstance(await reception.admitted(other), str)
    assert reception.ended == [(first.device, "signed_out")]


async def test_a_replay_does_not_end_what_came_after_it(storage: Storage) -> None:
    reception = Reception(storage)
    code = reception.desk.code(PHONE, "o-alice")
    first = await reception.login.log_in(code, PC)
    again = await reception.by(PHONE, "o-alice", again=first)
    await refusal(reception, code)
    assert not isinstance(await reception.admitted(again), str)


async def test_codes_of_two_apps_with_one_text_are_two(storage: Storage) -> None:
    reception = Reception(storage)
    code = reception.desk.code(PHONE, "o-alice")
    reception.desk.open.clear()
    wrong = asyncio.create_task(refusal(reception, Code("site", code.code)))
    right = asyncio.create_task(reception.login.log_in(code, PC))
    await asyncio.sleep(0)
    reception.desk.open.set()
    assert (await wrong).refusal.name == "invalid_code"
    assert (await right).case.value == "created"


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (Failure.INVALID, "invalid_code"),
        (Failure.USED, "code_used"),
        (Failure.BLOCKED, "blocked"),
        (Failure.TOO_MANY, "slow_down"),
        (Failure.MISCONFIGURED, "upstream_unavailable"),
        (Failure.UNAVAILABLE, "upstream_unavailable"),
    ],
)
async def test_what_the_platform_says_no_to(storage: Storage, failure: Failure, name: str) -> None:
    reception = Reception(storage)
    declined = await refusal(reception, reception.desk.answering(PHONE, failure))
    assert declined.refusal.name == name
    assert declined.retry_after_s == (60 if failure is Failure.TOO_MANY else None)
    assert len(reception.desk.asked) == 1
    assert await reception.people.find(Subject("app:wx1", "o-alice")) is None


async def test_who_waits_is_told_what_the_first_was_told(storage: Storage) -> None:
    reception = Reception(storage)
    reception.desk.open.clear()
    code = reception.desk.answering(PHONE, Failure.UNAVAILABLE)
    both = [asyncio.create_task(refusal(reception, code)) for _ in range(2)]
    await asyncio.sleep(0)
    reception.desk.open.set()
    for each in both:
        assert (await each).refusal.name == "upstream_unavailable"
    assert len(reception.desk.asked) == 1


async def test_a_first_that_is_broken_off_lets_nobody_wait_for_ever(storage: Storage) -> None:
    reception = Reception(storage)
    reception.desk.open.clear()
    code = reception.desk.code(PHONE, "o-alice")
    first = asyncio.create_task(reception.login.log_in(code, PC))
    second = asyncio.create_task(refusal(reception, code))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).refusal.name == "upstream_unavailable"


async def test_a_second_that_gives_up_does_not_disturb_the_first(storage: Storage) -> None:
    reception = Reception(storage)
    reception.desk.open.clear()
    code = reception.desk.code(PHONE, "o-alice")
    first = asyncio.create_task(reception.login.log_in(code, PC))
    second = asyncio.create_task(reception.login.log_in(code, PC))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    reception.desk.open.set()
    assert not isinstance(await reception.admitted(await first), str)


@pytest.mark.parametrize("code", ["", "a b", "a" * 513, "ä", "\ud800", "a\n"])
async def test_what_cannot_be_a_code_is_not_asked_about(storage: Storage, code: str) -> None:
    reception = Reception(storage)
    assert (await refusal(reception, Code("phone", code))).refusal.name == "invalid_code"
    assert reception.desk.asked == []


async def test_an_app_that_nobody_named(storage: Storage) -> None:
    reception = Reception(storage)
    assert (await refusal(reception, Code("wx1", "code"))).refusal.name == "unknown_app"
    assert reception.desk.asked == []


async def test_a_snapshot_user_leaves_no_trace(storage: Storage) -> None:
    reception = Reception(storage)
    code = reception.desk.answering(SITE, Redeemed("o-virtual", "o-union", snapshot=True))
    assert (await refusal(reception, code)).refusal.name == "snapshot_user"
    assert await reception.people.find(Subject("app:wx2", "o-virtual")) is None
    real = await reception.by(SITE, "o-real", "o-union")
    assert real.case.value == "created"


async def test_the_session_key_is_kept_sealed_and_nothing_else(storage: Storage) -> None:
    reception = Reception(storage)
    done = await reception.by(PHONE, "o-alice")
    kept = await reception.people.sealed_key(done.device)
    assert kept is not None
    assert kept.sealed is not None
    assert KEY.encode() not in kept.sealed
    assert reception.sealing.open(kept.sealed, kept.subject) == KEY


async def test_no_code_is_logged(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reception = Reception(storage)
    code = reception.desk.code(PHONE, "o-alice")
    await reception.login.log_in(code, PC)
    await refusal(reception, code)
    await refusal(reception, reception.desk.answering(PHONE, Failure.MISCONFIGURED))
    said: list[Any] = [each.getMessage() for each in caplog.records]
    assert any("came again" in each for each in said)
    assert any("phone" in each for each in said)
    assert not any("code-" in each for each in said)
    assert repr(code) == "Code(app='phone')"
