"""Logging in in the pretended house, whatever becomes of its server meanwhile."""

import pytest

from client_sim.evidence import FreshCode, LoginRefused, Scanned, UsedCode
from client_sim.house import Enrolled
from client_sim.pretend.house import PretendHouse
from tests.client_sim.pretend.rooms import lived, passing

APP, PAGE = FreshCode("alice", "app"), FreshCode("alice", "page")


async def logged_in(house: PretendHouse, name: str, kept: Enrolled | None = None) -> Enrolled:
    return await house.log_in(name, "pc", kept, APP)


def test_a_device_keeps_its_id_and_gets_another_token() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        first = await logged_in(house, "PC1")
        assert first.secret
        again = await logged_in(house, "PC1", first)
        assert (again.device, again.account) == (first.device, first.account)
        assert (again.token != first.token, again.secret) == (True, "")
        other = await logged_in(house, "PC2")
        assert (other.device != first.device, other.account) == (True, first.account)

    lived(house, play())


def test_a_device_vouches_while_its_token_is_current() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        phone = await logged_in(house, "phone")
        pc = await house.log_in("PC1", "pc", None, Scanned("phone", phone.token))
        assert pc.account == phone.account
        await house.sign_out(phone.account)
        with pytest.raises(LoginRefused, match="signed_out"):
            await house.log_in("PC2", "pc", None, Scanned("phone", phone.token))

    lived(house, play())


def test_a_used_code_is_refused() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        await logged_in(house, "phone")
        with pytest.raises(LoginRefused, match="code_used"):
            await house.log_in("PC1", "pc", None, UsedCode("phone"))

    lived(house, play())


def test_an_operator_merges_two_accounts_once() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        phone, tablet = await logged_in(house, "phone"), await house.log_in("t", "pc", None, PAGE)
        await house.merge(tablet.account, phone.account)
        with pytest.raises(LoginRefused, match="merge_refused"):
            await house.merge(tablet.account, phone.account)

    lived(house, play())


@pytest.mark.parametrize("kind", ["crash_between", "commit_unknown", "commit_refused"])
def test_whoever_hears_no_answer_asks_again(kind: str) -> None:
    house = PretendHouse(3, weather={kind: 0.3})

    async def play() -> None:
        phone = await logged_in(house, "phone")
        for _ in range(20):
            assert (await logged_in(house, "phone", phone)).device == phone.device
        await passing(5)  # until the server that died last is there again

    lived(house, play())
    assert house.faults[kind]
