"""Logins are told: who is on which device, what a merge brought, and whose sessions ended."""

from pathlib import Path

import pytest

from client_sim.history import Appended, Device, Merged, Record, Revoked, Send
from syncd.model import AccountId, CursorScope, DeviceId
from syncd.persons import Case, Merging, Proof, Shown, SignedIn, SignIn, Subject, Union
from syncd.recording.journal import Journal
from syncd.recording.storage import RecordedStorage
from syncd.recording.storage import recorded as over
from syncd.server.notices import NoticeWriter
from syncd.storage.memory import MemoryStorage
from tests.recording.conftest import recorded

P, G = AccountId("p1"), AccountId("g1")
UNION = Union("open", "u1")
APP, PAGE = Subject("app:a", "o1"), Subject("app:b", "o2")
_NOTICES = NoticeWriter()


def told(journal: Path, kind: type[Record]) -> list[Record]:
    return [each for each in recorded(journal) if isinstance(each, kind)]


class Town:
    """A storage that is recorded, and who logs in there."""

    def __init__(self, storage: RecordedStorage | MemoryStorage, drawn: int = 0) -> None:
        self.storage = storage
        self._drawn = drawn

    async def log_in(
        self, subject: Subject, account: AccountId, shown: str = "", union: Union | None = None
    ) -> SignedIn:
        self._drawn += 1
        device = DeviceId(f"{self._drawn:024x}")
        secret = (shown or device).encode().ljust(32, b".")
        done = await self.storage.people.sign_in(
            SignIn(
                proof=Proof(subject, union),
                shown=Shown(DeviceId(shown), secret) if shown else None,
                account=account,
                device=device,
                name="PC",
                platform="pc",
                secret_hash=secret,
                token_hash=f"token {self._drawn}".encode(),
                notices=_NOTICES,
            )
        )
        assert isinstance(done, SignedIn)
        return done


@pytest.fixture
async def town(journal: Path) -> Town:
    storage = over(MemoryStorage(CursorScope.DEVICE), Journal(journal))
    await storage.begin()
    return Town(storage)


async def test_a_login_tells_the_device_each_time(town: Town, journal: Path) -> None:
    first = await town.log_in(APP, P, union=UNION)
    again = await town.log_in(APP, P, shown=first.device, union=UNION)
    assert again.device == first.device
    assert [(each.device, each.account) for each in told(journal, Device)] == [
        (first.device, P),
        (first.device, P),
    ]
    other = await town.log_in(APP, P, union=UNION)
    [notice], [entry] = told(journal, Send), told(journal, Appended)
    assert (notice.message, notice.to) == (entry.message, (P,))
    assert told(journal, Device)[-1].device == other.device


async def test_a_merge_tells_what_it_brought(town: Town, journal: Path) -> None:
    await town.log_in(APP, P, union=UNION)
    tablet, tv = await town.log_in(PAGE, G), await town.log_in(PAGE, G)
    proven = await town.log_in(PAGE, G, shown=tablet.device, union=UNION)
    assert proven.case is Case.MERGED
    [merged] = told(journal, Merged)
    assert (merged.guest, merged.account, merged.prover) == (G, P, tablet.device)
    assert [(each.device, each.until_login) for each in told(journal, Revoked)] == [
        (tv.device, True)
    ]
    added, notice = told(journal, Send)
    assert [
        (each.account, each.seq, each.message, each.merged) for each in told(journal, Appended)
    ] == [
        (G, 1, added.message, False),
        (P, 1, notice.message, False),
        (P, 2, added.message, True),
    ]


async def test_an_operators_merge_has_no_prover(town: Town, journal: Path) -> None:
    await town.log_in(APP, P, union=UNION)
    tablet = await town.log_in(PAGE, G)
    await town.storage.people.merge(Merging(G, P, _NOTICES))
    [merged] = told(journal, Merged)
    assert (merged.guest, merged.account, merged.prover) == (G, P, "")
    assert [each.device for each in told(journal, Revoked)] == [tablet.device]


async def test_who_is_signed_out_is_told(town: Town, journal: Path) -> None:
    first = await town.log_in(APP, P, union=UNION)
    await town.storage.people.sign_out(P, None)
    assert [(each.device, each.until_login) for each in told(journal, Revoked)] == [
        (first.device, True)
    ]


async def test_what_a_killed_recording_could_not_tell_is_told_at_the_next_start(
    journal: Path,
) -> None:
    inner = MemoryStorage(CursorScope.DEVICE)
    recording = over(inner, Journal(journal))
    await recording.begin()
    first = Town(recording)
    await first.log_in(APP, P, union=UNION)
    await first.log_in(APP, P, union=UNION)
    await Town(inner, drawn=2).log_in(APP, P, union=UNION)
    assert [each.seq for each in told(journal, Appended)] == [1]
    resumed = over(inner, Journal(journal))
    await resumed.begin()
    again = Town(resumed, drawn=3)
    assert [each.seq for each in told(journal, Appended)] == [1, 2]
    await again.log_in(APP, P, union=UNION)
    assert [each.seq for each in told(journal, Appended)] == [1, 2, 3]
