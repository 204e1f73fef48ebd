"""A stage on the real server: what arrives is due, and moments are as measured."""

from pathlib import Path

from client_sim import door
from client_sim.measured import Happening, complete
from client_sim.stage import Scene, set_up
from tests.client_sim.conftest import Running


async def test_a_play_leaves_what_is_due_what_is_held_and_what_happened(
    running: Running, tmp_path: Path
) -> None:
    async with (
        door.opened(running.url, running.key) as opened,
        set_up(Scene(running.url, opened, tmp_path, verify_start=True), "play") as stage,
    ):
        first, second = await stage.install("PC1"), await stage.install("PC2")
        await stage.arrive(2)
        await stage.login(first)
        assert await stage.settle(first) == 2
        await stage.arrive(1)
        await stage.logout(first)
        await stage.login(second)
        playing = stage.playing()
    assert complete(playing)
    assert playing.counts() == {"PC1": 3, "PC2": 3}
    told = [(each.happening, each.device, each.count, each.cursor) for each in playing.moments]
    assert told == [
        (Happening.ARRIVED, "", 2, 0),
        (Happening.LOGGED_IN, "PC1", 2, 0),
        (Happening.ARRIVED, "", 1, 0),
        (Happening.LOGGED_OUT, "PC1", 0, 3),
        (Happening.LOGGED_IN, "PC2", 3, 0),
    ]
    assert not first.online
    assert not second.online
