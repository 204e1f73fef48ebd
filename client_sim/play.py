"""A play: who takes part, what happens to them, and what must hold in the end.

Read from TOML and written as TOML, so that what a storm or a recording found can be kept, read and
run again. Nothing here runs anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client_sim import sentences
from client_sim.evidence import APPS
from client_sim.sentences import NotASentence, Step
from client_sim.weather import Weather, checked

PLAYS = Path(__file__).with_name("plays")
"""Where the plays that come with the program lie."""

_FIELDS = {
    "story",
    "cast",
    "people",
    "groups",
    "steps",
    "expect",
    "judges",
    "weather",
    "options",
    "seed",
}
_OPTIONS: Mapping[str, type] = {"window": int, "scope": str, "verify_start": bool}


class BadPlay(Exception):
    """The text is no play. The text of this says where and why."""


@dataclass(frozen=True)
class Play:
    """See the README's chapter on plays. Device names are unique over all accounts.

    cast: account to its devices, in the order in which they are made. A device's platform is its
        name without its digits, in small letters: PC1 is a pc.
    people: the accounts of the cast whose devices the operator does not make: they sign in by
        themselves, and a device of one of these may stand for whatever account it is in.
    groups: made before the curtain rises, by the first member's first device: id to accounts.
    judges: those that must have had something to look at; all of them judge every run.
    weather: see weather.py.
    options: window (bytes of every device), scope (of the cursors), verify_start.
    """

    name: str
    story: str
    cast: Mapping[str, tuple[str, ...]]
    steps: tuple[Step, ...]
    expect: tuple[Step, ...] = ()
    people: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    judges: tuple[str, ...] = ()
    weather: Weather = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """The kinds of fault that its sentences mean to bring about."""
        return tuple(sorted({step.fault for step in self.steps if step.fault}))

    def toml(self) -> str:
        """The play as a file."""
        parts = [f"story = {_quoted(self.story)}"]
        if self.seed is not None:
            parts.append(f"seed = {self.seed}")
        if self.people:
            parts.append(f"people = {_listed(self.people)}")
        if self.judges:
            parts.append(f"judges = {_listed(self.judges)}")
        parts.append(_rows("steps", [str(step) for step in self.steps]))
        if self.expect:
            parts.append(_rows("expect", [str(step) for step in self.expect]))
        for title, table in (("cast", self.cast), ("groups", self.groups)):
            if table:
                lines = [f"{_key(name)} = {_listed(members)}" for name, members in table.items()]
                parts.append("\n".join([f"\n[{title}]", *lines]))
        for title, values in (("weather", self.weather), ("options", self.options)):
            if values:
                lines = [f"{name} = {_plain(value)}" for name, value in values.items()]
                parts.append("\n".join([f"\n[{title}]", *lines]))
        return "\n".join(parts) + "\n"


def read(text: str, name: str) -> Play:
    """The play that a TOML text holds. Raises BadPlay."""
    try:
        table = tomllib.loads(text)
        return _play(table, name)
    except (tomllib.TOMLDecodeError, NotASentence, ValueError, TypeError) as error:
        raise BadPlay(f"{name}: {error}") from None


def load(name: str) -> Play:
    """A play by its name, or by the path of its file. Raises BadPlay."""
    path = Path(name) if name.endswith(".toml") else PLAYS / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = "" if name.endswith(".toml") else "; a file of yours ends in .toml"
        raise BadPlay(f"there is no play {name}: {error.strerror}{hint}") from None
    except UnicodeDecodeError:
        raise BadPlay(f"{name} is no text") from None
    return read(text, path.stem)


def names() -> list[str]:
    """The plays that come with the program."""
    return sorted(path.stem for path in PLAYS.glob("*.toml"))


def _play(table: dict[str, Any], name: str) -> Play:
    unknown = set(table) - _FIELDS
    if unknown:
        raise BadPlay(f"{name}: unknown: {', '.join(sorted(unknown))}")
    for needed in ("story", "cast", "steps"):
        if needed not in table:
            raise BadPlay(f"{name}: there is no {needed}")
    play = Play(
        name=name,
        story=str(table["story"]).strip(),
        cast=_names(table["cast"]),
        steps=tuple(sentences.doing(text) for text in table["steps"]),
        expect=tuple(sentences.expectation(text) for text in table.get("expect", ())),
        people=tuple(table.get("people", ())),
        groups=_names(table.get("groups", {})),
        judges=tuple(table.get("judges", ())),
        weather=checked(table.get("weather", {})),
        options=_options(table.get("options", {})),
        seed=table.get("seed"),
    )
    _check_names(play)
    return play


def _names(table: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    for name, members in table.items():
        if isinstance(members, str) or not all(isinstance(each, str) for each in members):
            raise TypeError(f"{name} is a list of names")
    return {name: tuple(members) for name, members in table.items()}


def _options(table: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in table.items():
        wanted = _OPTIONS.get(name)
        if wanted is None or not isinstance(value, wanted):
            known = ", ".join(f"{key} ({kind.__name__})" for key, kind in _OPTIONS.items())
            raise ValueError(f"option {name}: there is {known}")
    return dict(table)


def _check_names(play: Play) -> None:
    devices = [device for made in play.cast.values() for device in made]
    if len(set(devices)) != len(devices):
        raise ValueError("a name stands for two devices")
    devices += [str(step.arguments["other"]) for step in play.steps if step.verb == "clone"]
    if set(play.people) - set(play.cast):
        raise ValueError("the people are not in the cast")
    themselves = {device for account in play.people for device in play.cast[account]}
    accounts = {*play.cast, *themselves}
    groups = {*play.groups, *(_word(step, "group") for step in play.steps if step.verb == "create")}
    known = {
        "device": set(devices),
        "other": set(devices),
        "account": accounts,
        "guest": accounts,
        "group": groups,
        "address": {*accounts, *groups},
        "accounts": accounts,
        "app": set(APPS),
    }
    for step in (*play.steps, *play.expect):
        for slot, value in step.arguments.items():
            said = value if isinstance(value, tuple) else (str(value),)
            missing = [each for each in said if each not in known.get(slot, said)]
            if missing:
                raise ValueError(f"{str(step)!r}: nobody is called {', '.join(missing)}")
    for group, members in play.groups.items():
        if not members or set(members) - set(play.cast) or set(members) & set(play.people):
            raise ValueError(f"the members of {group} are not in the cast")


def _word(step: Step, slot: str) -> str:
    return str(step.arguments[slot])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _listed(values: Sequence[str]) -> str:
    return "[" + ", ".join(_quoted(value) for value in values) + "]"


def _rows(name: str, values: Sequence[str]) -> str:
    rows = "".join(f"    {_quoted(value)},\n" for value in values)
    return f"{name} = [\n{rows}]"


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else _quoted(name)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else f"{value}"
