"""The file of a recording: continued, cut off, full, or somebody else's."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client_sim import history
from client_sim.history import Begin, Device, Process
from syncd.model import AccountId, CursorScope, DeviceId, Identity
from syncd.recording.journal import Journal, Place, fingerprint

ANNE, PHONE = AccountId("anne"), DeviceId("a1" * 12)


def begun(path: Path, clock: float = 10.0) -> Journal:
    journal = Journal(path, lambda: clock)
    journal.begin(CursorScope.DEVICE)
    return journal


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_it_begins_once_and_tells_of_every_start(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for _ in range(2):
        journal = begun(path)
        journal.meet(PHONE, ANNE, "Anne's phone", "phone")
        journal.meet(PHONE, ANNE)
        journal.close()
        journal.close()
    began, *told = history.read(path)
    assert isinstance(began, Begin)
    assert began.world == "recorded"
    assert began.versions[1] == "cursor scope device"
    assert [type(each) for each in told] == [Process, Device, Process] * 2
    assert [each.state for each in told if isinstance(each, Process)] == ["started", "stopped"] * 2
    assert {each.by for each in told} == {"server"}


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    begun(tmp_path / "journal").close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = begun(path, 100.0)
    assert journal.next_session() == 1
    journal.tell("closed", device=PHONE, session=journal.next_session())
    journal.tell("appended", account=ANNE, epoch="e1", seq=7, message="m", body=None)
    journal.close()
    # The machine was started anew: its clock begins at nought.
    again = begun(path, 3.0)
    assert again.next_session() == 3
    assert again.known == {ANNE: Place("e1", 7)}
    again.close()
    moments = [each.at for each in history.read(path)]
    assert moments == sorted(moments)


def test_half_a_line_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    begun(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"what":"proc')
    begun(path).close()
    assert path.read_bytes().startswith(whole)
    assert len(history.read(path)) == 5


@pytest.mark.parametrize("text", [b"# Notes\n", b'{"what":1}\n', b"\xff\n"])
def test_somebody_elses_file_is_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "notes"
    path.write_bytes(text)
    with pytest.raises(OSError, match="line 1 is no record of a journal"):
        Journal(path)
    assert path.read_bytes() == text


def test_only_a_file_is_written_to() -> None:
    with pytest.raises(OSError, match="no regular file"):
        Journal(Path("/dev/null"))


def test_a_full_disk_ends_it_with_one_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "syncd")
    path = tmp_path / "journal"
    journal = begun(path)
    whole = path.read_bytes()
    for room in (0, 20):
        with files_up_to(len(whole) + room):
            journal.tell("revoked", device=PHONE)
    journal.close()
    assert path.read_bytes() == whole
    assert [each.message for each in caplog.records] == ["! the journal ends here: File too large"]


def test_half_a_record_is_taken_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "syncd")
    path = tmp_path / "journal"
    journal = begun(path)
    whole = path.read_bytes()
    with files_up_to(len(whole) + 20):
        journal.tell("revoked", device=PHONE)
    assert path.read_bytes() == whole
    assert [each.message for each in caplog.records] == [
        "! the journal ends here: No space left on device"
    ]


def test_a_fingerprint_tells_bodies_apart() -> None:
    assert fingerprint(b"a") != fingerprint(b"b")
    assert len(fingerprint(b"a")) == 16
    one, other = (Identity(DeviceId("d"), number) for number in (1, 2))
    assert fingerprint(b"a") == fingerprint(b"a", 2, one)
    without = {fingerprint(b"", kind, about) for kind in (4, 5) for about in (one, other)}
    assert len(without) == 4
