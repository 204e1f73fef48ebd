"""The table of operations: strict about what it takes."""

import msgspec
import pytest

from syncd.platform.operations import OPERATIONS, AppGiven, AppMade, Operation
from syncd.platform.registry import AppKind


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_takes_no_field_that_it_does_not_know(operation: Operation) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"unknown": 1}', type=operation.takes)
    assert operation.text


@pytest.mark.parametrize("person", [b'""', b"1", b"null", b'"' + b"a" * 129 + b'"'])
def test_a_name_is_a_short_text(person: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"person": ' + person + b"}", type=OPERATIONS["person"].takes)


def test_enumerations_are_given_by_their_values() -> None:
    body = b'{"kind": "mini-program", "name": "Inbox", "owner": "owner"}'
    given = msgspec.json.decode(body, type=OPERATIONS["app"].takes)
    assert msgspec.json.decode(msgspec.json.encode(given))["kind"] == "mini-program"


def test_no_secret_is_in_a_repr() -> None:
    assert "s3cret" not in repr(AppMade("wx", "s3cret"))
    assert "s3cret" not in repr(AppGiven(AppKind.MOBILE, "Inbox", "owner", secret="s3cret"))
