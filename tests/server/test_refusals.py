"""A refusal over HTTP says what the table says, as JSON, and nobody keeps it."""

import json

import pytest

from syncd import errors
from syncd.errors import Refusal, Scope
from syncd.server.refusals import refused

ROWS = [row for row in errors.TABLE if row.scope is Scope.HTTP]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_of_the_table_becomes_a_response(row: Refusal) -> None:
    response = refused(row)
    assert response.status == row.code
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert json.loads(response.text or "") == {"error": row.name, "text": row.text}


def test_whoever_should_come_back_later_hears_when() -> None:
    assert refused(errors.SERVICE_BUSY, retry_after_s=3).headers["Retry-After"] == "3"
    assert "Retry-After" not in refused(errors.SERVICE_BUSY).headers


def test_a_refusal_of_another_scope_is_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        refused(errors.FENCED)
