"""A storm: a play drawn from a seed. Who there is, what they write and when, and what befalls them.

Each part is drawn from a stream of chance of its own, named after what it decides, so that one
more draw in one of them does not change all the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from random import Random

from client_sim.play import Play
from client_sim.storm.stage import Stage
from client_sim.storm.strokes import REWINDS, STROKES, UNDONE
from client_sim.weather import CHANCES

ACCOUNTS = ("alice", "bob", "carol", "dave")
DEVICES = ("PC", "phone", "PC", "laptop")
"""What every account has, the first few of them: two PCs most often, for what is kept by platform
is wrong for two of one. Their numbers, over all accounts, tell them apart."""

STORM_S = 8.0
"""How long a storm lasts: some connects, batches and backoffs long, and short to run."""

RATES = (0.002, 0.01, 0.03, 0.1)
"""Of a kind of weather, in one storm. The usual is rare: what happens always hides the rest."""

GROUPS = ("team", "family")
WINDOWS = (65_536, 65_536, 1_048_576)
SIZES = (2_000, 20_000, 32_000)
"""Bytes of a large message."""

BURST_MAX = 5
"""Messages that one sentence sends at most."""


SENDS = 60
"""Messages in a storm: its strokes hit a few of them, and it is run in some milliseconds."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the storms are. None: drawn, 2 to 4 accounts of 2 to 4 devices each."""

    accounts: int | None = None
    devices: int | None = None
    sends: int = SENDS


def draw(seed: int, size: Size | None = None) -> Play:
    """The storm of this seed: the same play for the same arguments, always."""
    return _Drawing(seed, size or Size()).play()


class _Drawing:
    def __init__(self, seed: int, size: Size) -> None:
        self._seed, self._size = seed, size
        self._stage = Stage(STORM_S)
        self._groups: dict[str, tuple[str, ...]] = {}
        chance = self._chance("strokes")
        self._kinds = chance.sample(list(STROKES), chance.randint(1, 5))
        if REWINDS & set(self._kinds):
            self._kinds = [kind for kind in self._kinds if kind not in UNDONE]

    def play(self) -> Play:
        self._draw_cast()
        self._draw_people()
        self._draw_presence()
        self._draw_strokes()
        # After what switches devices off, so that whoever writes is there to do so.
        self._draw_messages()
        self._draw_members()
        return Play(
            name=f"storm-{self._seed}",
            story=f"The storm of seed {self._seed}.",
            cast=self._stage.cast,
            people=tuple(self._stage.people),
            steps=tuple(sorted(self._stage.steps, key=lambda step: step.at or 0.0)),
            groups=self._groups,
            weather=self._weather(),
            options={"window": self._chance("window").choice(WINDOWS)},
            seed=self._seed,
        )

    def _chance(self, name: str) -> Random:
        return Random(f"{self._seed}:{name}")

    def _draw_cast(self) -> None:
        chance, cast = self._chance("cast"), self._stage.cast
        accounts = ACCOUNTS[: self._size.accounts or chance.randint(2, 4)]
        numbers: dict[str, count[int]] = {kind: count(1) for kind in DEVICES}
        for account in accounts:
            kinds = DEVICES[: self._size.devices or chance.randint(2, 4)]
            cast[account] = tuple(f"{kind}{next(numbers[kind])}" for kind in kinds)
        for name in GROUPS[: chance.randint(0, 2)]:
            members = chance.sample(list(cast), chance.randint(min(2, len(cast)), len(cast)))
            self._groups[name] = tuple(members)

    def _draw_people(self) -> None:
        """In some storms one account's devices sign in by themselves; the last one as a guest's,
        mostly until it brings the unionid. No restore undoes that."""
        chance, stage = self._chance("people"), self._stage
        account = chance.choice(list(stage.cast))
        first, *others = stage.cast[account]
        if chance.random() > 0.4 or not others or REWINDS & set(self._kinds):
            return
        stage.people.append(account)
        stage.add(chance.uniform(0, 0.2), "sign_in", device=first, app="app")
        for device in others[:-1]:
            at = chance.uniform(0.4, 2)
            if chance.random() < 0.5:
                stage.add(at, "scan", device=device, other=first)
            else:
                stage.add(at, "sign_in", device=device, app=chance.choice(("app", "site")))
        stage.add(chance.uniform(0, 0.5), "sign_in", device=others[-1], app="page")
        if chance.random() < 0.8:
            stage.add(stage.when(chance), "bring", device=others[-1])
        made = {
            name: tuple(each for each in members if each != account)
            for name, members in self._groups.items()
        }
        self._groups = {name: members for name, members in made.items() if members}

    def _draw_presence(self) -> None:
        """Most come early, some late; some go and come again, as people do."""
        for device in self._stage.devices:
            chance = self._chance(f"presence of {device}")
            come = chance.uniform(0, 0.5 if chance.random() < 0.7 else STORM_S * 0.8)
            self._stage.add(come, "log_in", device=device)
            while chance.random() < 0.4 and come < STORM_S - 2:
                go = chance.uniform(come + 0.3, STORM_S - 1)
                come = chance.uniform(go, STORM_S)
                self._stage.add(go, "log_out", device=device)
                self._stage.add(come, "log_in", device=device)

    def _draw_strokes(self) -> None:
        """Some kinds of fault, never none, each some times."""
        for kind, stroke in STROKES.items():
            if kind in self._kinds:
                stroke(self._stage, self._chance(f"stroke {kind}"))

    def _draw_messages(self) -> None:
        chance, stage = self._chance("messages"), self._stage
        addresses = [*stage.cast, *self._groups]
        left = self._size.sends
        while left:
            count = min(left, chance.randint(1, BURST_MAX))
            left -= count
            at, device = stage.moment(chance)
            address = chance.choice(addresses)
            if chance.random() < 0.1:
                size = chance.choice(SIZES)
                stage.add(at, "send_large", device=device, count=count, bytes=size, address=address)
            else:
                stage.add(at, "send", device=device, count=count, address=address)
        for _ in range(chance.randint(0, self._size.sends // 5)):
            at, device = stage.moment(chance)
            stage.add(at, chance.choice(("edit", "recall", "delete", "read")), device=device)

    def _draw_members(self) -> None:
        """Who is in a group changes while messages are under way."""
        chance, stage = self._chance("members"), self._stage
        for group in self._groups:
            for _ in range(chance.randint(0, 3)):
                at, device = stage.moment(chance)
                verb = chance.choice(("add", "remove", "leave"))
                account = {} if verb == "leave" else {"account": chance.choice(list(stage.cast))}
                stage.add(at, verb, device=device, group=group, **account)

    def _weather(self) -> Mapping[str, float]:
        chance = self._chance("weather")
        kinds = [kind for kind in CHANCES if chance.random() < 0.4]
        return {kind: chance.choice(RATES) for kind in kinds}
