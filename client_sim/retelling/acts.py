"""What is done at which recorded moment, and how such moments become the steps of a play."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from client_sim.sentences import Argument, Step

PAUSE_MAX_S = 1.0
"""A longer time in which nothing was done is shortened to this."""
_TOGETHER_S = 0.05
RUN_LEAST_S = 0.25
"""The pretend world's disks and lines are slower than a loopback: whoever logged in there and left
again had been served, and must get the time for it."""
_ENDINGS = ("log_out", "kill", "stop_server")
_SENDS = ("send", "send_large", "publish")


class Act(NamedTuple):
    """One sentence in the making. at: seconds, as recorded."""

    at: float
    verb: str
    arguments: Mapping[str, Argument]


def act(at: float, verb: str, **arguments: Argument) -> Act:
    """The sentence of this verb."""
    return Act(at, verb, arguments)


def paced(acts: Iterable[Act], begin: float, *, keep_times: bool = False) -> list[Step]:
    """The acts in order of their moments, the first at `begin` seconds of the play, without the
    goodbyes of the end, where a play lets everybody come back.

    keep_times: pauses are as long as they were.
    """
    ordered = _joined(sorted(acts, key=lambda each: each.at))
    while ordered and ordered[-1].verb in _ENDINGS:
        ordered.pop()
    steps: list[Step] = []
    begun: dict[Argument, float] = {}
    moment, last = begin, ordered[0].at if ordered else 0.0
    for each in ordered:
        pause = each.at - last
        moment += pause if keep_times else min(pause, PAUSE_MAX_S)
        last = each.at
        device = each.arguments.get("device", "")
        if each.verb == "log_in":
            begun[device] = moment
        elif each.verb in _ENDINGS and device in begun:
            moment = max(moment, begun[device] + RUN_LEAST_S)
        steps.append(Step(each.verb, each.arguments, at=round(moment, 3)))
    return steps


def _joined(acts: Iterable[Act]) -> list[Act]:
    """What one device sends to one address in one go is one sentence."""
    joined: list[Act] = []
    for each in acts:
        before = joined[-1] if joined else None
        if before is not None and each.at - before.at < _TOGETHER_S and _alike(before, each):
            both = int(str(before.arguments["count"])) + int(str(each.arguments["count"]))
            joined[-1] = Act(before.at, each.verb, {**before.arguments, "count": both})
        else:
            joined.append(each)
    return joined


def _alike(one: Act, other: Act) -> bool:
    if one.verb != other.verb or one.verb not in _SENDS:
        return False
    return {**one.arguments, "count": 0} == {**other.arguments, "count": 0}
