"""What the service tells an account about itself can be read again, and nothing else can."""

import json

import pytest

from syncd.membership import Action, Change, write_change
from syncd.notices import DeviceAdded, Merge, read_notice, write_notice


@pytest.mark.parametrize(
    "notice",
    [
        Merge("guest", "alice", 3),
        Merge("guest", "alice", 3, {"team": 2}),
        DeviceAdded("0" * 32, "PC1", "pc"),
    ],
)
def test_a_notice_reads_as_it_was_written(notice):
    assert read_notice(write_notice(notice)) == notice


def test_a_notice_is_told_from_a_change_of_a_group_by_its_action():
    assert json.loads(write_notice(Merge("guest", "alice", 0)))["action"] == "merge"
    with pytest.raises(ValueError, match="action"):
        read_notice(write_change(Change(Action.CREATE)))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"action":"merge"}'])
def test_anything_else_is_no_notice(body):
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec chooses the words
        read_notice(body)
