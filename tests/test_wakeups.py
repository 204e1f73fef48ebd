"""Who is woken for what: every sleeper of a grown account, and nobody else."""

from syncd.model import AccountId
from syncd.wakeups import Wakeups
from tests.drafts import ALICE, BOB, CAROL


class Sleeper:
    """Counts; and may forget itself when it wakes, as a closing connection does."""

    def __init__(self, wakeups: Wakeups, forgets: AccountId | None = None) -> None:
        self.woken_times = 0
        self._wakeups = wakeups
        self._forgets = forgets

    def woken(self) -> None:
        self.woken_times += 1
        if self._forgets is not None:
            self._wakeups.forget(self._forgets, self)


def test_every_device_of_a_grown_account_is_woken() -> None:
    wakeups = Wakeups()
    first, second, other = (Sleeper(wakeups) for _ in range(3))
    wakeups.listen(ALICE, first)
    wakeups.listen(ALICE, second)
    wakeups.listen(BOB, other)
    wakeups.wake({ALICE})
    assert [each.woken_times for each in (first, second, other)] == [1, 1, 0]
    wakeups.wake({ALICE, BOB, CAROL})
    assert [each.woken_times for each in (first, second, other)] == [2, 2, 1]


def test_whoever_was_forgotten_sleeps_on() -> None:
    wakeups = Wakeups()
    sleeper = Sleeper(wakeups)
    wakeups.listen(ALICE, sleeper)
    wakeups.forget(ALICE, sleeper)
    wakeups.forget(ALICE, sleeper)  # no error
    wakeups.wake([ALICE])
    assert sleeper.woken_times == 0
    assert wakeups.accounts() == []


def test_forgetting_itself_while_waking_leaves_out_nobody() -> None:
    wakeups = Wakeups()
    sleepers = [Sleeper(wakeups, ALICE) for _ in range(4)]
    for sleeper in sleepers:
        wakeups.listen(ALICE, sleeper)
    wakeups.wake([ALICE])
    assert [each.woken_times for each in sleepers] == [1, 1, 1, 1]
    assert wakeups.accounts() == []


def test_one_that_goes_leaves_the_others() -> None:
    wakeups = Wakeups()
    first, second = Sleeper(wakeups), Sleeper(wakeups)
    wakeups.listen(ALICE, first)
    wakeups.listen(ALICE, second)
    wakeups.forget(ALICE, first)
    wakeups.wake([ALICE])
    assert (first.woken_times, second.woken_times) == (0, 1)
    assert wakeups.accounts() == [ALICE]


def test_the_first_look_wakes_everybody_and_later_ones_whoever_moved() -> None:
    wakeups = Wakeups()
    wakeups.listen(ALICE, Sleeper(wakeups))
    wakeups.listen(BOB, Sleeper(wakeups))
    assert wakeups.moved({ALICE: 0, BOB: 7}) == [ALICE, BOB]
    assert wakeups.moved({ALICE: 0, BOB: 7}) == []
    assert wakeups.moved({ALICE: 1, BOB: 7}) == [ALICE]
    assert wakeups.moved({ALICE: 1, BOB: 3}) == [BOB]  # a head that fell is news, too


def test_accounts_that_nobody_sleeps_on_are_not_remembered() -> None:
    wakeups = Wakeups()
    sleeper = Sleeper(wakeups)
    wakeups.listen(ALICE, sleeper)
    wakeups.moved({ALICE: 5})
    wakeups.forget(ALICE, sleeper)
    assert wakeups.moved({ALICE: 5}) == []  # left while the look was under way
    wakeups.listen(ALICE, sleeper)
    assert wakeups.moved({ALICE: 5}) == [ALICE]
