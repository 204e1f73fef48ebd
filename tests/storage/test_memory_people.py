"""The reference backend's persons: what is its own. The contract is in test_people.py."""

import pytest

from syncd.limits import GRANTS_REMEMBERED
from syncd.model import AccountId, Epoch
from syncd.persons import SignedIn
from syncd.storage.memory import MemoryStorage
from syncd.storage.memory_log import Log
from syncd.storage.memory_people import aliases_of, home_of

from .reception import Visitors, hashed
from .works import ALICE, BOB, NOBODY

CAROL = AccountId("carol")


def closed(into: AccountId | None) -> Log:
    return Log(Epoch(b"epoch..."), merged_into=into)


def test_an_alias_leads_home_however_far() -> None:
    logs = {ALICE: closed(BOB), BOB: closed(CAROL), CAROL: closed(None)}
    assert [home_of(logs, each) for each in (ALICE, BOB, CAROL, NOBODY)] == [CAROL] * 3 + [None]
    assert aliases_of(logs, CAROL) == (ALICE, BOB)
    assert aliases_of(logs, ALICE) == ()


async def test_a_token_is_given_once() -> None:
    storage = MemoryStorage()
    first = await Visitors(storage).sign_in("alice")
    assert isinstance(first, SignedIn)
    with pytest.raises(KeyError):
        await Visitors(storage).sign_in("bob")


async def test_so_many_codes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GRANTS_REMEMBERED > 3
    monkeypatch.setattr("syncd.storage.memory_people.GRANTS_REMEMBERED", 3)
    visitors = Visitors(MemoryStorage())
    for number in range(5):
        await visitors.sign_in(f"person {number}", grant=f"code {number}")
    ended = [await visitors.people.replayed(hashed(f"code {number}")) for number in range(5)]
    assert [each is not None for each in ended] == [False, False, True, True, True]
