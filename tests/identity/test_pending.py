"""An alarm when an app's logins contradict the linked unions, once until it is over."""

import logging

import pytest

from syncd.identity.pending import PendingShares
from syncd.limits import PENDING_WINDOW_LOGINS, PENDING_WINDOW_LOGINS_MIN

WX1, WX2 = "app:wx1", "app:wx2"


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


def test_few_logins_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shares = PendingShares()
    for _ in range(PENDING_WINDOW_LOGINS_MIN - 1):
        shares.saw(WX1, True)
    assert alarms(caplog) == []
    shares.saw(WX1, False)
    assert len(alarms(caplog)) == 1


def test_one_in_a_hundred_is_a_persons_affair(caplog: pytest.LogCaptureFixture) -> None:
    shares = PendingShares()
    for count in range(1000):
        shares.saw(WX1, count % 100 == 99)
    assert alarms(caplog) == []


def test_more_than_that_is_one_alarm_until_it_has_fallen(caplog: pytest.LogCaptureFixture) -> None:
    shares = PendingShares()
    for _ in range(2):
        for count in range(500):
            shares.saw(WX1, count % 20 == 0)
        for _ in range(PENDING_WINDOW_LOGINS):
            shares.saw(WX1, False)
    assert len(alarms(caplog)) == 2
    assert WX1 in alarms(caplog)[0]


def test_apps_are_counted_apart(caplog: pytest.LogCaptureFixture) -> None:
    shares = PendingShares()
    for _ in range(PENDING_WINDOW_LOGINS_MIN):
        shares.saw(WX1, False)
        shares.saw(WX2, True)
    [alarm] = alarms(caplog)
    assert WX2 in alarm
