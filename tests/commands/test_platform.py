"""`syncd platform`: every operation is a command, over a real socket."""

import asyncio
import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from syncd.commands.outcome import DECLINED, DONE, UNREACHABLE, USAGE
from syncd.platform.app import application
from syncd.platform.bell import Bell
from syncd.platform.clock import Clock
from syncd.platform.operations import OPERATIONS
from syncd.platform.provision import Provision
from syncd.platform.world import World
from tests.conftest import Ran
from tests.platform.town import database


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A platform on a thread of its own, since commands wait for their answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[web.AppRunner, str]:
        world = World(database(), Random(5).randbytes)
        clock, bell = Clock(), Bell()
        app = application(world, clock.now, bell)
        Provision(world, clock, bell).join(app)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"

    runner, address = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield address
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def tell(run: Callable[..., Ran], url: str) -> Callable[..., Ran]:
    def told(operation: str, *flags: str) -> Ran:
        return run("platform", operation, "--url", url, *flags)

    return told


def test_a_person_and_an_app_make_a_code(tell: Callable[..., Ran], tmp_path: Path) -> None:
    login = tmp_path / "login.toml"
    assert tell("person", "--person", "alice") == (DONE, "done\n", "")
    assert tell("account", "--account", "open")[0] == DONE
    flags = ["--name", "Inbox", "--owner", "owner", "--account", "open", "--login", str(login)]
    status, out, _ = tell("app", "--kind", "mini-program", *flags, "--as", "phone", "--json")
    made = json.loads(out)
    assert status == DONE
    status, out, _ = tell("app", "--kind", "website", *flags)
    assert status == DONE
    settings = tomllib.loads(login.read_text())
    assert set(settings) == {"upstream", "apps"}
    assert set(settings["apps"]) == {"phone", "Inbox"}
    assert settings["apps"]["phone"] == {**made, "kind": "mini-program", "platform": "open"}
    status, out, _ = tell("login-code", "--appid", made["appid"], "--person", "alice")
    assert status == DONE
    assert out.startswith("code=")
    assert tell("binding", "--appid", made["appid"], "--account", "none")[0] == DONE
    assert tell("clock", "--forward-s", "30", "--json")[0] == DONE


def test_what_is_declined_is_said(tell: Callable[..., Ran]) -> None:
    status, out, complaint = tell("person-state", "--person", "nobody", "--state", "ended")
    assert (status, out) == (DECLINED, "")
    assert "nobody" in complaint
    status, _, complaint = tell("clock", "--forward-s", "-1")
    assert status == USAGE
    assert "forward_s" in complaint


def test_no_platform_answers(run: Callable[..., Ran]) -> None:
    flags = ("--url", "http://127.0.0.1:9", "--person", "alice")
    assert run("platform", "person", *flags)[0] == UNREACHABLE


def test_a_platform_without_provisioning_is_told_apart(run: Callable[..., Ran], url: str) -> None:
    status, _, complaint = run("platform", "person", "--url", f"{url}/connect", "--person", "alice")
    assert status == DECLINED
    assert "--testing" in complaint


def test_provisioning_is_not_opened_to_other_machines(run: Callable[..., Ran]) -> None:
    status, _, complaint = run("platform", "serve", "--testing", "--host", "0.0.0.0")
    assert status == USAGE
    assert "--anyway" in complaint


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_explains_itself(
    operation: str, run: Callable[..., Ran], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run("platform", operation, "--help")
    assert left.value.code == 0
    assert "--url" in capsys.readouterr().out


def test_the_file_of_apps_is_toml_whatever_the_names(
    tell: Callable[..., Ran], tmp_path: Path
) -> None:
    login = tmp_path / "login.toml"
    login.write_text("[issuers]\n")
    flags = ["--kind", "website", "--owner", "owner", "--login", str(login)]
    for name in ("\N{GRINNING FACE}", 'a "b" \\ \x7f'):
        assert tell("app", "--name", name, *flags)[0] == DONE
        assert name in tomllib.loads(login.read_text())["apps"]
    assert tomllib.loads(login.read_text())["upstream"]


def test_an_app_that_the_file_has_is_not_made_again(
    tell: Callable[..., Ran], tmp_path: Path
) -> None:
    login = tmp_path / "new.toml"
    flags = ["--kind", "website", "--name", "Shop", "--owner", "owner", "--login", str(login)]
    assert tell("app", *flags)[0] == DONE
    assert login.stat().st_mode & 0o777 == 0o600
    before = login.read_text()
    status, _, said = tell("app", *flags)
    assert (status, login.read_text()) == (DECLINED, before)
    assert "already" in said
    login.write_text("[apps")
    assert tell("app", *flags)[0] == DECLINED
