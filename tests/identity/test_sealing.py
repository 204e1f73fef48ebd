"""session_keys at rest: sealed for a subject, opened by any version, lost with the key file."""

import os
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.identity.sealing import FILE_NAME, Sealing, for_this_process, in_folder
from syncd.persons import Subject
from syncd.storage import StoreRefused

ALICE, BOB = Subject("app:wx1", "o-alice"), Subject("app:wx1", "o-bob")
KEY = "HyVFkGl5F5OQWJZZaNzBBg=="


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens_for_its_subject_alone(text: str) -> None:
    sealing = for_this_process()
    sealed = sealing.seal(text, ALICE)
    assert sealing.open(sealed, ALICE) == text
    assert sealing.open(sealed, BOB) is None
    assert sealing.open(sealed, Subject("app:wx2", ALICE.name)) is None


def test_nothing_of_the_text_shows_and_no_two_sealings_are_equal() -> None:
    sealing = for_this_process()
    one, other = sealing.seal(KEY, ALICE), sealing.seal(KEY, ALICE)
    assert KEY.encode() not in one
    assert one != other


@given(st.integers(0, 55), st.integers(1, 255))
def test_a_sealed_key_of_which_one_bit_was_changed_opens_nothing(place: int, bits: int) -> None:
    sealing = Sealing({1: bytes(32)})
    sealed = bytearray(sealing.seal(KEY, ALICE))
    assert len(sealed) == 56
    sealed[place] ^= bits
    assert sealing.open(bytes(sealed), ALICE) is None


@given(st.binary(max_size=40))
def test_what_was_never_sealed_opens_nothing(noise: bytes) -> None:
    assert Sealing({1: bytes(32)}).open(noise, ALICE) is None


def test_the_newest_version_seals_and_all_open() -> None:
    old, new = bytes(32), bytes([1]) * 32
    before, rotated, after = Sealing({1: old}), Sealing({1: old, 2: new}), Sealing({2: new})
    assert rotated.open(before.seal(KEY, ALICE), ALICE) == KEY
    assert after.open(rotated.seal(KEY, ALICE), ALICE) == KEY
    assert after.open(before.seal(KEY, ALICE), ALICE) is None


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = in_folder(tmp_path).seal(KEY, ALICE)
    file = tmp_path / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert in_folder(tmp_path).open(sealed, ALICE) == KEY
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


def test_a_draft_of_a_crash_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / "sealing.new").write_text("1 hal")
    assert in_folder(tmp_path).seal(KEY, ALICE)


def test_a_line_more_rotates_the_key(tmp_path: Path) -> None:
    before = in_folder(tmp_path).seal(KEY, ALICE)
    with (tmp_path / FILE_NAME).open("a") as file:
        file.write(f"2 {b64encode(os.urandom(32)).decode()}\n")
    sealing = in_folder(tmp_path)
    assert sealing.open(before, ALICE) == KEY
    assert sealing.seal(KEY, ALICE)[:4] == b"\0\0\0\2"


def test_with_another_key_file_nothing_opens_and_nothing_fails(tmp_path: Path) -> None:
    sealed = in_folder(tmp_path).seal(KEY, ALICE)
    (tmp_path / FILE_NAME).unlink()
    assert in_folder(tmp_path).open(sealed, ALICE) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1 short",
        "one " + b64encode(bytes(32)).decode(),
        "0 " + b64encode(bytes(32)).decode(),
    ],
)
def test_a_file_that_is_no_key_file_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    (tmp_path / FILE_NAME).chmod(0o600)
    with pytest.raises(StoreRefused, match="is no key file") as refused:
        in_folder(tmp_path)
    assert "AAAA" not in str(refused.value)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    in_folder(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(StoreRefused, match="chmod 600"):
        in_folder(tmp_path)
