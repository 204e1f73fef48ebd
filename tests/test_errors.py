"""The table of refusals keeps what PROTOCOL.md promises about its codes."""

import pytest

from syncd import errors
from syncd.errors import TABLE, Refusal, Scope


def of(scope: Scope) -> list[Refusal]:
    return [row for row in TABLE if row.scope is scope]


def test_every_constant_is_a_row_and_every_row_a_constant() -> None:
    constants = [value for value in vars(errors).values() if isinstance(value, Refusal)]
    assert sorted(map(id, constants)) == sorted(map(id, TABLE))


@pytest.mark.parametrize("scope", [Scope.SOCKET, Scope.MESSAGE])
def test_codes_are_unique_within_their_scope(scope: Scope) -> None:
    codes = [row.code for row in of(scope)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("scope", Scope)
def test_names_are_unique_within_their_scope(scope: Scope) -> None:
    names = [row.name for row in of(scope)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", of(Scope.SOCKET), ids=lambda row: row.name)
def test_a_close_code_says_by_its_range_whether_to_come_back(row: Refusal) -> None:
    assert 4000 <= row.code <= 4999
    assert row.reconnect is (row.code < 4500)
    assert errors.BY_CLOSE_CODE[row.code] is row
    assert not row.definite  # what was unanswered when a socket closed may have happened


@pytest.mark.parametrize("row", of(Scope.MESSAGE), ids=lambda row: row.name)
def test_a_message_code_says_by_its_range_whether_to_retry(row: Refusal) -> None:
    assert row.code > 0
    assert row.reconnect is (row.code >= 100)
    assert row.definite  # it was certainly not appended
    assert errors.BY_MESSAGE_CODE[row.code] is row


@pytest.mark.parametrize("row", of(Scope.HTTP), ids=lambda row: row.name)
def test_an_http_refusal_has_an_error_status(row: Refusal) -> None:
    assert 400 <= row.code <= 599
    assert row.reconnect is (row.code >= 500 or row.code == 429)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.scope.value}-{row.name}")
def test_every_row_explains_itself(row: Refusal) -> None:
    assert row.name == row.name.lower()
    assert row.name.replace("_", "").isalnum()
    assert row.text.endswith(".")


@pytest.mark.parametrize("row", errors.AS_HTTP, ids=lambda row: row.name)
def test_over_http_a_refusal_means_the_same(row: Refusal) -> None:
    there = errors.AS_HTTP[row]
    assert there.scope is Scope.HTTP
    assert there.reconnect == row.reconnect
    if row.scope is Scope.MESSAGE:
        assert there.definite == row.definite


def test_close_names_fit_a_close_frame() -> None:
    assert max(len(row.name.encode()) for row in of(Scope.SOCKET)) <= 123


def test_codes_that_clients_rely_on_never_change() -> None:
    close = {row.name: row.code for row in of(Scope.SOCKET)}
    assert (close["draining"], close["slow_reader"]) == (4000, 4001)
    assert (close["malformed_frame"], close["fenced"]) == (4500, 4505)
    assert (errors.CONFLICT.code, errors.BUSY.code) == (1, 100)
