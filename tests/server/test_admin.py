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

from syncd.limits import TRIM_UNASKED_ENTRIES
from syncd.membership import Action, Change
from syncd.model import AccountId
from syncd.server.admin import (
    SOCKET_NAME,
    AdminSocket,
    Answer,
    Devicelist,
    Erase,
    Import,
    Key,
    NobodyAnswers,
    Request,
    Retain,
    Revoke,
    Sweep,
    Token,
    Trim,
    ask,
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


async def test_a_device_is_made_listed_rotated_and_revoked(running: Any) -> None:
    made = (await asked(running, Token("alice", "PC1", "pc")))["ok"]
    [listed] = (await asked(running, Devicelist("alice")))["ok"]["devices"]
    assert (listed["device"], listed["name"], listed["platform"]) == (made["device"], "PC1", "pc")
    rotated = (await asked(running, Token("alice", device=made["device"])))["ok"]
    assert rotated["device"] == made["device"]
    assert rotated["token"] != made["token"]
    revoked = (await asked(running, Revoke(made["device"])))["ok"]
    assert revoked["revoked"] is True


async def test_a_key_is_made_once(running: Any) -> None:
    made = (await asked(running, Key("shop")))["ok"]
    assert made["key"].startswith("sk_")
    assert (await asked(running, Key("shop")))["error"] == "bad_request"


async def test_a_log_is_trimmed(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    for _ in range(3):
        await running.service.publish("bob", b"x")
    bob = {"account": "bob"}
    assert (await asked(running, Trim("bob", 3)))["ok"] == {**bob, "floor": 2, "dropped": 2}
    assert (await asked(running, Trim("bob", 1)))["ok"] == {**bob, "floor": 2, "dropped": 0}
    refused = await asked(running, Trim("bob", 5))
    assert (refused["error"], refused["text"]) == (
        "bad_request",
        "The head is 3; --before is at most 4.",
    )
    assert (await asked(running, Trim("bob", 4)))["ok"] == {**bob, "floor": 3, "dropped": 1}
    assert (await asked(running, Trim("bob", 4)))["ok"] == {**bob, "floor": 3, "dropped": 0}
    assert (await asked(running, Trim("nobody", 1)))["error"] == "no_such_account"
    assert (await asked(running, Trim("bob", 0)))["error"] == "bad_request"


async def test_most_of_a_long_log_is_dropped_only_anyway(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    bodies = (running.service.publish("bob", b"x") for _ in range(TRIM_UNASKED_ENTRIES + 2))
    await asyncio.gather(*bodies)
    half = TRIM_UNASKED_ENTRIES // 2 + 1
    refused = await asked(running, Trim("bob", half + 2))
    assert (refused["error"], refused["text"]) == (
        "bad_request",
        "Nothing was dropped: it would have been 52 of 102 entries; --anyway drops them all the"
        " same.",
    )
    assert (await asked(running, Trim("bob", half + 1)))["ok"]["dropped"] == half
    assert (await asked(running, Trim("bob", 103)))["ok"]["dropped"] == half, "short by now"
    for _ in range(2):
        await asyncio.gather(*(running.service.publish("bob", b"x") for _ in range(100)))
    assert (await asked(running, Trim("bob", 303, anyway=True)))["ok"]["dropped"] == 200


async def test_a_body_is_erased(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    await running.service.publish("bob", b"x")
    assert (await asked(running, Erase("bob", 1)))["ok"] == {
        "account": "bob",
        "seq": 1,
        "logs": 1,
        "edits": [],
        "edits_erased": False,
    }
    assert (await asked(running, Erase("bob", 1)))["ok"]["logs"] == 0, "it was erased already"
    for account, seq, error in (
        ("bob", 2, "bad_request"),
        ("bob", -1, "bad_request"),
        ("nobody", 1, "no_such_account"),
    ):
        assert (await asked(running, Erase(account, seq)))["error"] == error


async def test_a_change_of_a_group_is_not_erased(running: Any) -> None:
    for account in ("alice", "bob"):
        await running.service.create_device(account, name="PC1", platform="pc")
    create = Change(Action.CREATE, (AccountId("alice"), AccountId("bob")))
    await running.service.change_group("friends", create, actor="alice")
    refused = await asked(running, Erase("bob", 1))
    assert (refused["error"], refused["text"]) == (
        "bad_request",
        "Entry 1 is a change of a group's members, not a message; its body cannot be erased.",
    )


async def test_what_is_kept_is_set_and_swept(running: Any) -> None:
    await running.service.create_device("bob", name="PC1", platform="pc")
    for _ in range(3):
        await running.service.publish("bob", b"x")
    nothing = {"account": "bob", "entries": None, "days": None}
    nothing |= {"default_entries": 0, "default_days": 0}
    assert (await asked(running, Retain("bob")))["ok"] == nothing
    assert (await asked(running, Retain("bob", days=30)))["ok"] == {**nothing, "days": 30}
    both = {**nothing, "entries": 1, "days": 30}
    assert (await asked(running, Retain("bob", 1)))["ok"] == both
    assert (await asked(running, Retain("bob")))["ok"] == both
    assert (await asked(running, Retain("bob", default=True)))["ok"] == nothing
    assert (await asked(running, Retain("bob", 1)))["ok"] == {**nothing, "entries": 1}
    assert (await asked(running, Retain("nobody", 1)))["error"] == "no_such_account"
    assert (await asked(running, Retain("bob", -1)))["error"] == "bad_request"
    assert (await asked(running, Sweep()))["ok"]["swept"] is False
    assert (await asked(running, Sweep(anyway=True)))["ok"]["dropped"] == 2


async def test_what_cannot_be_imported_is_declined(running: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path, Path(__file__)):
        assert (await asked(running, Import("bob", str(path))))["error"] == "bad_request"


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
