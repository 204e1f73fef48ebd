"""What befalls somebody else's server, as far as an adapter can bring it about."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from client_sim.foreign.adapter import AdapterFailed, command_of, started
from client_sim.foreign.house import ForeignHouse
from client_sim.history import Fault, Process
from client_sim.house import CannotDo
from tests.client_sim.foreign.peers import TEMPLATE, template_with


@contextlib.asynccontextmanager
async def house(command: str = TEMPLATE) -> AsyncIterator[ForeignHouse]:
    async with started(command_of(command)) as adapter:
        opened = ForeignHouse(adapter, await adapter.hello())
        await opened.open()
        yield opened
        await opened.close()


async def test_names_are_no_other_runs() -> None:
    async with house() as one, house() as other:
        names = []
        for each in (one, other):
            await each.enrol("alice", "new device of alice", "new")
            names.append(each.address(each.players["new device of alice"]))
    assert names[0] != names[1]
    assert all(" " not in name for pair in names for name in pair.values())


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("clone", ("PC1", "PC2"), "an adapter has no way to clone a device"),
        ("restore", (), "an adapter has no way to restore a backup"),
        ("cut", ("PC1", 100), "no way to cut a line after so many bytes"),
        ("kill_server", (), "this adapter does not offer kill_server"),
        ("forget", ("PC1",), "this adapter does not offer forget"),
        ("shelve", ("PC1",), "our own client does not speak"),
    ],
)
async def test_what_it_cannot_do_it_says(
    verb: str, arguments: tuple[object, ...], sentence: str
) -> None:
    async with house() as opened:
        await opened.enrol("alice", "PC1", "pc")
        with pytest.raises(CannotDo, match=sentence):
            await getattr(opened, verb)(*arguments)


async def test_a_server_that_is_killed_and_started(tmp_path: Path) -> None:
    more = {
        '"can": ["ack"]': '"can": ["ack", "kill_server", "start_server"]',
        "for line in": "kill_server = start_server = lambda: None\nfor line in",
    }
    async with house(template_with(tmp_path, more)) as opened:
        await opened.enrol("alice", "PC1", "pc")
        player = opened.players["PC1"]
        await player.log_in()
        await opened.kill_server()
        await player.send("alice", 1, 0, ())
        assert opened.accepted == 0
        assert player.settled(0)
        await opened.start_server()
        await opened.wait(0)
        assert opened.accepted == 1
        told = [type(each) for each in opened.history.records]
    assert told.count(Fault) == 1
    assert told.count(Process) == 3


async def test_a_server_that_owes_nothing_from_before_is_told_of_devices_at_once(
    tmp_path: Path,
) -> None:
    promise = {'"can": ["ack"]': '"can": ["ack"], "since": "first login"'}
    async with house(template_with(tmp_path, promise)) as opened:
        for account, name in (("alice", "PC1"), ("bob", "phone")):
            await opened.enrol(account, name, "pc")
        await opened.players["phone"].log_in()
        await opened.players["phone"].send("alice", 1, 0, ())
        await opened.enrol("alice", "late", "pc")
        for name in ("PC1", "late"):
            await opened.players[name].log_in()
        online = {name: (await each.remains()).online for name, each in opened.players.items()}
    assert online == {"PC1": True, "phone": True, "late": False}


async def test_an_answer_to_a_pull_without_messages_is_shown(tmp_path: Path) -> None:
    broken = {'return {"messages"': 'return {"letters"'}
    async with house(template_with(tmp_path, broken)) as opened:
        await opened.enrol("alice", "PC1", "pc")
        with pytest.raises(AdapterFailed, match="no answer to a pull"):
            await opened.players["PC1"].log_in()
