"""Short plays for tests, and what is asked of their histories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from client_sim import sentences
from client_sim.history import Device, History, Record
from client_sim.performing import perform
from client_sim.play import Play

Kind = TypeVar("Kind")

CAST = {"alice": ("PC1", "PC2"), "bob": ("phone",)}


def scene(*steps: str, expect: Iterable[str] = (), **fields: Any) -> Play:
    """A play with these sentences; the cast is alice with two PCs and bob with a phone."""
    known: dict[str, Any] = {"name": "scene", "story": "a test", "cast": CAST} | fields
    return Play(
        steps=tuple(map(sentences.doing, steps)),
        expect=tuple(map(sentences.expectation, expect)),
        **known,
    )


def played(*steps: str, seed: int = 1, **fields: Any) -> History:
    """What happened when such a play was performed in the pretend world."""
    return perform(scene(*steps, **fields), seed)


def told(history: History, kind: type[Kind], /, **facts: Any) -> list[Kind]:
    """The records of a kind for which all these facts hold; `whom` names a device."""
    if name := facts.pop("whom", None):
        facts["device"] = device(history, name)
    return [
        record
        for record in history.records
        if isinstance(record, kind)
        and all(getattr(record, fact) == value for fact, value in facts.items())
    ]


def device(history: History, name: str) -> str:
    """The id of a device of the cast."""
    [found] = [each for each in history.records if isinstance(each, Device) and each.name == name]
    return found.device


def after(history: History, mark: Record, kind: type[Kind]) -> list[Kind]:
    """The records of a kind that were told after this one."""
    since = history.records.index(mark)
    return [record for record in history.records[since:] if isinstance(record, kind)]
