"""Both ends together, through hundreds of seeded storms: judges look at the ledger at the end.

A failure prints its seed and weather; `World(seed, weather).run()` replays it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from syncd.committer import Committer, Lane
from syncd.model import Accepted, CursorScope, Identity
from syncd.protocol import commands, events, session
from syncd.protocol.delivery import Delivery
from syncd.protocol.sending import Sending
from syncd.protocol.verdict import Judgement
from syncd.protocol.window import AckJudgement, Window
from syncd.storage.memory import MemoryStorage
from syncd.storage.remembered import Remembered
from syncd.wakeups import Wakeups
from tests.protocol.pair_world import LatentStorage, Weather, World

POLLED, UNPOLLED = Weather(), Weather(polls=False)
TRIMMED = Weather(trims=True)
WEATHERS = ["polled", "unpolled", "trimmed"]


def judged(seed: int, weather: Weather) -> tuple[list[str], World]:
    world = World(seed, weather)
    world.run()
    complaints = [
        *world.ledger.complaints,
        *_one_effect(world),
        *_nothing_lost(world),
        *_sender_order(world),
        *_durable_answers(world),
        *_convergence(world),
    ]
    return complaints, world


def _one_effect(world: World) -> list[str]:
    found = []
    for account, log in world.ledger.logs.items():
        counted = Counter(entry.identity for entry in log)
        found += [f"one-effect: {account} {who}" for who, count in counted.items() if count > 1]
    return found


def _nothing_lost(world: World) -> list[str]:
    found = []
    for person in world.people.values():
        for number, made in world.ledger.queued[person.device].items():
            for account in (person.account, person.friend):
                bodies = [
                    entry.body
                    for entry in world.ledger.logs[account]
                    if entry.identity == Identity(person.device, number)
                ]
                if bodies != [made.body]:
                    found.append(f"lost or changed: {person.device} {number} in {account}")
        if person.store.refused:
            found.append(f"refused: {person.device} {person.store.refused}")
        if person.store.waiting or person.store.accepted:
            found.append(f"unanswered or without echo: {person.device}")
    return found


def _sender_order(world: World) -> list[str]:
    found = []
    for account, log in world.ledger.logs.items():
        numbers = defaultdict(list)
        for entry in log:
            numbers[entry.device].append(entry.number)
        found += [
            f"sender-fifo: {device} in {account}: {sent}"
            for device, sent in numbers.items()
            if sent != sorted(sent)
        ]
    return found


def _durable_answers(world: World) -> list[str]:
    found = []
    for person in world.people.values():
        log = world.ledger.logs[person.account]
        for number, seq in world.ledger.answered[person.device].items():
            wrong = seq is not None and log[seq - 1].identity != Identity(person.device, number)
            if wrong:
                found.append(f"durable-ack: {person.device} {number} at {seq}")
    return found


def _convergence(world: World) -> list[str]:
    found = []
    for person in world.people.values():
        log, store = world.ledger.logs[person.account], person.store
        if person.stopped is not None:
            found.append(f"stopped: {person.device} {person.stopped}")
        at = None if store.position is None else store.position.seq
        if at != len(log):
            found.append(f"convergence: {person.device} at {at}, head {len(log)}")
        announced = max((last for _, last in store.missing), default=0)
        for seq, entry in enumerate(log, 1):
            if seq > announced and store.entries.get(seq) != entry:
                found.append(f"prefix: {person.device} has another or no entry {seq}")
        if extra := [seq for seq in store.entries if seq > len(log)]:
            found.append(f"no-phantom: {person.device} {extra}")
    return found


@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("weather", [POLLED, UNPOLLED, TRIMMED], ids=WEATHERS)
def test_every_device_ends_with_the_same_log_after_any_storm(weather: Weather, block: int) -> None:
    faults: Counter[str] = Counter()
    messages = 0
    for seed in range(block * 6, block * 6 + 6):
        complaints, world = judged(seed, weather)
        assert not complaints, (seed, weather, complaints[:5])
        faults.update(world.ledger.faults)
        messages += sum(len(log) for log in world.ledger.logs.values())
    # A world in which nothing happens proves nothing.
    expected = {"cut", "device crash", "server crash", "refused commit", "failed read"}
    expected |= {"lost wake-up"} if weather.polls else set()
    expected |= {"trim"} if weather.trims else set()
    assert expected <= set(faults)
    assert messages > 300


def test_the_same_seed_is_the_same_world() -> None:
    first, second = (World(7, POLLED) for _ in range(2))
    assert first.run().logs == second.run().logs
    assert first.now() == second.now()


# ---------------------------------------------------------------- the judges bite


def forget_wakes_during_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    wake = Delivery.wake
    monkeypatch.setattr(Delivery, "wake", lambda self: None if self._reading else wake(self))


def acknowledge_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    read = session.Session._page_read

    def action(self: session.Session, event: events.PageRead, now: float) -> session.Commands:
        asked = read(self, event, now)
        sent = [each.page for each in asked if isinstance(each, commands.Deliver)]
        return asked + [self._save(page.epoch, page.to) for page in sent]

    monkeypatch.setattr(session.Session, "_page_read", action)


def start_new_devices_at_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = session.judge

    def at_head(position: Any, cursor: bool, opening: Any, scope: CursorScope) -> Judgement:
        if position is None:
            return Judgement(opening.head, opening.floor_chain)
        return judge(position, cursor, opening, scope)

    monkeypatch.setattr(session, "judge", at_head)


def trust_every_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(self: MemoryStorage, submission: Any, grown: set[Any], refusing: Any) -> Any:
        device = self._devices[submission.device]
        return tuple(self._append(device, draft, grown) for draft in submission.drafts)

    monkeypatch.setattr(MemoryStorage, "_submit", submit)


def forget_every_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remembered, "judge", lambda self, draft, floor: None)


def go_on_after_a_retryable_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lane, "refusing", property(lambda self: None, lambda self, refusal: None))
    committed = Sending.committed

    def hopeful(self: Sending, outcomes: Any) -> None:
        committed(self, outcomes)
        self._refusing = None

    monkeypatch.setattr(Sending, "committed", hopeful)


def wake_the_first_device_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def wake(self: Wakeups, accounts: Any) -> None:
        for account in accounts:
            for sleeper in self._sleepers.get(account, ())[:1]:
                sleeper.woken()

    monkeypatch.setattr(Wakeups, "wake", wake)


def never_free_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    def ack(self: Window, seq: int) -> AckJudgement:
        self.acked = seq
        return AckJudgement.TAKEN

    monkeypatch.setattr(Window, "ack", ack)


def answer_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Committer.append

    def hasty(self: Committer, lane: Lane, submission: Any, take: Any) -> None:
        take(tuple(Accepted(draft.number, None, False) for draft in submission.drafts))
        append(self, lane, submission, lambda outcomes: None)

    monkeypatch.setattr(Committer, "append", hasty)


def wake_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = LatentStorage.commit

    async def early(self: LatentStorage, work: Any) -> Any:
        for submission in work.submissions:
            for draft in submission.drafts:
                assert self.world.node is not None
                self.world.node.wakeups.wake_surely(draft.members)
        done = await commit(self, work)
        return replace(done, grown=frozenset())

    monkeypatch.setattr(LatentStorage, "commit", early)


def skip_to_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: Delivery, page: Any) -> Any:
        place = self.window.sent
        self.head = page.head
        if page.to == place:
            return None
        self.window.send(max(page.to, page.head), len(page.entries))
        return place

    monkeypatch.setattr(Delivery, "take", take)


WRONG_SCOPE = Weather(polls=False, scope=CursorScope.ACCOUNT, verify_start=False)
TRUSTING = Weather(polls=False, verify_start=False)

PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Weather, str]] = [
    (forget_wakes_during_reads, UNPOLLED, "convergence"),
    (acknowledge_what_is_sent, UNPOLLED, "cursor"),
    (start_new_devices_at_the_head, TRUSTING, "prefix"),
    (start_new_devices_at_the_head, UNPOLLED, "stopped"),
    (trust_every_generation, UNPOLLED, "fencing"),
    (forget_every_number, UNPOLLED, "one-effect"),
    (go_on_after_a_retryable_refusal, UNPOLLED, "refused"),
    (wake_the_first_device_alone, UNPOLLED, "convergence"),
    (never_free_the_window, UNPOLLED, "convergence"),
    (answer_before_the_commit, UNPOLLED, "lost or changed"),
    (wake_before_the_commit, UNPOLLED, "convergence"),
    (skip_to_the_head, UNPOLLED, "gap"),
    (lambda monkeypatch: None, WRONG_SCOPE, "prefix"),
]


@pytest.mark.parametrize(("plant", "weather", "verdict"), PLANTED)
def test_a_planted_bug_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None],
    weather: Weather,
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    for seed in range(60):
        complaints, _ = judged(seed, weather)
        if any(complaint.startswith(verdict) for complaint in complaints):
            return
    pytest.fail(f"{verdict} was never raised in 60 worlds")
