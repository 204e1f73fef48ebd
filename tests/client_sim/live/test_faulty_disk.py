"""The library in front of the C library: points are counted, processes die there, clocks jump."""

import subprocess
import sys
from pathlib import Path

import pytest

from client_sim.house import CannotDo
from client_sim.live.faulty_disk import FaultyDisk, compiled

PROGRAM = """
import os, sys, time
os.chdir(sys.argv[1])
handle = os.open(sys.argv[1] + "/file", os.O_RDWR | os.O_CREAT)
os.pwrite(handle, b"0123456789", 0)
os.fsync(handle)
os.ftruncate(handle, 8)
os.rename(sys.argv[1] + "/file", sys.argv[1] + "/other")
os.link(sys.argv[1] + "/other", sys.argv[1] + "/third")
os.unlink(sys.argv[1] + "/third")
print(int(time.time() - float(sys.argv[2])), os.statvfs(".").f_bavail > 0)
"""
CALLS = [
    "create file 0",
    "pwrite file 10",
    "fsync file 0",
    "ftruncate file 8",
    "rename other 0",
    "link third 0",
    "unlink third 0",
]


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    try:
        library = compiled()
    except CannotDo as reason:
        pytest.skip(str(reason))
    (tmp_path / "store").mkdir()
    return FaultyDisk(tmp_path / "faults", tmp_path / "store", library)


def played(disk: FaultyDisk) -> subprocess.CompletedProcess[str]:
    now = subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout
    return subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM, str(disk.store), now],
        env=disk.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_every_point_is_counted_and_nothing_is_changed(disk: FaultyDisk) -> None:
    disk.begin("points")
    ran = played(disk)
    assert ran.stdout.split()[1] == "True", ran.stderr
    assert (disk.folder / "points").read_text().splitlines() == CALLS
    assert (disk.store / "other").read_bytes() == b"01234567"
    assert disk.synced == 1


@pytest.mark.parametrize(
    ("when", "held"), [("before", b""), ("half", b"01234"), ("after", b"0123456789")]
)
def test_a_process_dies_at_its_point_and_only_once(
    disk: FaultyDisk, when: str, held: bytes
) -> None:
    disk.begin("points")
    disk.begin("kill", f"2 {when}")
    assert played(disk).returncode == -9
    assert (disk.store / "file").read_bytes() == held
    assert len((disk.folder / "points").read_text().splitlines()) == 2
    assert not (disk.folder / "kill").exists()
    assert played(disk).returncode == 0


def test_points_are_counted_over_all_processes(disk: FaultyDisk) -> None:
    disk.begin("points")
    played(disk)
    disk.begin("kill", f"{len(CALLS) + 3} after")
    assert played(disk).returncode == -9
    assert (disk.store / "file").read_bytes() == b"0123456789"


def test_a_full_disk_and_a_wrong_clock(disk: FaultyDisk) -> None:
    disk.begin("full")
    disk.begin("clock", "-86400")
    days, room = played(disk).stdout.split()
    assert room == "False"
    assert -86401 <= int(days) <= -86380
    disk.end("full")
    disk.end("full")
    assert played(disk).stdout.split()[1] == "True"


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotDo, match="no C compiler"):
        compiled()


def test_what_cannot_be_compiled(disk: FaultyDisk, tmp_path: Path) -> None:
    source = tmp_path / "broken.c"
    source.write_text("this is no C")
    with pytest.raises(CannotDo, match=r"cannot compile broken\.c"):
        compiled(source)
