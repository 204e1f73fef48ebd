"""The admin socket: for the folder's owner, one line a request, whatever comes in."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.server.admin import SOCKET_NAME, AdminSocket, NobodyAnswers, ask
from syncd.server.requests import (
    Answer,
    Key,
    Request,
)


async def asked(running: Any, request: Request) -> Answer:
    return await asyncio.to_thread(ask, running.data, request)


async def lines(folder: Path, sent: bytes) -> list[Any]:
    """What the socket answers to these bytes, until it hangs up."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        path = f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
        reader, writer = await asyncio.open_unix_connection(path)
    finally:
        os.close(descriptor)
    writer.write(sent)
    writer.write_eof()
    answers = await reader.read()
    writer.close()
    return [json.loads(line) for line in answers.splitlines()]


async def test_only_the_owner_may_use_it(running: Any) -> None:
    mode = (running.data / SOCKET_NAME).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(running.data.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b'{"command":"drop"}',
        b'{"command":"key"}',
        b'{"command":"key","name":1}',
        b'{"command":"key","name":"a","other":1}',
        b'{"command":"revoke","device":"../x"}',
        b'{"command":"key","name":"\xff"}',
        b"[" * 10_000,
        b"GET / HTTP/1.1",
    ],
)
async def test_a_line_that_is_no_request_is_answered_as_one(running: Any, line: bytes) -> None:
    good = b'{"command":"key","name":"after"}\n'
    refused, made = await lines(running.data, line + b"\n" + good)
    assert refused["error"] in ("bad_request", "not_found")
    assert made["ok"]["name"] == "after"


async def test_a_line_without_an_end_is_hung_up_on(running: Any) -> None:
    assert await lines(running.data, b"x" * 100_000) == []
    assert "ok" in await asked(running, Key("after"))


async def test_a_fault_of_ours_is_not_told(running: Any, caplog: Any) -> None:
    async def fail(request: Request) -> Answer:
        raise LookupError("SELECT secret")

    folder = running.data / "other"
    folder.mkdir()
    admin = AdminSocket(folder, fail)
    await admin.start()
    answer = await asyncio.to_thread(ask, folder, Key("x"))
    await admin.close()
    assert answer["error"] == "internal"
    assert "SELECT" not in str(answer)
    assert "SELECT secret" in caplog.text


async def test_a_folder_with_a_long_name_is_no_obstacle(start: Callable[..., Any]) -> None:
    running = await start(store="memory:")
    folder = running.data
    for _ in range(4):
        folder = folder / ("long" * 20)
    folder.mkdir(parents=True)
    deep = await start(store=folder)
    assert len(str(folder / SOCKET_NAME)) > 108
    answer = await asyncio.to_thread(ask, folder, Key("x"))
    assert "ok" in answer
    assert deep.service.ready


async def test_the_socket_goes_with_the_server(tmp_path: Path) -> None:
    async def nothing(request: Request) -> Answer:
        return {}

    admin = AdminSocket(tmp_path, nothing)
    await admin.start()
    await admin.close()
    assert not (tmp_path / SOCKET_NAME).exists()
    with pytest.raises(NobodyAnswers):
        ask(tmp_path, Key("x"))


async def test_a_dead_servers_socket_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET_NAME))
    with pytest.raises(NobodyAnswers):
        ask(tmp_path, Key("x"))

    async def nothing(request: Request) -> Answer:
        return {"done": True}

    admin = AdminSocket(tmp_path, nothing)
    await admin.start()
    assert await asyncio.to_thread(ask, tmp_path, Key("x")) == {"ok": {"done": True}}
    await admin.close()


def test_nobody_answers_where_there_is_no_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", Path(__file__)):
        with pytest.raises(NobodyAnswers):
            ask(path, Key("x"))


async def test_closing_hangs_up_on_idle_lines(tmp_path: Path) -> None:
    async def nothing(request: Request) -> Answer:
        return {}

    admin = AdminSocket(tmp_path, nothing)
    await admin.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
    writer.write(b'{"command":"key","name":"x"}\n')
    assert await reader.readline() == b'{"ok":{}}\n'
    await admin.close()
    assert await reader.read() == b""
    writer.close()
