"""The door to login's rows in the pretended server: what a login did to logs is told."""

from client_sim.evidence import FreshCode
from client_sim.history import Appended, Merged, Revoked, Send
from client_sim.pretend.house import PretendHouse
from syncd.model import Kind
from tests.client_sim.pretend.rooms import app, lived, told

PERSON = "alice"


def test_a_merge_is_told_with_all_that_it_brought() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        phone = await house.log_in("phone", "phone", None, FreshCode(PERSON, "app"))
        tablet = await house.log_in("tablet", "tablet", None, FreshCode(PERSON, "page"))
        other = await house.log_in("TV", "tv", None, FreshCode(PERSON, "page"))
        device = await app(house, "tablet", tablet)
        await device.send_to(tablet.account, b"hello")
        await device.close()
        late = FreshCode(PERSON, "page", consent=True)
        assert (await house.log_in("tablet", "tablet", tablet, late)).account == phone.account
        history = house.history
        [merged] = told(history, Merged)
        assert (merged.guest, merged.account) == (tablet.account, phone.account)
        assert merged.prover == tablet.device
        assert [each.device for each in told(history, Revoked)] == [other.device]
        at = history.records.index(merged)
        after = [each for each in history.records[at:] if isinstance(each, Appended)]
        [added, announced] = [each for each in told(history, Send) if each.kind == Kind.SYSTEM]
        assert [(each.message, each.merged) for each in after] == [
            (announced.message, False),
            (added.message, True),
            (f"{tablet.device}#1", True),
        ]

    lived(house, play())
    assert all(each.until_login for each in told(house.history, Revoked))


def test_a_returning_device_changes_no_log() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        kept = await house.log_in("phone", "phone", None, FreshCode(PERSON, "app"))
        await house.log_in("phone", "phone", kept, FreshCode(PERSON, "app"))

    lived(house, play())
    assert not told(house.history, Appended)
    assert not told(house.history, Send)
