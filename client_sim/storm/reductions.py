"""What can be left out of a play, or be made simpler in it: each gives smaller plays to try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from client_sim.play import Play
from client_sim.sentences import Argument, Step

Fails = Callable[[Play], Play | None]
"""The play as it failed (with the seed that did it), or None where it does not any more."""

Item = TypeVar("Item")

_ACTING = ("device", "address")
"""Slots in which one name may stand for another. Not "group": an account has no members."""


def smaller(play: Play, fails: Fails) -> Play:
    """One walk over everything that may go, in the order in which people want to be rid of it."""
    for reduce in _REDUCTIONS:
        play = reduce(play, fails)
    return play


def fewest(
    play: Play, items: Sequence[Item], keep: Callable[[Play, list[Item]], Play], fails: Fails
) -> Play:
    """The play with as few of the items as still fails: delta debugging, so first all are left
    out, then halves, then smaller parts down to single ones. `keep` gives the play with only
    some of them."""
    kept, size = list(items), len(items)
    while size and kept:
        begin = 0
        while begin < len(kept):
            rest = kept[:begin] + kept[begin + size :]
            if found := fails(keep(play, rest)):
                play, kept = found, rest
            else:
                begin += size
        size //= 2
    return play


def _weather(play: Play, fails: Fails) -> Play:
    def keep(play: Play, kinds: list[str]) -> Play:
        return replace(play, weather={kind: play.weather[kind] for kind in kinds})

    return fewest(play, list(play.weather), keep, fails)


def _faults(play: Play, fails: Fails) -> Play:
    return _without(play, [step for step in play.steps if step.fault], fails)


def _steps(play: Play, fails: Fails) -> Play:
    return _without(play, play.steps, fails)


def _without(play: Play, items: Sequence[Step], fails: Fails) -> Play:
    """As few of these steps as possible; the others stay. Equal sentences are told apart."""
    removable = {id(step) for step in items}
    order = list(play.steps)

    def keep(play: Play, kept: list[Step]) -> Play:
        stay = {id(step) for step in kept}
        steps = (step for step in order if id(step) not in removable or id(step) in stay)
        # A clone that was never made has nothing to do either.
        return recast(replace(play, steps=tuple(steps)), play.cast)

    return fewest(play, items, keep, fails)


def _accounts(play: Play, fails: Fails) -> Play:
    def keep(play: Play, accounts: list[str]) -> Play:
        return recast(play, {account: play.cast[account] for account in accounts})

    return fewest(play, list(play.cast), keep, fails)


def _devices(play: Play, fails: Fails) -> Play:
    def keep(play: Play, kept: list[str]) -> Play:
        stay = set(kept)
        some = {
            account: tuple(device for device in devices if device in stay)
            for account, devices in play.cast.items()
        }
        return recast(play, some)

    return fewest(play, [each for made in play.cast.values() for each in made], keep, fails)


def recast(play: Play, cast: Mapping[str, tuple[str, ...]]) -> Play:
    """The play with only these accounts and devices, without what speaks of any other; nor of a
    clone or a group that nobody makes before."""
    groups = {
        name: members
        for name, every in play.groups.items()
        if (members := tuple(account for account in every if account in cast))
    }
    devices = {device for made in cast.values() for device in made}
    people = tuple(account for account in play.people if account in cast)
    accounts = {*cast, *(device for account in people for device in cast[account])}
    made = set(groups)

    def possible(step: Step) -> bool:
        known = dict.fromkeys(("account", "accounts", "guest"), accounts)
        known |= {"device": devices, "address": {*accounts, *made}}
        if step.verb != "clone":
            known["other"] = devices
        if step.verb != "create":
            known["group"] = made
        return all(
            set(said if isinstance(said, tuple) else (said,)) <= set(known[slot])
            for slot, said in step.arguments.items()
            if slot in known
        )

    steps = []
    for step in filter(possible, play.steps):
        steps.append(step)
        if step.verb == "clone":
            devices.add(str(step.arguments["other"]))
        elif step.verb == "create":
            made.add(str(step.arguments["group"]))
    expect = tuple(filter(possible, play.expect))
    scene = replace(play, cast=dict(cast), people=people, groups=groups)
    return replace(scene, steps=tuple(steps), expect=expect)


def _doubles(play: Play, fails: Fails) -> Play:
    """One device where two of an account act, one address where people write to several."""
    for devices in play.cast.values():
        for device in devices[1:]:
            play = fails(_renamed(play, {device: devices[0]})) or play
    accounts = list(play.cast)
    for index, address in (*enumerate(accounts), *((len(accounts), each) for each in play.groups)):
        for account in accounts[:index]:
            if any(step.arguments.get("address") == address for step in play.steps):
                play = fails(_renamed(play, {address: account})) or play
    return play


def _renamed(play: Play, names: Mapping[str, str]) -> Play:
    def renamed(step: Step) -> Step:
        arguments = {
            slot: names.get(value, value) if isinstance(value, str) and slot in _ACTING else value
            for slot, value in step.arguments.items()
        }
        return replace(step, arguments=arguments)

    return recast(replace(play, steps=tuple(map(renamed, play.steps))), play.cast)


def _extras(play: Play, fails: Fails) -> Play:
    """Groups, expectations, named judges and options that nothing needs any more."""

    def keep_groups(play: Play, names: list[str]) -> Play:
        return recast(replace(play, groups={name: play.groups[name] for name in names}), play.cast)

    def keep_expected(play: Play, expected: list[Step]) -> Play:
        return replace(play, expect=tuple(expected))

    def keep_judges(play: Play, judges: list[str]) -> Play:
        return replace(play, judges=tuple(judges))

    def keep_options(play: Play, names: list[str]) -> Play:
        return replace(play, options={name: play.options[name] for name in names})

    play = fewest(play, list(play.groups), keep_groups, fails)
    play = fewest(play, play.expect, keep_expected, fails)
    play = fewest(play, play.judges, keep_judges, fails)
    return fewest(play, list(play.options), keep_options, fails)


def _moments(play: Play, fails: Fails) -> Play:
    """Sentences that wait for each other, where the moment does not matter; else round moments."""
    if all(step.at is None for step in play.steps):
        return play
    ways: tuple[Callable[[Step], Step], ...] = (
        lambda step: replace(step, at=None),
        lambda step: replace(step, at=None, meanwhile=step.verb.startswith(("send", "log_in"))),
    )
    for way in ways:
        if found := fails(replace(play, steps=tuple(map(way, play.steps)))):
            return found
    for digits in (0, 1):
        rounded = (
            step if step.at is None else replace(step, at=round(step.at, digits))
            for step in play.steps
        )
        if found := fails(replace(play, steps=tuple(rounded))):
            return found
    return play


def _rates(play: Play, fails: Fails) -> Play:
    """Weather that hangs less on chance: then fewer steps are enough."""
    for kind in play.weather:
        for rate in (1.0, 0.5, 0.2):
            if play.weather[kind] < rate:
                play = fails(replace(play, weather={**play.weather, kind: rate})) or play
    return play


def _numbers(play: Play, fails: Fails) -> Play:
    """Each number as small as it still fails."""
    for index in range(len(play.steps)):
        for simple in _simpler(play.steps[index]):
            steps = (*play.steps[:index], simple, *play.steps[index + 1 :])
            if found := fails(replace(play, steps=steps)):
                play = found
                break
    return play


def _simpler(step: Step) -> Iterator[Step]:
    if step.verb == "send_large":
        plain = {slot: step.arguments[slot] for slot in ("device", "count", "address")}
        yield replace(step, verb="send", arguments={**plain, "count": 1})
        yield replace(step, verb="send", arguments=plain)
    if step.meanwhile:
        yield replace(step, meanwhile=False)
    for slot, value in step.arguments.items():
        if slot in ("count", "bytes", "milliseconds", "seconds"):
            yield from (
                replace(step, arguments={**step.arguments, slot: less}) for less in _less(value)
            )


def _less(value: Any) -> Iterable[Argument]:
    """Simpler values, the simplest first."""
    kind: type[int] | type[float] = type(value)
    tried = (1, 2, 10, value // 10, value // 2)
    return dict.fromkeys(kind(each) for each in tried if 0 < each < value)


_REDUCTIONS = (
    _weather,
    _faults,
    _accounts,
    _devices,
    _steps,
    _doubles,
    _extras,
    _moments,
    _numbers,
    _rates,
)
