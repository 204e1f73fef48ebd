"""A sub-command loads the real server; its last line is the result that the README describes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.results import Result


def _run(name: str, *options: object) -> Result:
    command = [sys.executable, "-m", "bench", name, "--quick", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)


@pytest.mark.skipif(shutil.which("cc") is None, reason="a delayed fsync needs a C compiler")
def test_a_server_is_measured_whose_disk_is_slow(tmp_path: Path) -> None:
    found = _run("core", "--only", "live", "--fsync-ms", 20, "--folder", tmp_path)
    assert found.settings["fsync_ms"] == 20
    assert set(found.figures) == {"live_p50_ms", "live_p99_ms"}
    # Nothing is delivered before it is durable: not a limit of time, but the delay itself.
    assert found.figures["live_p50_ms"].median > 20
    assert list(tmp_path.iterdir()) == []
