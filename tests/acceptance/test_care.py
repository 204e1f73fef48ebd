"""Care of the data by the real commands, with and without a running server."""

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import syncd.client
from syncd.storage.sqlite import DATABASE_NAME
from tests.storage import damage

SECRET = b"what nobody may read any more"


def facts(ran: subprocess.CompletedProcess[str], status: int = 0) -> dict[str, Any]:
    assert ran.returncode == status, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


async def converse(server: Any, tokens: tuple[str, str], folder: Path, texts: list[bytes]) -> None:
    """Bob sends to Alice, and Alice's device receives all of it."""
    alice, bob = tokens
    async with (
        syncd.client.connect(server.websocket_url, token=bob, store=folder / "bob.db") as sender,
        syncd.client.connect(server.websocket_url, token=alice, store=folder / "a.db") as receiver,
    ):
        for text in texts:
            await sender.send_to("alice", text)
        seen: list[bytes | None] = []
        async for item in receiver:
            seen.append(item.entry.body)
            if seen[-1:] == texts[-1:]:
                break


def fill(server: Any, folder: Path, *texts: bytes) -> tuple[str, str]:
    tokens = (server.token("alice", "phone"), server.token("bob", "PC1"))
    asyncio.run(converse(server, tokens, folder, list(texts)))
    # Cursors are saved behind; what is compared later must not change by itself.
    while facts(server.run("devices", "alice", "--json"))["devices"][0]["cursor"] < len(texts):
        pass
    return tokens


@pytest.fixture(params=["while a server runs", "without a server"])
def filled(request: pytest.FixtureRequest, server: Any, commands: Any, tmp_path: Path) -> Any:
    fill(server, tmp_path, b"one", SECRET, b"three")
    if request.param == "while a server runs":
        return server
    assert server.stop() == 0
    return commands


def plant(data: Path, script: str) -> None:
    with closing(sqlite3.connect(data / DATABASE_NAME, isolation_level=None)) as connection:
        damage.run(connection, script)


def test_a_sound_store(filled: Any) -> None:
    ran = filled.run("check")
    assert ran.returncode == 0
    assert ran.stdout.endswith("2 logs, 6 entries (0 erased), 2 devices: sound\n")
    found = facts(filled.run("check", "--quick", "--json"))
    assert (found["sound"], found["entries"], found["findings"]) == (True, 6, [])


def test_a_damaged_store(filled: Any) -> None:
    assert filled.run("sweep").returncode == 0  # a pass of retention folds the journal
    plant(filled.data, "DELETE FROM entries WHERE log = 1 AND seq = 2")
    ran = filled.run("check")
    assert ran.returncode == 4
    assert "log alice, entry 2: it is missing\n" in ran.stdout
    found = facts(filled.run("check", "--json"), 4)
    assert {"where": "log alice, entry 2", "what": "it is missing"} in found["findings"]
    backup = filled.data.with_name("backup")
    ran = filled.run("backup", str(backup))
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "log alice, entry 2: it is missing" in ran.stderr
    assert not backup.exists()
    assert backup.with_name("backup.damaged-1").exists()
    assert filled.run("export", "alice", "--output", str(backup)).returncode == 4
    assert not backup.exists()


def test_a_backup_is_restored_under_new_epochs(filled: Any, commands: Any, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    ran = filled.run("backup", str(backup))
    assert (ran.returncode, ran.stdout) == (0, f"{backup}\n")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert filled.run("backup", str(backup)).returncode == 1
    assert facts(filled.run("check", "--file", str(backup), "--json"))["entries"] == 6
    before = facts(filled.run("devices", "alice", "--json"))["devices"]
    if filled is not commands:
        ran = filled.run("restore", str(backup), "--replace")
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "in use by another process; stop the server first" in ran.stderr
        assert filled.stop() == 0
    ran = commands.run("restore", str(backup))
    assert ran.returncode == 1
    assert "there is a store in" in ran.stderr
    restored = facts(commands.run("restore", str(backup), "--replace", "--json"))
    assert (restored["accounts"], restored["entries"], restored["sound"]) == (2, 6, True)
    assert Path(restored["replaced"]).exists()
    [after] = facts(commands.run("devices", "alice", "--json"))["devices"]
    assert after["device"] == before[0]["device"]
    assert after["epoch"] != before[0]["epoch"]


def test_a_restored_store_is_served_and_nothing_is_lost(
    server: Any, commands: Any, start_server: Any, tmp_path: Path
) -> None:
    tokens = fill(server, tmp_path, b"one", b"two")
    assert facts(server.run("backup", str(tmp_path / "backup"), "--json"))["sound"]
    asyncio.run(converse(server, tokens, tmp_path, [b"after the copy"]))
    assert server.stop() == 0
    ran = commands.run("restore", str(tmp_path / "backup"), "--replace")
    assert ran.returncode == 0
    assert "2 accounts, 4 entries" in ran.stdout
    again = start_server("--port", str(server.port))
    asyncio.run(converse(again, tokens, tmp_path, [b"after the restore"]))
    # What Bob's device still held came back by itself.
    [device] = facts(again.run("devices", "bob", "--json"))["devices"]
    assert device["head"] == 4
    assert facts(again.run("check", "--json"))["sound"]


def test_a_damaged_backup_is_restored_only_anyway(filled: Any, commands: Any) -> None:
    backup = filled.data.with_name("backup")
    assert filled.run("backup", str(backup)).returncode == 0
    with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        connection.execute("UPDATE logs SET head_sum = 1")
    other = ("--data", str(filled.data.with_name("other")))
    ran = filled.run("restore", str(backup), *other)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "its checksum does not end as its head says" in ran.stderr
    assert filled.run("restore", str(backup), *other, "--anyway").returncode == 0


def test_an_account_moves_to_another_store(filled: Any, start_server: Any, tmp_path: Path) -> None:
    stream = tmp_path / "alice.syncd"
    ran = filled.run("export", "alice", "--output", str(stream))
    assert (ran.returncode, ran.stdout) == (0, f"{stream}\n")
    assert stat.S_IMODE(stream.stat().st_mode) == 0o600
    assert filled.run("export", "alice", "--output", str(stream)).returncode == 1
    piped = subprocess.run(
        [sys.executable, "-m", "syncd", "export", "alice", "--data", str(filled.data)],
        capture_output=True,
        check=True,
    )
    assert piped.stdout == stream.read_bytes()

    cut = tmp_path / "cut"
    cut.write_bytes(piped.stdout[:-10])
    other = start_server(data=tmp_path / "other")
    for refused, sentence in (
        (("alice", str(cut)), "The stream was cut off"),
        (("bob", str(stream)), "The stream is the export of alice, not of bob."),
        (("alice", str(tmp_path / "nothing")), "The file cannot be read"),
    ):
        ran = other.run("import", *refused)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith(f"syncd: {sentence}")
    assert facts(other.run("import", "alice", str(stream), "--json"))["entries"] == 3
    ran = other.run("import", "alice", str(stream))
    assert (ran.returncode, ran.stderr) == (1, "syncd: The account alice exists in this store.\n")
    assert facts(other.run("check", "--json"))["entries"] == 3
    assert other.stop() == 0
    alone = ("--data", str(tmp_path / "third"))
    ran = filled.run("import", "alice", str(stream), *alone)
    assert ran.stdout == "alice: 3 entries up to 3, 1 devices\n"


def test_a_message_is_erased_wherever_it_was(filled: Any, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    assert filled.run("backup", str(backup)).returncode == 0
    ran = filled.run("erase", "alice", "2")
    assert (ran.returncode, ran.stdout) == (0, "erased in 2 logs\n")
    assert "backups and exports made before still hold it" in ran.stderr
    assert SECRET in backup.read_bytes()
    for path in filled.data.iterdir():
        if path.is_file():
            assert SECRET not in path.read_bytes()
    assert facts(filled.run("check", "--json"))["erased"] == 2
    erased = facts(filled.run("erase", "bob", "2", "--edits", "--json"))
    assert (erased["logs"], erased["edits"], erased["edits_erased"]) == (0, [], True)
    assert filled.run("erase", "bob", "2").stdout == "was erased already\n"
    for wrong in (("alice", "9"), ("nobody", "1"), ("alice", "0")):
        ran = filled.run("erase", *wrong)
        assert (ran.returncode, ran.stdout) == (1, "")


def test_a_stream_that_nobody_reads_to_its_end_is_cut_off(
    server: Any, commands: Any, tmp_path: Path
) -> None:
    fill(server, tmp_path, *(bytes([each]) * 30_000 for each in range(10)))
    assert server.stop() == 0
    with subprocess.Popen(
        [sys.executable, "-m", "syncd", "export", "alice", "--data", str(commands.data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        export.stdout.close()
        told = export.stderr.read()
    assert (export.returncode, told) == (
        1,
        "syncd: Whoever read the stream went away; it is cut off.\n",
    )


def test_devices_show_where_they_stand(filled: Any) -> None:
    titles, row = filled.run("devices", "alice").stdout.splitlines()
    shown = dict(zip(titles.split(), row.split(), strict=True))
    assert (shown["cursor"], shown["head"], shown["lag"]) == ("3", "3", "0")
    assert (shown["state"], shown["name"]) == ("active", "phone")


def test_how_much_is_kept(filled: Any) -> None:
    ran = filled.run("retain", "alice", "--entries", "1")
    assert ran.stdout == "alice: 1 entries, for ever (the service's default)\n"
    ran = filled.run("retain", "alice", "--days", "30")
    assert ran.stdout == filled.run("retain", "alice").stdout == "alice: 1 entries, 30 days\n"
    ran = filled.run("sweep")
    assert ran.stdout == "nothing dropped: it would have been 2 of 6 entries in 1 logs\n"
    assert facts(filled.run("sweep", "--anyway", "--json"))["dropped"] == 2
    [device] = facts(filled.run("devices", "alice", "--json"))["devices"]
    assert device["head"] == 3
    assert facts(filled.run("check", "--json"))["entries"] == 4
    assert filled.run("retain", "alice", "--default").returncode == 0
    assert filled.run("retain", "nobody", "--default").returncode == 1
    default = "alice: all entries (the service's default), for ever (the service's default)\n"
    assert filled.run("retain", "alice").stdout == default
    for unclear in (("--days", "-1"), ("--default", "--days", "1")):
        assert filled.run("retain", "alice", *unclear).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("backup", "copy"),
        ("export", "alice"),
        ("erase", "alice", "1"),
        ("sweep",),
        ("retain", "alice", "--default"),
        ("check", "--file", "nothing"),
        ("restore", "nothing"),
    ],
)
def test_where_there_is_nothing(commands: Any, arguments: tuple[str, ...]) -> None:
    ran = commands.run(*arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("syncd: ")
    assert ran.stderr.count("\n") == 1


def test_a_store_of_rubbish_is_damaged(commands: Any) -> None:
    commands.data.mkdir()
    (commands.data / DATABASE_NAME).write_bytes(b"no database " * 1000)
    ran = commands.run("check")
    assert ran.returncode == 4
    assert "database: it is no store: file is not a database" in ran.stdout
    backup = commands.run("backup", str(commands.data.with_name("backup")))
    assert backup.returncode == 4
    assert backup.stderr.count("\n") == 1
