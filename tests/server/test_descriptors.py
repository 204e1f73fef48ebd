"""Room for connections, tried in processes of their own: the table never shrinks again."""

import resource
import subprocess
import sys

import pytest

from syncd.server.descriptors import PREPARED

SCRIPT = """
import resource
from pathlib import Path
from syncd.server.descriptors import prepare_descriptors

def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))

resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
before = open_files()
prepare_descriptors()
assert open_files() == before
status = Path("/proc/self/status").read_text().splitlines()
[places] = [line.split()[1] for line in status if line.startswith("FDSize:")]
print(*resource.getrlimit(resource.RLIMIT_NOFILE), places)
"""


def prepared(soft: int, hard: int) -> list[int]:
    """The limits and the places in the table of a process that began with these limits."""
    command = [sys.executable, "-c", SCRIPT.format(soft=soft, hard=hard)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [int(word) for word in ended.stdout.split()]


@pytest.mark.parametrize(("soft", "hard"), [(100, 1000), (4096, 4096)])
def test_all_that_is_allowed_is_prepared(soft: int, hard: int) -> None:
    *limits, places = prepared(soft, hard)
    assert limits == [hard, hard]
    assert places >= hard


def test_a_large_limit_is_no_large_table() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    *limits, places = prepared(100, hard)
    assert limits == [hard, hard]
    assert min(hard, PREPARED) <= places <= 2 * PREPARED
