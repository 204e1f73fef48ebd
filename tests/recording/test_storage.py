"""What became durable is told before anybody hears of it, and a changed past at the next start."""

from pathlib import Path

from client_sim.history import (
    Answer,
    Appended,
    Device,
    Floor,
    Record,
    Renewed,
    Revoked,
    Saved,
    Send,
)
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from syncd.membership import Action, Change
from syncd.model import AccountId, CursorMark, CursorScope, DeviceId, OpeningRequest, Work
from syncd.recording.journal import Journal
from syncd.recording.storage import recorded as over
from syncd.storage.memory import MemoryStorage
from syncd.wire import frames
from tests.recording.conftest import recorded
from tests.recording.test_tape import said
from tests.server.peers import ANNE, BEN, Town, until

PHONE = DeviceId("a1" * 12)


def told(journal: Path, kind: type[Record]) -> list[Record]:
    return [each for each in recorded(journal) if isinstance(each, kind)]


async def test_a_message_is_told_of_in_every_log_before_its_answer(
    town: Town, journal: Path
) -> None:
    peer = await town.live()
    await peer.say(frames.Send((said(1), said(2))))
    await peer.hear(frames.Answers)
    kinds = [type(each) for each in recorded(journal) if isinstance(each, Appended | Answer)]
    assert kinds == [Appended] * 4 + [Answer] * 2
    places = [(each.account, each.seq, each.generation) for each in told(journal, Appended)]
    assert places == [(ANNE, 1, 1), (ANNE, 2, 1), (BEN, 1, 1), (BEN, 2, 1)]


async def test_a_publication_is_told_once_however_often_its_key_is_used(
    town: Town, journal: Path
) -> None:
    for _ in range(2):
        await town.running.service.publish(ANNE, b"hello", key="k", publisher="p")
    first, again = told(journal, Send)
    [answer], [entry] = told(journal, Answer), told(journal, Appended)
    assert first.to == again.to == (ANNE,)
    assert answer.message == entry.message == first.message
    assert entry.body == first.body


async def test_a_group_is_told_by_the_logs_that_it_reaches(town: Town, journal: Path) -> None:
    service = town.running.service
    await service.change_group("team", Change(Action.CREATE, (ANNE, BEN)))
    await service.publish_to_group("team", b"hello")
    assert [each.account for each in told(journal, Appended)] == [ANNE, BEN] * 2
    assert {each.to for each in told(journal, Send)} == {()}


async def test_trims_and_revocations_are_told(town: Town, journal: Path) -> None:
    peer = await town.live()
    await town.publish(3)
    await town.running.service.revoke(told(journal, Device)[0].device)
    assert [each.device for each in told(journal, Revoked)] == [told(journal, Device)[0].device]
    await peer.socket.wait_closed()


async def test_a_cursor_is_told_as_it_is_stored(journal: Path) -> None:
    writing = Journal(journal)
    storage = over(MemoryStorage(CursorScope.DEVICE), writing)
    await storage.begin()
    await storage.create_account(ANNE)
    await storage.create_device(ANNE, PHONE, "phone", "pc", bytes(32))
    request = OpeningRequest(ANNE, PHONE, 1, "0" * 16, None)
    openings = (await storage.commit(Work(openings=(request, request)))).openings
    epoch = openings[0].epoch
    for generation in (2, 2, 1):
        mark = CursorMark(AccountId(ANNE), PHONE, generation, epoch, 0)
        await storage.commit(Work(cursors=(mark,)))
    assert await storage.trim(ANNE, 1) == 0
    writing.close()
    assert [(each.seq, each.generation) for each in told(journal, Saved)] == [(0, 2)]
    assert [(each.account, each.floor) for each in told(journal, Floor)] == [(ANNE, 0)]


async def test_another_past_is_told_at_the_next_start(journal: Path) -> None:
    for epochs, why in ((b"1", None), (b"1", "put back by hand"), (b"2", "restore")):
        storage = MemoryStorage(CursorScope.DEVICE, draw=lambda size, e=epochs: e * size)
        await storage.create_account(ANNE)
        writing = Journal(journal)
        await over(storage, writing).begin()
        if why is None:
            writing.tell("appended", account=ANNE, epoch="31" * 8, seq=4, message="m", body=None)
        else:
            assert [each.why for each in told(journal, Renewed)][-1] == why
        writing.close()


async def test_a_healthy_service_is_acquitted(town: Town, journal: Path) -> None:
    peer = await town.live()
    await peer.say(frames.Send((said(1),)))
    await peer.hear(frames.Answers)
    await peer.catch_up(1)
    await town.still_serves()
    await until(lambda: any(True for _ in told(journal, Saved)))
    judgement = judge(recorded(journal))
    assert judgement.ruling is Ruling.TRUE, judgement
    assert judgement.accepted == 2
