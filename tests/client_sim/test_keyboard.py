"""Lines from pipes and files, without blocking the loop."""

import os
from pathlib import Path

from client_sim.keyboard import typed_lines


async def test_lines_of_a_pipe_come_as_they_are_written() -> None:
    reading, writing = os.pipe()
    lines = typed_lines(reading)
    os.write(writing, b"one\ntw")
    assert await anext(lines) == "one"
    os.write(writing, b"o\r\n\nlast without an end")
    os.close(writing)
    assert [line async for line in lines] == ["two", "", "last without an end"]
    os.close(reading)


async def test_lines_of_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("state\nquit\n")
    descriptor = os.open(tmp_path / "script", os.O_RDONLY)
    assert [line async for line in typed_lines(descriptor)] == ["state", "quit"]
    os.close(descriptor)


async def test_a_closed_terminal_is_the_end() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)
    assert [line async for line in typed_lines(reading)] == []
