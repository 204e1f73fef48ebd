"""Weather that there is, and none that there is not."""

import pytest

from client_sim.weather import CALM, CHANCES, checked


def test_known_kinds_with_probabilities() -> None:
    everything = dict.fromkeys(CHANCES, 0.5) | {"wake_lost": 1, "wake_late": 0}
    assert checked(everything) == everything
    assert checked(CALM) == {}


@pytest.mark.parametrize(
    ("weather", "complaint"),
    [
        ({"rain": 0.1}, "no weather called rain; there is wake_lost"),
        ({"wake_lost": 1.5}, "a probability, not 1.5"),
        ({"wake_lost": -0.1}, "a probability"),
    ],
)
def test_anything_else_is_refused(weather: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checked(weather)
