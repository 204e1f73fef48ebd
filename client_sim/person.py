"""The people of a play who log in by themselves: on a phone, on PCs, on whatever they install anew.

Each is one person on the platform and has one or more accounts here: which, the service says.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Protocol

from client_sim.evidence import Evidence, FreshCode, LoginRefused, Scanned, UsedCode
from client_sim.history import Login, Merged
from client_sim.house import Enrolled, House, Player
from client_sim.play import Play

_PATIENCE_S = 30.0
_LOOK_S = 0.1


class Stage(Protocol):
    """What people need of whoever leads the play."""

    players: dict[str, Player]

    def enter(self, name: str, enrolled: Enrolled) -> Player:
        """A device that nobody plays yet, or that is another one from now on."""

    def renew(self, name: str, enrolled: Enrolled) -> None:
        """A device that somebody plays has logged in again."""


class People:
    """Of one play in one house. What a device keeps from its logins ends with its store."""

    def __init__(self, play: Play, house: House, stage: Stage) -> None:
        self._play = play
        self._house = house
        self._stage = stage
        self._person_of = {device: each for each in play.people for device in play.cast[each]}
        self._kept: dict[str, Enrolled] = {}
        self._copies: dict[str, Enrolled | None] = {}
        self._apps: dict[str, str] = {}
        self._merged: dict[str, str] = {}
        self._turns: Mapping[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._looks: Mapping[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def __contains__(self, device: object) -> bool:
        return device in self._person_of

    def turn(self, device: str) -> asyncio.Lock:
        """Held by whatever changes what a device keeps of its logins, in the order of the play."""
        return self._turns[device]

    async def there(self, device: str) -> bool:
        """Whether somebody plays this device, or will soon: who is just about to log in is waited
        for, and who waited longest goes on first."""
        until = self._house.now() + _PATIENCE_S
        async with self._looks[device]:
            while device not in self._stage.players:
                if device not in self or self._house.now() >= until:
                    return False
                await self._house.wait(_LOOK_S)
        return True

    async def arrived(self, device: str) -> None:
        """Wait while a login of this device is under way and no app of it runs yet."""
        players, turn = self._stage.players, self._turns[device]
        while turn.locked() and device in players and not players[device].online:
            await self._house.wait(_LOOK_S)

    async def somebody(self, name: str) -> str | None:
        """The id of the account that a name stands for, when somebody is logged in there; None
        where that takes too long."""
        until = self._house.now() + _PATIENCE_S
        while (found := self.account(name)) is None and self._house.now() < until:
            await self._house.wait(_LOOK_S)
        return found

    def account(self, name: str) -> str | None:
        """The id of the account that a name stands for; None where nobody is logged in there."""
        if name in self._person_of:
            found = self._stage.players.get(name)
            return None if found is None else found.account
        if name in self._play.people:
            accounts = map(self.account, self._play.cast[name])
            return next((account for account in accounts if account), None)
        return name

    def home(self, account: str) -> str:
        """The account that this one is since its merges."""
        # The server's word goes before what its answers, in whatever order they came, let conclude.
        merged = self._merged | self._told_merges()
        while account in merged:
            account = merged[account]
        return account

    def accounts(self) -> Iterator[str]:
        """All that there are at the end, each once."""
        made = [name for name in self._play.cast if name not in self._play.people]
        found = [each.account for each in self._stage.players.values()]
        yield from dict.fromkeys(map(self.home, [*made, *found]))

    # -------------------------------------------------------- what they do

    async def sign_in(self, device: str, app: str) -> None:
        """With a code of the platform. Nothing where the operator made the device."""
        if device not in self:
            return
        self._apps[device] = app
        await self._log_in(device, FreshCode(self._person_of[device], app))

    async def bring(self, device: str) -> None:
        """The unionid comes late. Nothing where it never signed in with an app."""
        if device in self._apps:
            fresh = FreshCode(self._person_of[device], self._apps[device], consent=True)
            await self._log_in(device, fresh)

    async def scan(self, device: str, other: str) -> None:
        """By QR. Nothing where the other device does not sign in."""
        if device in self and await self.there(other) and other in self._kept:
            await self._log_in(device, Scanned(other, self._kept[other].token))

    async def replay(self, device: str, other: str) -> None:
        """With a code that was used. Nothing where the other device never signed in with one."""
        if device in self and other in self._apps:
            await self._log_in(device, UsedCode(other))

    async def _log_in(self, device: str, evidence: Evidence) -> None:
        async with self._turns[device]:
            platform = _platform(device)
            known = self._kept.get(device)
            try:
                got = await self._house.log_in(device, platform, known, evidence)
            except LoginRefused as refused:
                self._tell(device, "" if known is None else known.device, str(refused))
                return
            self._tell(device, got.device)
            if known is not None and known.device == got.device:
                if known.account != got.account:
                    self._came_home(known.account, got.account, got.device)
                got = Enrolled(got.device, got.token, got.account, known.secret)
            self._kept[device] = got
            await self._go_on(device, got)

    def _came_home(self, guest: str, account: str, prover: str) -> None:
        """A server that is killed may have merged without telling anybody."""
        guest = self.home(guest)
        if guest != self.home(account):
            self._merged[guest] = account
            told = {"guest": guest, "account": account, "prover": prover}
            self._house.history.tell(Merged(at=self._house.now(), **told))

    def _told_merges(self) -> dict[str, str]:
        records = self._house.history.records
        return {each.guest: each.account for each in records if isinstance(each, Merged)}

    async def _go_on(self, device: str, got: Enrolled) -> None:
        player = self._stage.players.get(device)
        if player is None or player.device != got.device:
            if player is not None:
                await player.end()
                await self._house.forget(device)
            player = self._stage.enter(device, got)
        else:
            self._stage.renew(device, got)
        await player.log_in()

    def forget(self, device: str) -> None:
        """Its store is gone, and what proved it with it."""
        if device in self._person_of:
            self._kept.pop(device, None)

    def copy(self, device: str) -> None:
        """What it keeps is put aside with its store."""
        self._copies[device] = self._kept.get(device)

    def set_back(self, device: str) -> None:
        """It keeps again what was put aside; with the device that it was then, if that was
        another one."""
        kept = self._copies.get(device)
        if kept is not None:
            self._kept[device] = kept
            player = self._stage.players.get(device)
            if player is None or player.device != kept.device:
                self._stage.enter(device, kept)

    async def sign_out(self, account: str) -> None:
        """All devices of an account. Nothing where nobody is logged in there."""
        if (found := await self.somebody(account)) is not None:
            await self._house.sign_out(found)

    async def merge(self, guest: str, account: str) -> None:
        """By an operator. Nothing where one of them is not there, or it cannot be."""
        one, other = await self.somebody(guest), await self.somebody(account)
        if one is not None and other is not None and self.home(one) != self.home(other):
            try:
                await self._house.merge(one, other)
            except LoginRefused as refused:
                self._tell(guest, "", str(refused))
                return
            if self.home(one) != self.home(other):
                # A server in a process of its own tells later.
                self._merged[self.home(one)] = self.home(other)

    def _tell(self, name: str, device: str, code: str = "") -> None:
        house = self._house
        house.history.tell(Login(at=house.now(), name=name, device=device, code=code))


def _platform(name: str) -> str:
    """PC1 is a pc."""
    return "".join(letter for letter in name if not letter.isdigit()).lower() or "device"
