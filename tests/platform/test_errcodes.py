"""The table of error codes is a table."""

import pytest

from syncd.platform import errcodes
from syncd.platform.errcodes import Errcode, Failed

TABLE = [value for value in vars(errcodes).values() if isinstance(value, Errcode)]


def test_no_number_has_two_meanings() -> None:
    assert len({row.number for row in TABLE}) == len(TABLE) > 30


@pytest.mark.parametrize("row", TABLE)
def test_a_failure_says_its_row(row: Errcode) -> None:
    assert str(Failed(row)) == f"{row.number} {row.text}"
    assert Failed(row).errcode is row
