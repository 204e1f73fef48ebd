"""The file that says which unionid is which."""

from pathlib import Path

import pytest

from syncd.identity.remap_file import read_changes
from syncd.identity.words import Declined
from syncd.persons import Remap


def changes(tmp_path: Path, text: bytes) -> list[Remap]:
    path = tmp_path / "changes.csv"
    path.write_bytes(text)
    return read_changes(path)


@pytest.mark.parametrize("text", [b"a,b\nc,d\n", b"old,new\r\na,b\r\n\r\nc,d", b'"a","b"\nc,d'])
def test_pairs(tmp_path: Path, text: bytes) -> None:
    assert changes(tmp_path, text) == [Remap("a", "b"), Remap("c", "d")]


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert changes(tmp_path, b"") == []


@pytest.mark.parametrize(
    ("text", "line"),
    [(b"a", 1), (b"a,b\nc,d,e", 2), (b"a,b\nc,", 2), (b"a,b\n\nc,\x07", 3), (b'a,"b', 1)],
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, text: bytes, line: int) -> None:
    with pytest.raises(Declined, match=f"^Line {line} is no pair"):
        changes(tmp_path, text)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(Declined, match="is no pair"):
        changes(tmp_path, b"a,\xff")


@pytest.mark.parametrize("text", [b"a,b\na,c", b"a,c\nb,c"])
def test_nobody_is_two(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(Declined, match="twice"):
        changes(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_changes(tmp_path / "nowhere")
