"""An alarm for each damage, and one only; what is remembered is bounded."""

import pytest

from syncd.damages import TOLD_MAX, Damages


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.getMessage() for record in caplog.records} <= {"! alarm: damaged"}
    return [record.__dict__["facts"]["what"] for record in caplog.records]


def test_each_damage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    damages = Damages()
    for damage in ("one", "other", "one", "other"):
        damages.tell(damage)
    assert told(caplog) == ["one", "other"]


def test_what_is_remembered_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    damages = Damages()
    for number in range(TOLD_MAX + 1):
        damages.tell(str(number))
    damages.tell(str(TOLD_MAX))
    damages.tell("0")
    assert told(caplog)[TOLD_MAX:] == [str(TOLD_MAX), "0"]
