"""A member is removed while its messages are under way, over real sockets and a real process."""

import asyncio

from client_sim.door import opened
from client_sim.live_server import started
from syncd import errors
from syncd.client import Accepted, Device, Item, Kind, connect

GROUP, MESSAGES = "climbing", 400


async def log_of(device: Device) -> list[Item]:
    """All that the account's log holds in the group by now."""
    await device.caught_up()
    position = device.position
    assert position is not None
    items = []
    async for item in device:
        items.append(item)
        if item.seq == position.seq:
            break
    return [item for item in items if item.entry.conversation == GROUP]


async def test_each_message_is_before_the_removal_in_every_log_or_in_none() -> None:
    async with started("device") as server, opened(server.url, await server.api_key()) as door:
        tokens = {
            who: (await door.create_device(who, "PC", "pc")).token
            for who in ("alice", "bob", "carol")
        }
        async with (
            connect(server.url, token=tokens["alice"]) as alice,
            connect(server.url, token=tokens["bob"]) as bob,
            connect(server.url, token=tokens["carol"]) as carol,
        ):
            await alice.create_group(GROUP, ["bob", "carol"])
            sending = asyncio.gather(
                *(carol.send_many(GROUP, [b"up we go"] * 4) for _ in range(MESSAGES // 4))
            )
            await asyncio.sleep(0)
            await alice.remove(GROUP, ["carol"])
            outcomes = [each for answered in await sending for each in answered]
            outcomes += await carol.send_many(GROUP, [b"too late"])
            accepted = {each.number for each in outcomes if isinstance(each, Accepted)}
            refusals = {each.refusal for each in outcomes if not isinstance(each, Accepted)}
            assert refusals == {errors.NOT_A_MEMBER}
            logs = [await log_of(device) for device in (alice, bob, carol)]
        for log in logs:
            *before, last = log
            assert (last.entry.kind, last.entry.account) == (Kind.SYSTEM, "alice")
            said = [item.entry.number for item in before if item.entry.account == "carol"]
            assert said == sorted(accepted)
