"""The decisions of login that need no store. What does is in test_people.py and test_merging.py."""

from syncd import errors
from syncd.persons import Remap
from syncd.storage.signing_in import remapped, unlinkable

from .reception import subject

ALICE, SITE = subject("alice"), subject("a", "app:site")


def test_the_last_subject_stays() -> None:
    assert unlinkable([ALICE, SITE], ALICE, SITE) is None
    assert unlinkable([ALICE, SITE], ALICE, ALICE) is None
    assert unlinkable([ALICE], ALICE, ALICE) is errors.LAST_IDENTITY
    assert unlinkable([ALICE], ALICE, SITE) is errors.NOT_FOUND
    assert unlinkable([ALICE], SITE, ALICE) is errors.PROOF_NEEDED
    assert unlinkable([], ALICE, ALICE) is errors.PROOF_NEEDED


def test_unionids_are_changed_once_and_never_to_one_that_is_there() -> None:
    changes = [Remap("a", "x"), Remap("a", "y"), Remap("b", "x"), Remap("x", "z"), Remap("b", "a")]
    moved, unknown, taken = remapped(changes, {"a", "b"})
    assert moved == [Remap("a", "x")]
    assert unknown == ("a", "x"), "what was there before is meant, not what came"
    assert taken == ("x", "a"), "also one that is given up in the same list"
