"""Server processes for the tests of the live world, each within milliseconds."""

from collections.abc import Iterator

import pytest

from client_sim.house import CannotDo
from client_sim.live.faulty_disk import compiled
from client_sim.live.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks servers that may be given a faulty disk, where there is a compiler."""
    try:
        environment = {"LD_PRELOAD": str(compiled())}
    except CannotDo:
        environment = {}
    with Nursery(environment) as made:
        yield made
