"""The faults that come by chance: which there are, and how often each comes in one run.

What a play does at a chosen moment (cut, kill, trim ...) is a sentence; what may happen at any
moment by itself is weather, and only the pretend world has it.
"""

from __future__ import annotations

from collections.abc import Mapping

CHANCES: Mapping[str, str] = {
    "wake_lost": "a wake-up is lost",
    "wake_late": "a wake-up comes late",
    "wake_doubled": "a wake-up comes twice",
    "commit_refused": "a commit fails before anything is written",
    "commit_unknown": "a commit fails and nobody knows whether it was written: the process stops",
    "read_failed": "a read of the log fails",
    "disk_slow": "a commit or a read takes up to a second",
    "crash_between": "the server dies between a commit and its answers, or before the commit",
    "connect_failed": "a connection is refused",
    "frame_cut": "a line is cut inside a frame that is under way",
    "frame_late": "frames of an abandoned line arrive after the next line's",
    "retry_doubled": "a frame of sends arrives twice",
    "cancelled": "whoever waits gives up at one of its awaits: a send, a login, a publication",
}
"""Kind of fault to what it is. A Weather maps some of these to a probability, 0 to 1."""

Weather = Mapping[str, float]

CALM: Weather = {}


def checked(weather: Mapping[str, float]) -> Weather:
    """The same, all of it known. Raises ValueError."""
    for kind, rate in weather.items():
        if kind not in CHANCES:
            raise ValueError(f"there is no weather called {kind}; there is {', '.join(CHANCES)}")
        if not 0 <= rate <= 1:
            raise ValueError(f"the rate of {kind} is a probability, not {rate}")
    return dict(weather)
