"""What an operator may ask: known by its name, and strict."""

import msgspec
import pytest

from syncd.persons import Standing
from syncd.server.requests import (
    Logout,
    Merge,
    Pending,
    Remap,
    Request,
    Stand,
    Subjects,
    Token,
    read_request,
)

REQUESTS: list[Request] = [
    Token("alice", "PC1", "pc"),
    Subjects("alice"),
    Merge("guest", "alice"),
    Stand("alice", Standing.GONE),
    Pending(),
    Remap("open", "/tmp/changes.csv"),
    Logout("alice", "d" * 24),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert read_request(msgspec.json.encode(request_)) == request_


@pytest.mark.parametrize(
    "line",
    [b"{}", b'{"command": "shutdown"}', b'{"command": "pending", "account": "alice"}', b"["],
)
def test_what_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's own texts
        read_request(line)
