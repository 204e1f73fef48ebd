"""Everything about login over one store: a platform to give out codes, and who was told what."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from syncd.errors import Refusal
from syncd.identity.accounts import Accounts
from syncd.identity.codes import Code, Codes
from syncd.identity.devices import Admission, Devices
from syncd.identity.issuers import Issuer, Issuers
from syncd.identity.login import LoggedIn, Login, Surroundings, installation
from syncd.identity.sealing import Sealing
from syncd.identity.upstream import App, AppKind, Failure, Redeemed
from syncd.model import AccountId, DeviceId
from syncd.server.notices import NoticeWriter
from syncd.storage import Storage

PHONE = App("phone", "wx1", "hush", AppKind.MINI_PROGRAM, "open")
SITE = App("site", "wx2", "hush", AppKind.WEBSITE, "open")
LOOSE = App("loose", "wx3", "hush", AppKind.WEBSITE)
APPS = {each.name: each for each in (PHONE, SITE, LOOSE)}
KEY = "tiihtNczf5v6AKRyjwEUhQ=="


@dataclass
class Desk:
    """A platform: every code is good once. `open` lets answers out."""

    answers: dict[tuple[str, str], Redeemed | Failure] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _used: set[tuple[str, str]] = field(default_factory=set)
    _given: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    def code(self, app: App, openid: str, unionid: str | None = None) -> Code:
        """A new code of a person."""
        key = KEY if app.kind is AppKind.MINI_PROGRAM else None
        return self.answering(app, Redeemed(openid, unionid, key))

    def answering(self, app: App, answer: Redeemed | Failure) -> Code:
        """A new code with this answer."""
        self._given += 1
        code = f"code-{self._given}"
        self.answers[app.appid, code] = answer
        return Code(app.name, code)

    async def redeem(self, app: App, code: str) -> Redeemed | Failure:
        self.asked.append(code)
        await self.open.wait()
        if (app.appid, code) in self._used:
            return Failure.USED
        answer = self.answers.get((app.appid, code), Failure.INVALID)
        if isinstance(answer, Redeemed):
            self._used.add((app.appid, code))
        return answer


class NoKeys:
    """Issuers' keys that cannot be had."""

    async def fetch(self, url: str) -> bytes | None:
        return None


@dataclass
class Reception:
    """One service's login, and what it told the rest of the service."""

    storage: Storage
    issuers: tuple[Issuer, ...] = ()
    now: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        self.desk = Desk()
        self.ended: list[tuple[DeviceId, str]] = []
        self.woken: list[AccountId] = []
        people, notices = self.storage.people, NoticeWriter()
        self.people = people
        self.sealing = Sealing({1: bytes(32)})
        around = Surroundings(
            notices=notices, ended=self._end, wake=self._wake, clock=lambda: self.now
        )
        issuers = Issuers(self.issuers, NoKeys(), clock=lambda: self.now)
        codes = Codes(people, self.desk, APPS, self.sealing, self._end)
        self.login = Login(people, codes, issuers, APPS, self.sealing, around)
        self.accounts = Accounts(people, notices, self._end, self._wake)
        self.devices = Devices(self.storage)

    def _end(self, device: DeviceId, refusal: Refusal) -> None:
        self.ended.append((device, refusal.name))

    def _wake(self, accounts: Iterable[AccountId]) -> None:
        self.woken += accounts

    async def by(
        self,
        app: App,
        openid: str,
        unionid: str | None = None,
        *,
        again: LoggedIn | None = None,
        secret: str | None = None,
    ) -> LoggedIn:
        """Log in with a new code; `again` as the device that an earlier login made."""
        code = self.desk.code(app, openid, unionid)
        device = None if again is None else again.device
        shown = secret or (None if again is None else again.secret)
        return await self.login.log_in(code, installation("PC1", "pc", device, shown))

    async def admitted(self, done: LoggedIn) -> Admission | str:
        """Whose token it is; otherwise why it opens nothing."""
        answer = await self.devices.authenticate(done.token)
        return answer.name if isinstance(answer, Refusal) else answer
