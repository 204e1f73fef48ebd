"""Leads a play through a house: makes the cast, has each sentence done, calms the storm, asks what
is left.

What befalls the server and the lines is told by the house, what a device does by its player; here
is told what the play itself says, and what befalls processes and stores of devices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from client_sim.history import Device, Fault, Phase, Record, Step
from client_sim.house import CannotDo, Enrolled, House, Player
from client_sim.person import People
from client_sim.play import Play
from client_sim.sentences import Argument
from client_sim.sentences import Step as Sentence

MakePlayer = Callable[[str, str, Enrolled], Player]
"""Of a device's name, its account, and what the server made."""

FAREWELL = "farewell"
"""The phase in which two devices of every account send it one more message, all at once: a wake-up
that gets lost among them is hidden by nothing that comes after."""

SETTLE_S = 90.0
"""How long a calm may take at most."""
_ENDING_S = 1.0
"""How long the last that befalls a house may take, unless it needs a remedy first."""
_LOOKS_S = (0.02, 0.1, 0.25, 0.5)
"""How long between two looks at whether all is settled; the last goes on."""

_PLAYERS: Mapping[str, tuple[str, ...]] = {
    "log_in": (),
    "log_out": (),
    "edit": (),
    "recall": (),
    "delete": (),
    "read": (),
    "create": ("group", "accounts"),
    "add": ("account", "group"),
    "remove": ("account", "group"),
    "leave": ("group",),
}
"""Verbs that are a player's methods, with the slots that they take."""

_PEOPLE: Mapping[str, tuple[str, ...]] = {
    "sign_in": ("device", "app"),
    "bring": ("device",),
    "scan": ("device", "other"),
    "replay": ("device", "other"),
    "sign_out": ("account",),
    "merge": ("guest", "account"),
}
"""Verbs of people who log in by themselves."""

_HOUSES: Mapping[str, tuple[str, ...]] = {
    "cut": ("device",),
    "unplug": ("device",),
    "plug": ("device",),
    "stall": ("device",),
    "unstall": ("device",),
    "delay": ("device", "milliseconds"),
    "kill_server": (),
    "start_server": (),
    "stop_server": (),
    "freeze_server": (),
    "thaw_server": (),
    "fill_disk": (),
    "free_disk": (),
    "slow_disk": (),
    "fast_disk": (),
    "back_up": (),
    "restore": (),
    "put_back": (),
    "trim": ("account", "count"),
    "jump": ("seconds",),
    "wait": ("seconds",),
}
"""Verbs that are the house's methods."""

_NOWHERE = -1
"""No log's head: only who is not there, or was turned away for good, is settled there."""

_ACCOUNTS = ("account", "accounts", "address")
"""Slots in which a name stands for the account in which its devices are."""

_USERS = {*_PLAYERS, *_PEOPLE, "send", "send_large", "settle", "wait"}
"""Verbs that befall nobody: the calm does not wait for their ends."""

_REMEDIES: Mapping[str, str] = {
    "freeze_server": "thaw_server",
    "fill_disk": "free_disk",
    "slow_disk": "fast_disk",
    "unplug": "plug",
    "stall": "unstall",
}
"""What ends, in the calm, what a play began."""


class Director:
    """Of one play in one house, which is open. `run` is called once, then `dismiss`.

    farewell_s: how long the last messages may take to reach everybody.
    """

    def __init__(
        self, play: Play, house: House, make_player: MakePlayer, farewell_s: float = SETTLE_S
    ) -> None:
        self.players: dict[str, Player] = {}
        self._play = play
        self._house = house
        self._make_player = make_player
        self._farewell_s = farewell_s
        self._people = People(play, house, self)
        self._enrolled: dict[str, Enrolled] = {}
        self._revoked: set[str] = set()
        self._began: dict[tuple[str, str], None] = {}
        self._meanwhile: dict[asyncio.Task[None], Sentence] = {}
        self._published = 0
        made = [step.arguments["group"] for step in play.steps if step.verb == "create"]
        self._groups = {*play.groups, *map(str, made)}

    async def run(self) -> None:
        """The whole course of it; then the history holds the final state. Raises CannotDo."""
        for account, names in self._play.cast.items():
            for name in names if account not in self._play.people else ():
                await self._cast(name, account, _platform(name))
        for group, members in self._play.groups.items():
            await self._make(group, members)
        self._phase("storm")
        await self._storm()
        await self._mend()
        self._phase("calm")
        await self._calm()
        self._phase(FAREWELL)
        await self._farewell()
        self._phase("end")
        self._tell(*[await player.remains() for player in self.players.values()])
        self._tell(*await self._house.remains())

    async def dismiss(self) -> None:
        """End what is still going on. Idempotent."""
        for task in self._meanwhile:
            task.cancel()
        for player in self.players.values():
            await player.die()

    # -------------------------------------------------------- the beginning

    async def _cast(self, name: str, account: str, platform: str) -> Player:
        enrolled = await self._house.enrol(account, name, platform)
        return self.enter(name, replace(enrolled, account=account), platform)

    def enter(self, name: str, enrolled: Enrolled, platform: str = "") -> Player:
        """Somebody plays this device from now on."""
        self._enrolled[name] = enrolled
        player = self.players[name] = self._make_player(name, enrolled.account, enrolled)
        self._tell_device(name, platform)
        return player

    def renew(self, name: str, enrolled: Enrolled) -> None:
        """A device that somebody plays has logged in again."""
        self._enrolled[name] = enrolled
        self.players[name].admit(enrolled)
        self._tell_device(name)

    def _tell_device(self, name: str, platform: str = "") -> None:
        player, platform = self.players[name], platform or _platform(name)
        told = {"account": player.account, "name": name, "platform": platform}
        self._tell(Device(at=self._house.now(), device=player.device, **told))

    async def _make(self, group: str, members: tuple[str, ...]) -> None:
        """Nobody is logged in when the play begins, whatever had to be made before."""
        maker = self.players[self._play.cast[members[0]][0]]
        await maker.log_in()
        await maker.create(group, members)
        await self._settle()
        await maker.log_out()

    # -------------------------------------------------------- the storm

    async def _storm(self) -> None:
        began = self._house.now()
        for moment, step in _in_order(self._play.steps):
            wait = began + moment - self._house.now()
            if step.at is not None and wait > 0:
                await self._house.wait(wait)
            self._tell(Step(at=self._house.now(), sentence=str(step)))
            if step.verb in _REMEDIES:
                self._began[_REMEDIES[step.verb], str(step.arguments.get("device", ""))] = None
            if step.at is not None or step.meanwhile:
                self._meanwhile[asyncio.ensure_future(self._perform(step))] = step
            else:
                await self._perform(step)

    async def _perform(self, step: Sentence) -> None:
        verb, said = step.verb, step.arguments
        if verb in _PEOPLE:
            await getattr(self._people, verb)(*(said[slot] for slot in _PEOPLE[verb]))
            return
        acting = said.get("device")
        if verb == "log_out" and acting not in self.players:
            return  # nor will it be logged out later, when it has come
        if acting is not None and not await self._people.there(str(acting)):
            return
        found = await self._found(said)
        if found is None:
            return
        said = found
        if verb in _PLAYERS:
            player = self.players[str(said["device"])]
            await getattr(player, verb)(*(said[slot] for slot in _PLAYERS[verb]))
        elif verb in _HOUSES:
            await getattr(self._house, verb)(*(said[slot] for slot in _HOUSES[verb]))
        else:
            await getattr(self, f"_{verb}")(**said)

    async def _found(self, said: Mapping[str, Argument]) -> dict[str, Argument] | None:
        """What a sentence is about, with the accounts for which names stand by now; None where it
        is about an account that is not there yet."""
        found = dict[str, Argument]()
        for slot, value in said.items():
            if slot not in _ACCOUNTS:
                found[slot] = value
                continue
            names = value if isinstance(value, tuple) else (str(value),)
            asked = [await self._people.somebody(name) for name in names]
            accounts = tuple(account for account in asked if account is not None)
            if not accounts:
                return None
            found[slot] = accounts if isinstance(value, tuple) else accounts[0]
        return found

    async def _send(self, device: str, count: int, address: str) -> None:
        await self._send_large(device, count, 0, address)

    async def _send_large(self, device: str, count: int, bytes: int, address: str) -> None:
        player = self.players[device]
        direct = address not in self._groups
        to = tuple(dict.fromkeys((player.account, address))) if direct else ()
        await player.send(address, count, bytes, to)

    async def _kill(self, device: str) -> None:
        await self._people.arrived(device)
        player = self.players.get(device)
        if player is not None and player.online:
            self._befell("device_crash", device)
            await player.die()

    async def _forget(self, device: str) -> None:
        async with self._people.turn(device):
            player = await self._log_out(device)
            if player is not None and device in self._people:
                await player.end()
                self._people.forget(device)
                del self.players[device]
            await self._house.forget(device)

    async def _log_out(self, device: str) -> Player | None:
        """Whoever plays a device, once no app of it runs; None where nobody does."""
        player = self.players.get(device)
        while player is not None and player.online:
            await player.log_out()
        return player

    async def _copy(self, device: str) -> None:
        await self._house.copy(device)
        self._people.copy(device)

    async def _set_back(self, device: str) -> None:
        async with self._people.turn(device):
            player = await self._log_out(device)
            await self._house.set_back(device)
            self._people.set_back(device)
            if player is not None and self.players[device] is not player:
                await player.end()
            self._befell("device_restored", device)

    async def _clone(self, device: str, other: str) -> None:
        await self._house.clone(device, other)
        self._befell("clone", device)
        self.enter(other, self._enrolled[device], _platform(device))

    async def _cut_after(self, device: str, bytes: int) -> None:
        await self._house.cut(device, bytes)

    async def _revoke(self, device: str) -> None:
        await self._house.revoke(device)
        self._revoked.add(self._enrolled[device].device)

    async def _publish(self, count: int, account: str) -> None:
        for _ in range(count):
            self._published += 1
            await self._house.publish(account, f"the service says {self._published}".encode())

    async def _settle(self, patience_s: float = SETTLE_S) -> None:
        """Wait until all who are logged in have everything and nothing moves, or for so long."""
        until, heads = self._house.now() + patience_s, dict[str, int]()
        looks = iter(_LOOKS_S)
        while self._house.now() < until:
            before, heads = heads, await self._house.heads()
            if heads == before and all(
                player.settled(heads.get(player.account, 0)) for player in self.players.values()
            ):
                return
            await self._house.wait(next(looks, _LOOKS_S[-1]))

    # -------------------------------------------------------- the calm

    async def _calm(self) -> None:
        """Everybody comes back, and a new device of each account bears witness to what its log
        tells to whoever knows nothing."""
        await asyncio.gather(*[self._log_in(player) for player in self.players.values()])
        await self._finish(*self._meanwhile)
        await self._settle()
        for account in self._people.accounts():
            witness = await self._cast(f"new device of {account}", account, "new")
            await witness.log_in()

    async def _mend(self) -> None:
        """No fault happens any more when this is over."""
        self._house.calm()
        befalling = [task for task, step in self._meanwhile.items() if step.verb not in _USERS]
        await self._finish(*befalling, patience_s=_ENDING_S)
        for remedy, device in self._began:
            await getattr(self._house, remedy)(*([device] if device else []))
        delays = [step.arguments["device"] for step in self._play.steps if step.verb == "delay"]
        for delayed in dict.fromkeys(delays):
            await self._house.delay(str(delayed), 0)
        await self._start_server()
        await self._finish(*befalling)
        await self._start_server()  # its last end may have taken until now

    async def _start_server(self) -> None:
        with suppress(CannotDo):  # then it cannot have been stopped either
            await self._house.start_server()

    async def _log_in(self, player: Player) -> None:
        if player.device not in self._revoked:
            await player.log_in()

    async def _finish(self, *begun: asyncio.Task[None], patience_s: float = SETTLE_S) -> None:
        """Wait for what was begun. Raises what went wrong in it."""
        if begun:
            done, _ = await asyncio.wait(begun, timeout=patience_s)
            for task in begun:
                if task in done:
                    task.result()

    async def _farewell(self) -> None:
        """All at once, so that an account is woken while its devices read."""
        awake = [each for each in self.players.values() if not each.settled(_NOWHERE)]
        await asyncio.gather(*[each.send(each.account, 1, 0, (each.account,)) for each in awake])
        await self._settle(self._farewell_s)

    # -------------------------------------------------------- what is told

    def _phase(self, name: str) -> None:
        self._tell(Phase(at=self._house.now(), name=name))

    def _befell(self, kind: str, device: str) -> None:
        self._tell(Fault(at=self._house.now(), kind=kind, target=device))

    def _tell(self, *records: Record) -> None:
        for record in records:
            self._house.history.tell(record)


def _platform(name: str) -> str:
    """PC1 is a pc."""
    return "".join(letter for letter in name if not letter.isdigit()).lower() or "device"


def _in_order(steps: tuple[Sentence, ...]) -> list[tuple[float, Sentence]]:
    """By their moments; a sentence without one comes after that before it."""
    moment, dated = 0.0, []
    for step in steps:
        moment = moment if step.at is None else step.at
        dated.append((moment, step))
    return sorted(dated, key=lambda each: each[0])
