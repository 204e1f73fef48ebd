"""Commands with and without a server: the same answers, and never two writers."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def listed(commands: Any, account: str = "alice") -> list[dict[str, Any]]:
    ran = commands.run("devices", account, "--json")
    assert ran.returncode == 0, ran.stderr
    devices: list[dict[str, Any]] = json.loads(ran.stdout)["devices"]
    return devices


def test_a_token_without_a_server_opens_the_one_that_starts_later(
    commands: Any, start_server: Any
) -> None:
    token = commands.token("alice", "PC1")
    assert token.startswith("sd_")
    server = start_server()
    server.token("alice", "PC2")
    assert server.stop() == 0
    commands.token("alice", "PC3")
    assert [each["name"] for each in listed(commands)] == ["PC1", "PC2", "PC3"]


def test_the_server_answers_every_command(server: Any) -> None:
    token = server.run("token", "alice", "--device-name", "PC1", "--platform", "pc", "--json")
    device = json.loads(token.stdout)["device"]
    rotated = server.run("token", "alice", "--device", device)
    assert rotated.stdout.startswith("sd_")
    assert server.run("key", "shop").stdout.startswith("sk_")
    assert "PC1" in server.run("devices", "alice").stdout
    assert server.run("trim", "alice", "--before", "1").stdout == "0\n"
    assert server.run("standing", "alice", "active").stdout == "alice: active\n"
    assert server.run("logout", "alice").stdout == f"{device}\n"
    assert server.run("revoke", device).stdout == f"{device}\n"
    assert server.logged().count("< admin: ") == 8
    for refused in (("revoke", "0" * 24), ("devices", "nobody"), ("key", "shop")):
        ran = server.run(*refused)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith("syncd: ")


def test_commands_while_a_server_starts_wait_for_it(commands: Any, start_server: Any) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = [threads.submit(commands.token, "alice", f"PC{n}") for n in range(4)]
        starting = threads.submit(start_server)
        assert len({token.result() for token in tokens}) == 4
        server = starting.result()
    assert len(listed(server)) == 4


def test_many_commands_at_once_are_one_writer_at_a_time(commands: Any) -> None:
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda n: commands.token("alice", f"PC{n}"), range(6)))
    assert len(set(made)) == 6
    assert len(listed(commands)) == 6


@pytest.mark.parametrize("arguments", [("version",), ("--help",), ("serve", "--help")])
def test_asking_for_facts_needs_no_store(commands: Any, arguments: tuple[str, ...]) -> None:
    ran = commands.run(*arguments)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not commands.data.exists()
