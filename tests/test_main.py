"""The command line without a server: what is printed where, exit statuses, and one writer."""

import fcntl
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncd import __version__
from syncd.__main__ import main
from syncd.commands.outcome import DECLINED, DONE, UNREACHABLE, USAGE
from syncd.storage.sqlite import LOCK_NAME
from tests.conftest import Ran


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """`serve` configures the process's logging, and here the process is pytest's."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = before
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.NOTSET)


def test_the_token_stands_alone_on_standard_output(run: Callable[..., Ran]) -> None:
    status, out, err = run("token", "alice", "--device-name", "PC1", "--platform", "pc")
    assert status == DONE
    assert out.startswith("sd_")
    assert out.count("\n") == 1
    assert "\ndevice " in err
    assert out.strip() not in err


def test_who_makes_a_new_store_says_so(run: Callable[..., Ran], tmp_path: Path) -> None:
    made = f"made a new store in {tmp_path / 'store'}\n"
    assert run("key", "shop")[2] == f"{made}API key shop\n"
    assert run("key", "office")[2] == "API key office\n"


def test_json_is_for_machines(run: Callable[..., Ran]) -> None:
    _, out, _ = run("token", "alice", "--device-name", "PC1", "--platform", "pc", "--json")
    made = json.loads(out)
    assert set(made) == {"device", "token"}
    _, out, _ = run("devices", "alice", "--json")
    [listed] = json.loads(out)["devices"]
    assert (listed["device"], listed["name"]) == (made["device"], "PC1")
    _, out, _ = run("trim", "alice", "--before", "1", "--json")
    assert json.loads(out) == {"account": "alice", "floor": 0, "dropped": 0}
    _, out, _ = run("key", "shop", "--json")
    assert json.loads(out)["key"].startswith("sk_")
    _, out, _ = run("revoke", made["device"], "--json")
    assert json.loads(out)["revoked"] is True
    assert json.loads(run("version", "--json")[1]) == {"version": __version__}


def test_devices_are_shown_in_columns(run: Callable[..., Ran]) -> None:
    for name in ("PC1", "the other PC"):
        run("token", "alice", "--device-name", name, "--platform", "pc")
    status, out, _ = run("devices", "alice")
    titles, one, other = out.splitlines()
    assert status == DONE
    assert titles.split() == (
        ["device", "platform", "cursor", "head", "lag", "sent", "state", "verdict", "name"]
    )
    assert one.endswith("active  -        PC1")
    assert other.endswith("active  -        the other PC")


def test_a_token_is_rotated(run: Callable[..., Ran]) -> None:
    made = json.loads(
        run("token", "alice", "--device-name", "PC1", "--platform", "pc", "--json")[1]
    )
    status, out, _ = run("token", "alice", "--device", made["device"])
    assert status == DONE
    assert out.strip() != made["token"]


def test_people_are_cared_for_without_a_server(run: Callable[..., Ran], tmp_path: Path) -> None:
    devices = {}
    for account in ("alice", "guest"):
        made = run("token", account, "--device-name", "PC1", "--platform", "pc", "--json")[1]
        devices[account] = json.loads(made)["device"]
    assert run("merge", "guest", "alice") == (
        DONE,
        "guest is alice: 0 entries appended\n",
        f"device {devices['guest']} is signed out\n",
    )
    states = [line.split()[6] for line in run("devices", "alice")[1].splitlines()[1:]]
    assert states == ["active", "signed_out_by_merge"]
    assert run("logout", "guest")[1] == f"{devices['alice']}\n"
    assert run("standing", "alice", "leaving") == (DONE, "alice: leaving\n", "")
    assert run("subjects", "guest")[2] == "account alice is leaving\n"
    assert run("pending")[1].split()[0] == "account"
    changes = tmp_path / "changes.csv"
    changes.write_text("o-old,o-new\n")
    assert run("remap", "open", str(changes)) == (
        DONE,
        "0 links of open changed\n",
        "unknown: o-old\n",
    )


def test_version(run: Callable[..., Ran]) -> None:
    assert run("version") == (DONE, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("revoke", "0" * 24), "There is no such device."),
        (("revoke", "x"), "There is no such device."),
        (("devices", "nobody"), "The account does not exist."),
        (("devices", "a b"), "An account id is"),
        (("trim", "nobody", "--before", "1"), "The account does not exist."),
        (("trim", "alice", "--before", "0"), "A log begins with seq 1."),
        (("trim", "alice", "--before", "2"), "The head is 0; --before is at most 1."),
        (("erase", "nobody", "1"), "The account does not exist."),
        (("erase", "alice", "1"), "The log of alice holds no entry 1."),
        (("retain", "nobody"), "The account does not exist."),
        (("token", "a~b", "--device-name", "PC1", "--platform", "pc"), "An account id is"),
        (("key", "shop"), "A key of this name exists."),
        (("subjects", "nobody"), "The account does not exist."),
        (("merge", "nobody", "alice"), "The account does not exist."),
        (("merge", "alice", "alice"), "These two accounts cannot be merged."),
        (("standing", "nobody", "gone"), "The account does not exist."),
        (("logout", "nobody"), "The account does not exist."),
        (("logout", "alice", "--keep", "x"), "There is no such device."),
        (("remap", "open", "/nothing.csv"), "The file cannot be read"),
    ],
)
def test_what_is_declined_is_one_sentence(
    run: Callable[..., Ran], arguments: tuple[str, ...], sentence: str
) -> None:
    run("token", "alice", "--device-name", "PC1", "--platform", "pc")
    run("key", "shop")
    status, out, err = run(*arguments)
    assert (status, out) == (DECLINED, "")
    assert err.startswith(f"syncd: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "alice"),
        ("token", "alice", "--device-name", "PC1"),
        ("serve", "--port", "x"),
        ("serve", "--config", "/nothing.toml"),
        ("serve", "--login", "/nothing.toml", "--port", "0"),
        ("devices", "alice", "--data", ""),
        ("retain", "alice", "--default", "--days", "1"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    run: Callable[..., Ran], arguments: tuple[str, ...]
) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (USAGE, "")
    assert err.startswith("syncd: ")
    assert err.count("\n") == 1


def test_version_as_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (DONE, f"{__version__}\n")


def test_a_second_server_on_the_same_folder_says_so(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("key", "shop")
    monkeypatch.setattr("syncd.server.app._STORE_FREE_S", 0.3)
    with (tmp_path / "store" / LOCK_NAME).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, out, err = run("serve", "--port", "0")
    assert (status, out) == (DECLINED, "")
    *before, last = err.splitlines()
    sentence = f"another syncd serves {tmp_path / 'store'}; stop it or choose another --data"
    assert last == f"syncd: {sentence}"
    assert sum("= waiting" in line for line in before) == 1


def test_a_port_that_is_taken_is_a_sentence(run: Callable[..., Ran]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = run("serve", "--port", str(port))
    assert (status, out) == (DECLINED, "")
    sentence = f"port {port} is taken, perhaps by another syncd; choose --port"
    assert err.splitlines()[-1] == f"syncd: {sentence}"


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("trim", "alice"), ("serve", "--x")])
def test_a_command_line_that_is_none(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE


def test_help_tells_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for status in ("0  ", "1  ", "2  ", "3  ", "4  ", "70 "):
        assert f"\n  {status}" in shown


@pytest.mark.parametrize(
    "arguments", [("devices", "alice"), ("revoke", "0" * 24), ("trim", "alice", "--before", "1")]
)
def test_looking_makes_no_store(
    run: Callable[..., Ran], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    status, _, err = run(*arguments)
    assert (status, err) == (DECLINED, f"syncd: There is no store in {tmp_path / 'store'}.\n")
    assert not (tmp_path / "store").exists()


def test_an_existing_store_keeps_its_scope(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ("token", "alice", "--device-name", "PC1", "--platform", "pc")
    (tmp_path / "store").mkdir()
    assert run(*made, "--cursor-scope", "platform")[0] == DONE
    assert run(*made)[0] == DONE
    status, _, err = run("serve", "--port", "0")
    assert status == DECLINED
    assert "cursor scope platform" in err.splitlines()[-1]


def test_a_damaged_store_is_a_sentence(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "syncd.db").write_bytes(b"no database " * 1000)
    status, out, err = run("devices", "alice")
    assert (status, out) == (UNREACHABLE, "")
    assert err.count("\n") == 1


def test_a_folder_that_is_a_file_is_a_sentence(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    status, out, err = run("key", "shop")
    assert (status, out) == (UNREACHABLE, "")
    assert err.count("\n") == 1


def test_a_store_that_is_held_in_silence_is_not_written(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("token", "alice", "--device-name", "PC1", "--platform", "pc")
    monkeypatch.setattr("syncd.commands.asking.ANSWERING_SOON_S", 0.0)
    with (tmp_path / "store" / LOCK_NAME).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, out, err = run("token", "alice", "--device-name", "PC2", "--platform", "pc")
    assert (status, out) == (UNREACHABLE, "")
    assert "in use by another process, and nobody answers" in err
    assert len(json.loads(run("devices", "alice", "--json")[1])["devices"]) == 1


def test_a_command_that_needs_no_server_imports_none() -> None:
    program = (
        "import sys; from syncd.__main__ import main; main(['version']);"
        "sys.exit(bool({'aiohttp', 'cryptography', 'joserfc'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL).returncode == 0
    )
