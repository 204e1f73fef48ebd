"""The pretended house keeps the contract of all houses, over either storage."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from client_sim.history import History
from client_sim.house import Enrolled, House
from client_sim.live.house import LiveHouse
from client_sim.pretend.house import PretendHouse
from tests.client_sim.house_contract import SCENARIOS, run_in


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize("storage", ["memory", "sqlite"])
def test_the_pretended_house(storage: str, scenario: Any) -> None:
    for seed in range(3):
        house = PretendHouse(seed, storage)
        house.run(run_in(house, scenario))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_live_house(tmp_path: Path, scenario: Any) -> None:
    house = LiveHouse(tmp_path, History())
    asyncio.run(run_in(house, scenario))


@pytest.mark.parametrize("house", [PretendHouse, LiveHouse])
def test_a_house_has_every_method_with_the_same_parameters(house: type[Any]) -> None:
    for name, owed in inspect.getmembers(House, inspect.isfunction):
        if not name.startswith("_"):
            method = getattr(house, name)
            assert list(inspect.signature(method).parameters) == list(
                inspect.signature(owed).parameters
            )
            assert inspect.iscoroutinefunction(method) is inspect.iscoroutinefunction(owed)


def test_a_token_is_not_shown() -> None:
    assert repr(Enrolled("d1", "secret")) == "Enrolled(device='d1')"
