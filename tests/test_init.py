"""The public door: its names exist, and nobody pays for what was not asked for."""

import subprocess
import sys

import pytest

import syncd


@pytest.mark.parametrize("name", syncd.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(syncd, name) is not None


def test_other_names_do_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = syncd.nothing


def test_the_door_opens_without_the_server() -> None:
    program = "import sys, syncd; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
