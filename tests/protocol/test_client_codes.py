"""Every code of the table, and the ranges of codes that only a newer server knows."""

import pytest

from syncd import errors
from syncd.protocol.client_codes import end_of, message_refusal
from syncd.protocol.client_commands import Ended

OWN, FOREIGN = frozenset(("00112233aabbccdd", "0011223344556677")), "ffffffffffffffff"


@pytest.mark.parametrize("refusal", errors.BY_CLOSE_CODE.values(), ids=lambda row: row.name)
def test_the_table_decides(refusal: errors.Refusal) -> None:
    expected = None if refusal.reconnect else Ended(refusal)
    assert end_of(refusal.code, None, OWN) == expected


@pytest.mark.parametrize("instance", sorted(OWN))
def test_an_own_instance_is_no_reason_to_give_up(instance: str) -> None:
    assert end_of(errors.FENCED.code, instance, OWN) is None


@pytest.mark.parametrize("instance", [FOREIGN, None])
def test_a_foreign_or_unknown_instance_is(instance: str | None) -> None:
    assert end_of(errors.FENCED.code, instance, OWN) == Ended(errors.FENCED, instance)


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 3000, 4321])
def test_everything_else_comes_back(code: int | None) -> None:
    assert end_of(code, None, OWN) is None


def test_an_unknown_code_of_the_upper_range_ends() -> None:
    ended = end_of(4999, None, OWN)
    assert ended is not None
    assert ended.refusal.code == 4999
    assert not ended.refusal.reconnect


@pytest.mark.parametrize("refusal", errors.BY_MESSAGE_CODE.values(), ids=lambda row: row.name)
def test_messages_are_refused_by_the_table(refusal: errors.Refusal) -> None:
    assert message_refusal(refusal.code) is refusal


@pytest.mark.parametrize(("code", "retryable"), [(99, False), (100 + 77, True)])
def test_unknown_message_codes_go_by_their_range(code: int, retryable: bool) -> None:
    assert message_refusal(code).reconnect is retryable
