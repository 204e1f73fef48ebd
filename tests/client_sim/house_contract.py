"""What every house owes to whoever plays in it; each scenario runs in an open one of any kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from client_sim.actor import Actor, Troupe
from client_sim.history import Fault, Holds, Log, Process, Record, Revoked, Verdict
from client_sim.house import House

LOOK_S = 0.05
PATIENCE_S = 60.0


class Scene:
    """A house and the actors in it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._troupe = Troupe(house, {}, lambda name: Random(f"1:{name}"))

    async def enrol(self, account: str, *names: str) -> list[Actor]:
        return [
            self._troupe(name, account, await self.house.enrol(account, name, "pc"))
            for name in names
        ]

    async def twin(self, actor: Actor, name: str) -> Actor:
        """Another installation with what this one's store holds now."""
        await self.house.clone(actor.name, name)
        return self._troupe(name, actor.account, actor.enrolled)

    def told(self, record: type[Any], /, **facts: Any) -> list[Any]:
        return [
            each
            for each in self.house.history.records
            if isinstance(each, record)
            and all(getattr(each, fact) == value for fact, value in facts.items())
        ]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let time pass until it is so."""
        limit = self.house.now() + PATIENCE_S
        while not holds():
            assert self.house.now() < limit, "it never came to be"
            await self.house.wait(LOOK_S)

    async def settled(self, *actors: Actor) -> None:
        """Let time pass until all of them have everything."""
        limit = self.house.now() + PATIENCE_S
        heads: dict[str, int] = {}
        while not all(each.settled(heads.get(each.account, -1)) for each in actors):
            assert self.house.now() < limit, "they never had everything"
            await self.house.wait(LOOK_S)
            heads = await self.house.heads()

    async def held(self, actor: Actor) -> Holds:
        """What it has, now that nothing else is asked of it."""
        return await actor.remains()


async def a_message_reaches_every_device(scene: Scene) -> None:
    [first, second] = await scene.enrol("alice", "PC1", "PC2")
    [phone] = await scene.enrol("bob", "phone")
    for actor in (first, phone):
        await actor.log_in()
    await phone.send("alice", 3, 0, ("alice", "bob"))
    await scene.settled(first, phone)
    await second.log_in()
    await scene.settled(second)
    assert (await scene.house.heads()) == {"alice": 3, "bob": 3}
    holds = [await scene.held(actor) for actor in (first, second, phone)]
    assert [len(each.entries) for each in holds] == [3, 3, 3]
    assert holds[0].entries == holds[1].entries == holds[2].entries
    logs = [record for record in await scene.house.remains() if isinstance(record, Log)]
    assert [log.entries for log in logs] == [holds[0].entries] * 2


async def what_a_killed_device_stored_is_there_again(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await actor.log_in()
    await actor.send("alice", 2, 0, ("alice",))
    await scene.settled(actor)
    await actor.die()
    await actor.log_in()
    assert [each.start for each in scene.told(Verdict)] == [0, 2]
    assert len((await scene.held(actor)).entries) == 2


async def a_store_is_copied_set_back_and_forgotten(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await actor.log_in()
    await actor.send("alice", 1, 0, ("alice",))
    await scene.settled(actor)
    await scene.house.copy("PC1")
    await actor.send("alice", 1, 0, ("alice",))
    await scene.settled(actor)
    await actor.log_out()
    await scene.house.set_back("PC1")
    await actor.log_in()
    await actor.log_out()
    await scene.house.forget("PC1")
    await actor.log_in()
    await scene.settled(actor)
    assert [each.start for each in scene.told(Verdict)] == [0, 1, 0]
    assert len((await scene.held(actor)).entries) == 2


async def a_clone_takes_over(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await actor.log_in()
    await actor.send("alice", 1, 0, ("alice",))
    await scene.settled(actor)
    other = await scene.twin(actor, "PC1 again")
    await other.log_in()
    await scene.until(lambda: actor.settled(-1))  # turned away for good
    assert [each.start for each in scene.told(Verdict)] == [0, 1]
    assert not (await scene.held(actor)).online
    assert (await scene.held(other)).online


async def a_cut_is_told_when_it_happens(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await scene.house.cut("PC1", 40)
    assert not scene.told(Fault)
    await actor.log_in()
    await scene.until(lambda: bool(scene.told(Fault, kind="cut")))
    await actor.send("alice", 1, 0, ("alice",))
    await scene.settled(actor)
    assert len((await scene.held(actor)).entries) == 1


async def who_has_network_again_goes_on(scene: Scene) -> None:
    [first, second] = await scene.enrol("alice", "PC1", "PC2")
    await first.log_in()
    await scene.house.unplug("PC2")
    await scene.house.delay("PC1", 20)
    await first.send("alice", 1, 0, ("alice",))
    await scene.house.plug("PC2")
    await scene.house.delay("PC1", 0)
    await second.log_in()
    await scene.settled(first, second)
    assert {"half_open", "delay"} <= {each.kind for each in scene.told(Fault)}


async def a_killed_server_keeps_what_it_accepted(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await actor.log_in()
    await actor.send("alice", 1, 0, ("alice",))
    await scene.house.kill_server()
    await actor.send("alice", 1, 0, ("alice",))
    await scene.house.start_server()
    await scene.house.start_server()  # it runs: nothing
    await scene.settled(actor)
    assert (await scene.house.heads()) == {"alice": 2}
    states = [each.state for each in scene.told(Process, whose="server")]
    # A real server tells of its own beginnings, in its journal, which joins the history at the end.
    assert [state for state in states if state != "started"] == ["crashed"]


async def a_backup_comes_back(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await actor.log_in()
    await scene.house.back_up()
    await actor.send("alice", 1, 0, ("alice",))
    await scene.settled(actor)
    await scene.house.restore()
    await scene.until(lambda: len(scene.told(Verdict)) == 2)
    await scene.settled(actor)
    await scene.house.put_back()
    await scene.until(lambda: len(scene.told(Verdict)) == 3)
    await scene.settled(actor)
    assert (await scene.house.heads()) == {"alice": 1}
    assert {"restore", "put_back"} <= {each.kind for each in scene.told(Fault)}


async def a_log_is_trimmed_and_published_to(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    for number in range(5):
        await scene.house.publish("alice", b"%d" % number)
    await scene.house.trim("alice", 2)
    await actor.log_in()
    await scene.settled(actor)
    held = await scene.held(actor)
    assert (held.first, held.seq) == (3, 5)
    assert scene.told(Fault, kind="trim")


async def a_revoked_device_stays_away(scene: Scene) -> None:
    [actor] = await scene.enrol("alice", "PC1")
    await actor.log_in()
    await scene.house.revoke("PC1")
    assert [each.device for each in scene.told(Revoked)] == [actor.device]
    await scene.until(lambda: actor.settled(-1))
    await actor.log_in()
    assert not (await scene.held(actor)).online


async def nobody_tells_what_came_later_first(scene: Scene) -> None:
    await a_message_reaches_every_device(scene)
    times = [record.at for record in scene.house.history.records if record.by == "device"]
    assert times == sorted(times)


SCENARIOS: tuple[Callable[[Scene], Awaitable[None]], ...] = (
    a_message_reaches_every_device,
    what_a_killed_device_stored_is_there_again,
    a_store_is_copied_set_back_and_forgotten,
    a_clone_takes_over,
    a_cut_is_told_when_it_happens,
    who_has_network_again_goes_on,
    a_killed_server_keeps_what_it_accepted,
    a_backup_comes_back,
    a_log_is_trimmed_and_published_to,
    a_revoked_device_stays_away,
    nobody_tells_what_came_later_first,
)


async def run_in(house: House, scenario: Callable[[Scene], Awaitable[None]]) -> list[Record]:
    """Play it; the house is opened, and closed again."""
    try:
        await house.open()
        await scenario(Scene(house))
    finally:
        await house.close()
    return house.history.records
