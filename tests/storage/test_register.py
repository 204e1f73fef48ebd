"""What the rows of login say in names is known by name."""

from syncd import errors
from syncd.storage.register import ENDINGS


def test_what_ends_a_session_is_found_by_its_name() -> None:
    for refusal in (errors.SIGNED_OUT, errors.SIGNED_OUT_BY_MERGE):
        assert ENDINGS[refusal.name] is refusal
