"""The platform's own QR code as a second door: when it leads to the same account, and when not.

A mini-program on the phone and a website on the PC are two apps, so they see two openids. All that
says that both are one person's is the unionid, which the platform gives to apps that are bound to
one Open Platform account, and which the service believes of apps that its operator says are.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from syncd.identity.settings import LoginSettings
from syncd.identity.upstream import App, AppKind
from syncd.platform.silence import UnionidPolicy
from tests.platform.conftest import phone as phone
from tests.platform.conftest import town as town
from tests.platform.test_connect import decide, poll, qr_page, scanned
from tests.platform.town import PROGRAM, WEBSITE, Browser, Town, secret_of
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.pairings import Asker, let_in

Start = Callable[..., Awaitable[Running]]


@dataclass
class Doors:
    """A service, the platform that it asks, and Alice's phone."""

    running: Running
    town: Town
    phone: Browser

    async def on_the_phone(self) -> dict[str, Any]:
        """Alice's mini-program logs in, silently."""
        with self.town.world.db:
            code = self.town.world.login_code(PROGRAM, "alice", self.town.time)
        return await self._log_in("program", code)

    async def on_the_website(self) -> dict[str, Any]:
        """A PC shows the platform's QR code, Alice's phone says yes, and the site logs her in."""
        async with Browser(self.town) as pc:
            _, uuid = await qr_page(pc)
            await decide(self.phone, await scanned(self.phone, uuid), "allow")
            status, code = await poll(pc, uuid, last="404")
            assert status == 405
        return await self._log_in("website", code)

    async def _log_in(self, app: str, code: str) -> dict[str, Any]:
        status, answer = await Asker(self.running).post(
            "/v1/login", app=app, code=code, name=app, platform="pc"
        )
        assert status == 200, answer
        return answer


@pytest.fixture
def doors(start: Start, town: Town, phone: Browser) -> Callable[..., Awaitable[Doors]]:
    async def opened(program: str = "open", website: str = "open") -> Doors:
        """With what the operator says about which account each app is bound to."""
        apps = {
            "program": App("program", PROGRAM, secret_of(PROGRAM), AppKind.MINI_PROGRAM, program),
            "website": App("website", WEBSITE, secret_of(WEBSITE), AppKind.WEBSITE, website),
        }
        settings = LoginSettings(str(town.url), apps)
        return Doors(await start(store="memory:", login=settings), town, phone)

    return opened


async def test_apps_of_one_open_account_lead_to_one_account(doors: Any) -> None:
    alice = await doors()
    first, second = await alice.on_the_phone(), await alice.on_the_website()
    assert (first["case"], second["case"]) == ("created", "added")
    assert second["account"] == first["account"]
    assert second["device"] != first["device"]
    _, known = await Asker(alice.running, first["token"]).ask("GET", "/v1/self")
    assert [each["issuer"] for each in known["subjects"]] == [f"app:{PROGRAM}", f"app:{WEBSITE}"]


async def test_it_does_not_matter_which_door_came_first(doors: Any) -> None:
    alice = await doors()
    first, second = await alice.on_the_website(), await alice.on_the_phone()
    assert (second["case"], second["account"]) == ("added", first["account"])


async def test_an_app_that_the_platform_did_not_bind_makes_a_second_account(
    doors: Any, town: Town
) -> None:
    """It gives no unionid for it, and nothing else may be believed: the nickname would match."""
    with town.world.db:
        town.registry.bind(WEBSITE, None)
    alice = await doors()
    first, second = await alice.on_the_phone(), await alice.on_the_website()
    assert (first["case"], second["case"]) == ("created", "created")
    assert second["account"] != first["account"]


async def test_an_app_of_another_open_account_makes_a_second_account(
    doors: Any, town: Town
) -> None:
    """The two unionids are different texts, and the operator names two platforms."""
    with town.world.db:
        town.registry.add_account("other", UnionidPolicy.BOUND)
        town.registry.bind(WEBSITE, "other")
    alice = await doors(website="other")
    first, second = await alice.on_the_phone(), await alice.on_the_website()
    assert second["account"] != first["account"]


async def test_the_operators_word_is_needed_too(doors: Any) -> None:
    """Of an app that is bound to nothing by the settings no unionid is believed."""
    alice = await doors(website="")
    first, second = await alice.on_the_phone(), await alice.on_the_website()
    assert second["account"] != first["account"]


async def test_who_was_two_becomes_one_when_the_binding_comes(doors: Any, town: Town) -> None:
    """The next login by the second door brings the unionid: the guest turns out to be Alice."""
    with town.world.db:
        town.registry.bind(WEBSITE, None)
    alice = await doors()
    first, guest = await alice.on_the_phone(), await alice.on_the_website()
    with town.world.db:
        town.registry.bind(WEBSITE, "open")
    again = await alice.on_the_website()
    assert (again["case"], again["account"]) == ("merged", first["account"])
    assert guest["account"] != first["account"]


async def test_our_own_code_needs_no_platform(doors: Any, town: Town) -> None:
    """The PC becomes a device of the very account that said yes, whatever is bound to what."""
    with town.world.db:
        town.registry.bind(WEBSITE, None)
    alice = await doors()
    first = await alice.on_the_phone()
    pc = await let_in(Asker(alice.running, first["token"]))
    assert (pc["account"], pc["case"]) == (first["account"], "vouched")
