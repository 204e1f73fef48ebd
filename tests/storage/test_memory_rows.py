"""What is new in memory is as a new row is."""

from copy import deepcopy

from syncd import errors
from syncd.storage.memory_rows import StoredDevice, StoredSubject
from syncd.storage.remembered import Remembered

from .works import ALICE, PHONE


def test_a_new_device_is_signed_in_and_has_no_secret() -> None:
    made = StoredDevice(PHONE, ALICE, "PC1", "pc", b"token", Remembered())
    assert (made.credential, made.generation, made.revoked) == (1, 0, False)
    assert (made.ended, made.secret_hash, made.subject) == (None, None, None)


def test_a_copy_is_ended_by_the_same() -> None:
    made = StoredDevice(PHONE, ALICE, "PC1", "pc", b"token", Remembered(), ended_by="signed_out")
    assert deepcopy(made).ended is errors.SIGNED_OUT


def test_a_new_subject_waits_for_nobody() -> None:
    assert StoredSubject(ALICE).pending is None
