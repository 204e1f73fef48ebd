"""Who takes part in a storm that is being drawn, its sentences so far, and who is there when."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from client_sim.sentences import Argument, Step

_SIGN_INS = ("sign_in", "scan", "bring")
_PRESENCE = {"log_in": True, "log_out": False, "kill": False} | dict.fromkeys(_SIGN_INS, True)
_TRIES = 20


@dataclass
class Stage:
    """It grows while the storm is drawn."""

    seconds: float
    """How long the storm lasts."""
    cast: dict[str, tuple[str, ...]] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    """The accounts of the cast whose devices sign in by themselves."""
    steps: list[Step] = field(default_factory=list)

    @property
    def devices(self) -> list[str]:
        """Of all accounts."""
        return [device for made in self.cast.values() for device in made]

    def owner(self, device: str) -> str:
        """The account of the cast to which a device belongs."""
        return next((name for name, made in self.cast.items() if device in made), "")

    def add(self, at: float, verb: str, **arguments: Argument) -> None:
        """One more sentence, said at its moment."""
        self.steps.append(Step(verb, arguments, at=round(at, 2)))

    def spell(self, at: float, begins: str, ends: str, lasts: float, **arguments: Argument) -> None:
        """A fault that begins and ends."""
        self.add(at, begins, **arguments)
        self.add(at + lasts, ends, **arguments)

    def when(self, chance: Random) -> float:
        """A moment at which much is under way."""
        return chance.uniform(0.5, self.seconds - 1)

    def moment(self, chance: Random) -> tuple[float, str]:
        """A moment, and a device that runs then, where a few tries find one."""
        devices = self.devices
        for _ in range(_TRIES):
            at, device = self.when(chance), chance.choice(devices)
            if self.runs(device, at):
                break
        return at, device

    def runs(self, device: str, at: float) -> bool:
        """Whether the sentences so far mean it to run at that moment. A service that revoked a
        device refuses its sign-in, and no app is started."""
        own = [step for step in self.steps if step.arguments.get("device") == device]
        revoked = min(
            (step.at or 0.0 for step in own if step.verb == "revoke"), default=self.seconds
        )
        told = [
            (step.at, _PRESENCE[step.verb])
            for step in own
            if step.verb in _PRESENCE
            and not (step.verb in _SIGN_INS and (step.at or 0.0) >= revoked)
        ]
        return max(
            (each for each in told if each[0] is not None and each[0] < at), default=(0.0, False)
        )[1]
