"""The drill: an old copy of the store is put in place of the real one, by command or by hand, and
every device converges. What a sender still holds is in the log again, once; what nobody can bring
back is shown by who received it, as not on the server; alarms say that it happened.

Real processes, real stores. Two people, five devices; judged from the devices' stores and from what
a new device downloads.
"""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from client_sim.door import Door, opened
from client_sim.live_server import LiveServer
from syncd import errors
from syncd.client import Device, Identity, Kind
from syncd.membership import Action, Change, write_change
from syncd.model import AccountId, Seq
from syncd.wire.frames import Entry
from tests.acceptance.convergence import Seat, converged, holding, online, seated, settle

PATIENCE_S = 60.0
DIRECT = "ann~ben"
CLUB = "club"
SEATS = ("ann pc", "ann phone", "ann tablet", "ben pc", "ben phone")
AT_HOME = tuple(name for name in SEATS if name != "ben phone")
"""Who is online between the copy and the loss; ben's phone is away then."""


class Drill:
    """One server, the devices of two people, and what became of every message that they sent."""

    def __init__(self, server: LiveServer, door: Door, seats: dict[str, Seat]) -> None:
        self.server, self.door, self.seats = server, door, seats
        self.folder = server.data.parent
        self.kept: set[bytes] = set()
        """Bodies that must be in the log in the end: the copy has them, or their sender."""
        self.gone: set[bytes] = set()
        """Bodies that nobody can bring back."""
        self.marks: dict[str, list[Identity]] = {"ann": [], "ben": []}

    @asynccontextmanager
    async def online(self, *names: str) -> AsyncIterator[dict[str, Device]]:
        async with online(self.server, [self.seats[name] for name in names]) as devices:
            yield devices

    def log(self) -> str:
        data = self.server.data
        return data.with_name(data.name + ".log").read_text()

    async def say(
        self, device: Device, conversation: str, text: str, kept: bool = True
    ) -> Identity:
        body = text.encode()
        accepted = await device.send(conversation, body)
        (self.kept if kept else self.gone).add(body)
        assert device.device_id is not None
        return Identity(device.device_id, accepted.number)

    async def edit(self, device: Device, conversation: str, target: Identity, text: str) -> None:
        await device.send(conversation, text.encode(), kind=Kind.EDIT, target=target)
        self.kept.add(text.encode())

    async def read(self, device: Device, conversation: str, target: Identity) -> None:
        await device.send(conversation, b"", kind=Kind.READ, target=target)
        assert device.account is not None
        self.marks[device.account].append(target)

    # -------------------------------------------------------- the acts

    async def before_the_copy(self) -> None:
        """A group, messages, an edit, read marks: everybody has them, and the copy will."""
        async with self.online(*SEATS) as devices:
            ann, ben = devices["ann pc"], devices["ben pc"]
            created = write_change(Change(Action.CREATE, members=(AccountId("ben"),)))
            await ann.send(CLUB, created, kind=Kind.SYSTEM)
            hello = await self.say(ann, DIRECT, "hello ben")
            await self.say(devices["ann phone"], CLUB, "from the phone")
            await self.say(devices["ben phone"], CLUB, "from ben's phone")
            await self.edit(ann, DIRECT, hello, "hello Ben")
            await settle(self.door, devices)
            await self.read(ben, DIRECT, hello)
            await self.say(devices["ann tablet"], DIRECT, "from the tablet")
            await settle(self.door, devices)
        self.keep_aside(self.seats["ann tablet"])

    async def after_the_copy(self) -> None:
        """The restored server will know nothing of this."""
        async with self.online(*AT_HOME) as devices:
            ann, ben = devices["ann pc"], devices["ben pc"]
            late = await self.say(ann, DIRECT, "after the copy")
            await self.edit(ann, DIRECT, late, "edited after the copy")
            answer = await self.say(ben, DIRECT, "an answer after the copy")
            await self.say(ben, CLUB, "and to the club")
            await self.say(devices["ann phone"], CLUB, "the phone, too")
            await self.say(devices["ann tablet"], DIRECT, "of a tablet that forgets it", kept=False)
            await self.door.publish("ann", b"of nobody")
            self.gone.add(b"of nobody")
            await settle(self.door, devices)
            await self.read(ben, DIRECT, late)
            await self.read(ann, DIRECT, answer)
            await settle(self.door, devices)

    async def unsent(self) -> None:
        """While the server is down: messages that wait in outboxes."""
        async with self.online("ann phone", "ben phone") as devices:
            for name, device in devices.items():
                body = f"written offline on {name}".encode()
                assert await device.enqueue(CLUB, body) is not None
                self.kept.add(body)

    async def new_life(self, seqs: Seq) -> None:
        """Who was away comes first, and writes so much that heads pass where the others stand."""
        async with self.online("ben phone") as devices:
            await settle(self.door, devices)
            for count in range(seqs):
                await self.say(devices["ben phone"], DIRECT, f"a new life {count}")

    async def everybody_comes_back(self) -> None:
        async with self.online(*SEATS) as devices:
            await settle(self.door, devices)
            # A tablet whose store is an old copy has no number that it gave since; its next message
            # must not take the place of what the others still hold under that number.
            await self.say(devices["ann tablet"], DIRECT, "the tablet again")
            await self.say(devices["ben pc"], CLUB, "we are all here")
            await settle(self.door, devices)

    # -------------------------------------------------------- files

    def keep_aside(self, seat: Seat) -> None:
        for file in seat.files:
            shutil.copy(file, file.with_name("aside " + file.name))

    def take_old_store(self, seat: Seat) -> None:
        for file in seat.files:
            file.unlink()
        for file in seat.store.parent.glob(f"aside {seat.store.name}*"):
            shutil.copy(file, seat.store.parent / file.name.removeprefix("aside "))

    def copy_by_hand(self) -> None:
        shutil.copytree(self.server.data, self.folder / "copy", ignore=_no_sockets)

    def restore_by_hand(self) -> None:
        self.server.data.rename(self.folder / "lost")
        shutil.copytree(self.folder / "copy", self.server.data)

    def command(self, *arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "syncd", *arguments, "--data", str(self.server.data)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        said = ran.stdout + ran.stderr
        assert ran.returncode == 0, said
        return said

    # -------------------------------------------------------- the judgement

    async def judge(self) -> None:
        logs = await converged(self.server, self.door, self.seats.values())
        for account, log in logs.items():
            found = Counter(entry.body for entry in log)
            for body in self.kept:
                assert found[body] == 1, (account, body)
            assert self.gone.isdisjoint(found), account
        # Each may hold something that the other never got: nothing here but read marks.
        assert shared(logs["ann"]) == shared(logs["ben"])
        for name, seat in self.seats.items():
            held = await holding(self.server, seat)
            expected = self.gone if name in ("ann pc", "ann phone") else set()
            if name == "ben pc":
                expected = {b"of a tablet that forgets it"}
            assert held.lost == expected, name
            if held.refused:
                # A read mark may come back before the message that it is about, from whose
                # sender's device nobody knows when it comes: then it is shown as refused.
                [(target, code)] = held.refused
                assert code == errors.TARGET_GONE.code
                assert target is not None
                self.marks[seat.account].remove(target)
        for account, targets in self.marks.items():
            found = [entry.target for entry in logs[account] if entry.kind == Kind.READ]
            assert Counter(found) == Counter(targets), account


def shared(log: tuple[Entry, ...]) -> list[Identity]:
    """What both people hold, in its order."""
    return [entry.identity for entry in log if entry.kind != Kind.READ]


def _no_sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


@asynccontextmanager
async def drill(folder: Path) -> AsyncIterator[Drill]:
    server = LiveServer(folder / "data", "device")
    await server.start()
    try:
        async with opened(server.url, await server.api_key()) as door:
            seats = {name: await seated(door, folder, *name.split()) for name in SEATS}
            yield Drill(server, door, seats)
    finally:
        await server.stop()


async def test_a_restored_backup(tmp_path: Path) -> None:
    async with drill(tmp_path) as play:
        await play.before_the_copy()
        play.command("backup", str(tmp_path / "backup.db"))
        await play.after_the_copy()
        await play.server.stop()
        await play.unsent()
        play.take_old_store(play.seats["ann tablet"])
        play.command("restore", str(tmp_path / "backup.db"), "--replace")
        await play.server.start()
        await play.everybody_comes_back()
        await play.judge()
        assert "! alarm" not in play.log(), "a new epoch says what happened; nobody guesses"
        await play.server.stop()
        play.command("check")


async def test_members_who_come_back_before_the_groups_creator(tmp_path: Path) -> None:
    """What they said is refused at first, because there is no such group; when its creator's device
    brings it back, their own devices say it again, as new messages."""
    async with drill(tmp_path) as play:
        async with play.online(*SEATS) as devices:
            await play.say(devices["ann pc"], DIRECT, "before the copy")
            await settle(play.door, devices)
        play.command("backup", str(tmp_path / "backup.db"))
        async with play.online(*SEATS) as devices:
            created = write_change(Change(Action.CREATE, members=(AccountId("ben"),)))
            await devices["ann pc"].send(CLUB, created, kind=Kind.SYSTEM)
            await settle(play.door, devices)
            hello = await play.say(devices["ben pc"], CLUB, "hello club")
            await play.edit(devices["ben pc"], CLUB, hello, "Hello club!")
            await play.say(devices["ann phone"], CLUB, "from the phone")
            await play.say(devices["ben phone"], CLUB, "from ben's phone")
            await settle(play.door, devices)
        await play.server.stop()
        play.command("restore", str(tmp_path / "backup.db"), "--replace")
        await play.server.start()
        members = ("ann phone", "ben pc", "ben phone")
        async with play.online(*members) as devices:
            await settle(play.door, devices)
            for name, count in zip(members, (1, 2, 1), strict=True):
                codes = [each.code for each in await devices[name].pending()]
                assert codes == [errors.NOT_A_MEMBER.code] * count, name
        async with play.online(*SEATS) as devices:
            await settle(play.door, devices)
        logs = await converged(play.server, play.door, play.seats.values())
        for account, log in logs.items():
            found = Counter(entry.body for entry in log)
            assert found == Counter([*play.kept, created]), account
            [edit] = [entry for entry in log if entry.kind == Kind.EDIT]
            assert edit.target in [entry.identity for entry in log if entry.body == b"hello club"]
        for name, seat in play.seats.items():
            held = await holding(play.server, seat)
            assert held.pending == (), name
            assert held.lost < play.kept, "the first sendings, which no log will hold again"
        await play.server.stop()
        play.command("check")


@pytest.mark.parametrize(("ends", "verdict"), [("stop", "ahead"), ("kill", "forked")])
async def test_files_that_were_copied_by_hand(tmp_path: Path, ends: str, verdict: str) -> None:
    async with drill(tmp_path) as play:
        await play.before_the_copy()
        await (play.server.stop() if ends == "stop" else play.server.kill())
        play.copy_by_hand()
        await play.server.start()
        await play.after_the_copy()
        await play.server.stop()
        await play.unsent()
        play.take_old_store(play.seats["ann tablet"])
        play.restore_by_hand()
        await play.server.start()
        assert "! alarm" not in play.log()
        if verdict == "forked":
            await play.new_life(30)
        await play.everybody_comes_back()
        await play.judge()
        alarms = [line for line in play.log().splitlines() if "! alarm: " in line]
        assert len(alarms) == 3, alarms
        assert all(f"! alarm: {verdict} " in line for line in alarms), alarms
        await play.server.stop()
        play.command("check")
