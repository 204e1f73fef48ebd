"""What a device of somebody else's server keeps, confirms and loses."""

from pathlib import Path

import pytest

from client_sim.foreign.house import ForeignHouse
from client_sim.history import Answer, Connect, Fault
from client_sim.house import CannotDo
from tests.client_sim.foreign.peers import LOSSY, TEMPLATE, template_with
from tests.client_sim.foreign.test_house import house


async def enrolled(opened: ForeignHouse) -> None:
    for account, name in (("alice", "PC1"), ("bob", "phone")):
        await opened.enrol(account, name, "pc")
        await opened.players[name].log_in()


def kept(opened: ForeignHouse, name: str) -> list[str]:
    return [message for message, _ in opened.players[name].kept]


@pytest.mark.parametrize(("command", "left"), [(TEMPLATE, 2), (LOSSY, 0)])
async def test_a_killed_device_has_kept_nothing_of_what_had_just_come(
    command: str, left: int
) -> None:
    async with house(command) as opened:
        await enrolled(opened)
        await opened.players["phone"].send("alice", 2, 0, ())
        await opened.players["PC1"].die()
        await opened.players["PC1"].log_in()
        assert len(kept(opened, "PC1")) == left


async def test_a_device_without_network_neither_sends_nor_receives_until_it_has_one() -> None:
    async with house() as opened:
        await enrolled(opened)
        await opened.unplug("PC1")
        await opened.players["phone"].send("alice", 1, 0, ())
        await opened.players["PC1"].send("bob", 1, 0, ())
        await opened.wait(0)
        assert kept(opened, "PC1") == kept(opened, "phone") == []
        await opened.plug("PC1")
        await opened.wait(0)
        await opened.wait(0)
        assert (kept(opened, "PC1"), kept(opened, "phone")) == (["phone#1"], ["PC1#1"])
        assert [each.kind for each in opened.history.records if isinstance(each, Fault)] == [
            "half_open"
        ]


async def test_a_cut_without_a_connection_waits_for_the_next() -> None:
    async with house() as opened:
        await opened.enrol("alice", "PC1", "pc")
        await opened.cut("PC1")
        await opened.players["PC1"].log_in()
        await opened.wait(0)
        told = [type(each) for each in opened.history.records]
    assert told.count(Fault) == 1
    assert told.count(Connect) == 2


async def test_what_was_not_confirmed_is_not_sent_again(tmp_path: Path) -> None:
    once = {"    LOGS[to].append": "    PLACES[message] += 1\n    LOGS[to].append"}
    async with house(template_with(tmp_path, once)) as opened:
        await enrolled(opened)
        await opened.players["phone"].send("alice", 1, 0, ())
        await opened.wait(0)
        [answer] = [each for each in opened.history.records if isinstance(each, Answer)]
    assert (answer.outcome, "KeyError" in answer.code) == ("lost", True)


async def test_what_comes_again_though_it_was_confirmed_is_kept_twice(tmp_path: Path) -> None:
    deaf = {"    PLACES[account, device] = place  #": "    PLACES[account, device] = 0  #"}
    async with house(template_with(tmp_path, deaf)) as opened:
        await enrolled(opened)
        await opened.players["phone"].send("alice", 1, 0, ())
        await opened.wait(0)
        await opened.wait(0)
        assert kept(opened, "PC1") == ["phone#1", "phone#1"]


async def test_a_login_that_always_fails_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    shut = {"    pass  # YOURS: connect": "    raise OSError('wrong port')  #"}
    async with house(template_with(tmp_path, shut)) as opened:
        await opened.enrol("alice", "PC1", "pc")
        await opened.players["PC1"].log_in()
        with pytest.raises(CannotDo, match="PC1 cannot log in: OSError"):
            await opened.wait(30)


async def test_groups_and_edits_are_unknown_to_adapters() -> None:
    async with house() as opened:
        await enrolled(opened)
        with pytest.raises(CannotDo, match="accounts and no groups: team"):
            await opened.players["PC1"].send("team", 1, 0, ())
        with pytest.raises(CannotDo, match="no way to edit a message"):
            await opened.players["PC1"].edit()
