"""A storm for somebody else's server: a play drawn from a seed, of what every adapter can do."""

from __future__ import annotations

from random import Random

from client_sim.play import Play
from client_sim.sentences import Argument, Step

CAST = {"alice": ("PC1", "PC2", "phone1"), "bob": ("laptop2", "phone2")}
STEPS = 24
BURST_MAX = 3
SENDS = 5
"""So often as anything else, people write."""


def draw_foreign(seed: int) -> Play:
    """The storm of this seed; always the same. Its sentences wait for each other, so that what
    happens does not hang on how fast the server is."""
    return _Drawing(seed).play()


class _Drawing:
    """Who runs and who has a network is followed, so that each sentence has an effect."""

    def __init__(self, seed: int) -> None:
        self._seed, self._chance = seed, Random(f"{seed}:foreign")
        self._steps: list[Step] = []
        self._running: set[str] = set()
        self._unplugged: set[str] = set()

    def play(self) -> Play:
        """What was drawn."""
        devices = [device for made in CAST.values() for device in made]
        self._add("log_in", self._chance.choice(CAST["bob"]))
        while len(self._steps) < STEPS or not any(step.fault for step in self._steps):
            self._draw(self._chance.choice(devices))
        story = f"The storm of seed {self._seed}, for a server behind an adapter."
        return Play(f"storm-{self._seed}", story, CAST, tuple(self._steps), seed=self._seed)

    def _draw(self, device: str) -> None:
        if self._chance.random() < 0.15:
            self._steps.append(Step("settle"))
        elif device not in self._running:
            self._add("log_in", device)
        elif device in self._unplugged:
            self._add("plug", device)
        else:
            verb = self._chance.choice(["send"] * SENDS + ["log_out", "kill", "cut", "unplug"])
            if verb == "send":
                count = self._chance.randint(1, BURST_MAX)
                self._add(verb, device, count=count, address=self._chance.choice(list(CAST)))
            else:
                self._add(verb, device)

    def _add(self, verb: str, device: str, **arguments: Argument) -> None:
        self._steps.append(Step(verb, {"device": device, **arguments}))
        match verb:
            case "log_in":
                self._running.add(device)
            case "log_out" | "kill":
                self._running.discard(device)
            case "unplug":
                self._unplugged.add(device)
            case "plug":
                self._unplugged.discard(device)
