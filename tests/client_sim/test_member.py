"""A device of a swarm on the real server: reads, sends, leaves, comes back with what it has."""

import asyncio
import secrets

from client_sim import door
from client_sim.live_server import socket_url
from client_sim.member import Destination, Member, Tally
from syncd.model import AccountId, ConversationId, direct
from tests.client_sim.conftest import Running


async def test_it_reads_sends_and_comes_back(running: Running) -> None:
    account = f"member-{secrets.token_hex(4)}"
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "device", "pc")
    tally = Tally()
    itself = Destination(direct(AccountId(account), AccountId(account)), (account,))
    member = Member(socket_url(running.url), account, made.token, tally)
    try:
        await member.send(itself)
        assert tally.sent == 0
        for _ in range(2):
            await member.connect()
            await member.wait_current()
            assert member.connected
            await member.send(itself)
            async with asyncio.timeout(10):
                # It counts into a tally: there is nothing to wait on but looking.
                while member.track.last < tally.accepted_count:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await member.disconnect()
            assert not member.connected
    finally:
        await member.disconnect()
    assert [line.seq for line in member.track.lines] == [1, 2]
    assert tally.accepted == {account: {(made.device, 1), (made.device, 2)}}
    assert (tally.delivered, tally.connects, len(tally.lags_ms)) == (2, 2, 2)
    assert tally.verdicts == {"welcome": 2}
    assert not member.failure


async def test_why_it_stopped_is_kept(running: Running) -> None:
    member = Member(socket_url(running.url), "nobody", "sd_wrong", Tally())
    try:
        await member.connect()
        await member.wait_current()
    finally:
        await member.disconnect()
    assert "not_authenticated" in member.failure


async def test_a_group_is_made_and_written_to(running: Running) -> None:
    accounts = [f"member-{secrets.token_hex(4)}" for _ in range(2)]
    async with door.opened(running.url, running.key) as opened:
        made = [await opened.create_device(each, "device", "pc") for each in accounts]
    tally = Tally()
    url = socket_url(running.url)
    founder, other = (
        Member(url, account, each.token, tally)
        for account, each in zip(accounts, made, strict=True)
    )
    group = Destination(ConversationId(f"group-{secrets.token_hex(4)}"), tuple(accounts))
    try:
        for each in (founder, other):
            await each.connect()
            await each.wait_current()
        await founder.found(group)
        await other.send(group)
        assert not founder.failure
        await founder.found(group)
        assert founder.failure.startswith("conversation_exists")
    finally:
        for each in (founder, other):
            await each.disconnect()
    both = {(made[0].device, 1), (made[1].device, 1)}
    assert tally.accepted == {accounts[0]: both, accounts[1]: both}
    assert (tally.sent, tally.accepted_count) == (1, 1)
