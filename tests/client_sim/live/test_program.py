"""A process by its command: what it is told and what it says."""

import sys
from pathlib import Path

import pytest

from client_sim.live.program import Command

SCRIPT = "import os, sys; print(sys.argv[1], os.environ['WORD']); sys.exit(3)"


async def test_words_arguments_and_environment(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        command = Command((sys.executable, "-c", SCRIPT))
        process = await command.start(("hello",), {"WORD": "world"}, log)
    assert process.stdout is not None
    assert await process.stdout.read() == b"hello world\n"
    assert await process.wait() == process.returncode == 3


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log, pytest.raises(OSError, match="No such file"):
        await Command(("/nowhere",)).start((), {}, log)
