"""What everything in a pretended house shares: one seed, one clock, one weather, one history.

Chance comes in streams that are named after what they decide. Each has its own sequence, so that a
fault or a device that is taken out of a play does not change what befalls the others.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NoReturn

from client_sim.history import SERVER, Complaint, Fault, History, Record
from client_sim.pretend.clock import VirtualLoop
from client_sim.weather import Weather, checked

_BEGIN_S = 1_600_000_000
"""What the wall clock of a pretended server shows at the beginning, in seconds since 1970."""


class World:
    """See the module. `faults` counts those that came by chance, by kind."""

    def __init__(self, seed: int, weather: Weather, history: History) -> None:
        # Sockets, signals and processes are missing on purpose.
        self.loop = VirtualLoop(self.complain)  # type: ignore[abstract]
        self.history = history
        self.weather: Weather = checked(weather)
        self.loses_wakeups = "wake_lost" in weather
        """Whether wake-ups get lost in this world, if not in its calm."""
        self.faults: Counter[str] = Counter()
        self._seed = seed
        self._streams: dict[str, Random] = {}
        self._wall_s = float(_BEGIN_S)
        self._asleep: list[object] = []
        self._over = False

    def chance(self, name: str) -> Random:
        """The stream of this name, always the same one."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = Random(f"{self._seed}:{name}")
        return stream

    def befalls(self, kind: str, target: str) -> bool:
        """Whether this fault happens here and now; then it is told."""
        rate = self.weather.get(kind)
        if not rate or self.chance(f"{kind} {target}").random() >= rate:
            return False
        self.faults[kind] += 1
        self.fault(kind, target, "by chance")
        return True

    def now(self) -> float:
        """Seconds since the world began."""
        return self.loop.time()

    def wall_ms(self) -> int:
        """The server's wall clock, in milliseconds since 1970."""
        return int((self._wall_s + self.now()) * 1000)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._wall_s += seconds

    async def never(self) -> NoReturn:
        """What a step of a dead process waits for.

        Whoever waits is kept until the world ends: a task that is swept up earlier would run its
        cleanup at a moment that no seed decides.
        """
        forever = self.loop.create_future()
        self._asleep.append(forever)
        await forever
        raise AssertionError("nobody wakes the dead")

    def tell(self, record: Record) -> None:
        """Add to the history, if it is not closed."""
        if not self._over:
            self.history.tell(record)

    def end(self) -> None:
        """Nothing is told from now on: the house is swept up."""
        self._over = True

    def fault(self, kind: str, target: str, detail: str = "") -> None:
        """Tell that a fault happened."""
        self.tell(Fault(at=self.now(), by=SERVER, kind=kind, target=target, detail=detail))

    def complain(self, text: str, judge: str = "poison-safe") -> None:
        """Tell of what must not happen: by default an error that nobody expected."""
        self.tell(Complaint(at=self.now(), by=SERVER, whose="server", text=text, judge=judge))
