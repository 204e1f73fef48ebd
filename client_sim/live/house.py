"""The live world: a real server process, a proxy for each device's line, a store file for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import web

from client_sim.evidence import Evidence, FreshCode, Scanned, UsedCode
from client_sim.history import SERVER, History, Revoked
from client_sim.house import CannotDo, Enrolled
from client_sim.live.entrance import Entrance
from client_sim.live.mortal import MortalDialler, MortalStore, copy_store
from client_sim.live.program import Program
from client_sim.live.proxy import LOOPBACK, Connection, Cut, Proxy, Way
from client_sim.live.server_side import ServerSide
from client_sim.live_server import SYNCD, socket_url
from client_sim.platform import Platform
from client_sim.weather import CALM
from syncd.client.line import Dialler
from syncd.client.store import ClientStore
from syncd.storage.database_file import remove_database
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for

_SUBPROTOCOLS = {"msgpack": MSGPACK_SUBPROTOCOL, "json": JSON_SUBPROTOCOL}


@dataclass
class _Desk:
    """What belongs to one device: its line, its store file, and its run, if one is on."""

    device: str
    proxy: Proxy
    path: Path
    store: MortalStore
    dialler: MortalDialler | None = None

    @property
    def copied(self) -> Path:
        return self.path.with_suffix(".copy")


class LiveHouse(ServerSide):
    """See house.House. Its owner closes it, and then removes `folder`.

    seed: of all chance that the house itself has; a real world has more of it.
    """

    weather = CALM

    def __init__(
        self,
        folder: Path,
        history: History,
        *,
        scope: str = "device",
        command: Sequence[str] | Program = SYNCD,
        encoding: Literal["msgpack", "json"] = "msgpack",
        seed: int = 0,
    ) -> None:
        super().__init__(folder, history, scope=scope, command=command)
        self._codec = codec_for(_SUBPROTOCOLS[encoding])
        self._seed = seed
        self._desks: dict[str, _Desk] = {}
        self._platform = Platform(Random(f"{seed}:platform"), time.time)
        self._listening: web.AppRunner | None = None
        self._codes: dict[str, tuple[str, str]] = {}
        self._stores = folder / "devices"

    async def open(self) -> None:
        self._stores.mkdir()
        self._listening = await self._platform.listen()
        self.login_settings.write_text(self._platform.settings(self._listening))
        await self.start_server()
        self._key = await self._new_key()

    async def close(self) -> None:
        for desk in self._desks.values():
            await desk.store.die()
            await desk.proxy.close()
        self._desks.clear()
        await self.stop_server()
        if self._listening is not None:
            await self._listening.cleanup()
        self._take_journal()

    def chance(self, name: str) -> Random:
        """Chance of that name, the same for the same seed."""
        return Random(f"{self._seed}:{name}")

    def calm(self) -> None:
        """There is no weather here."""

    # ------------------------------------------------------------ devices

    async def enrol(self, account: str, name: str, platform: str) -> Enrolled:
        made = await self._insist(
            lambda: self._ask(lambda door: door.create_device(account, name, platform))
        )
        await self._settle(name, made.device)
        return Enrolled(made.device, made.token)

    async def log_in(
        self, name: str, platform: str, kept: Enrolled | None, evidence: Evidence
    ) -> Enrolled:
        got = await self._insist(lambda: self._logged_in(name, platform, kept, evidence))
        if name not in self._desks:
            await self._settle(name, got.device)
        self._desks[name].device = got.device
        return got

    async def _logged_in(
        self, name: str, platform: str, kept: Enrolled | None, evidence: Evidence
    ) -> Enrolled:
        entrance = Entrance(self._server.url, name, platform, kept)
        match evidence:
            case FreshCode(app=app):
                self._codes[name] = app, self._platform.code(evidence)
                return await entrance.by_code(*self._codes[name])
            case UsedCode(device):
                return await entrance.by_code(*self._codes[device])
            case Scanned(token=token):
                return await entrance.by_qr(token)

    async def sign_out(self, account: str) -> None:
        await self._command("logout", account)

    async def merge(self, guest: str, account: str) -> None:
        await self._command("merge", guest, account)

    async def _settle(self, name: str, device: str) -> _Desk:
        port = urlsplit(self._server.url).port
        assert port is not None
        proxy = Proxy(LOOPBACK, port, lambda cut: self._was_cut(device, cut))
        await proxy.open()
        path = self._stores / f"{len(self._desks)}.db"
        desk = self._desks[name] = _Desk(device, proxy, path, MortalStore(path))
        return desk

    def _was_cut(self, device: str, cut: Connection) -> None:
        up, down = cut.passed[Way.TO_SERVER], cut.passed[Way.TO_DEVICE]
        self._fault("cut", device, f"after {up} bytes to the server and {down} to the device")

    def dialler(self, name: str) -> Dialler:
        desk = self._desks[name]
        address = socket_url(f"http://{LOOPBACK}:{desk.proxy.port}")
        desk.dialler = MortalDialler(socket_url(self._server.url), address, self._codec)
        return desk.dialler

    async def shelve(self, name: str) -> ClientStore:
        desk = self._desks[name]
        desk.store = MortalStore(desk.path)
        return desk.store

    async def abandon(self, name: str) -> None:
        desk = self._desks[name]
        if desk.dialler is not None:
            desk.dialler.die()
        desk.proxy.drop()
        await desk.store.die()

    async def forget(self, name: str) -> None:
        remove_database(self._desks[name].path)

    async def copy(self, name: str) -> None:
        desk = self._desks[name]
        await desk.store.copy(desk.copied)

    async def set_back(self, name: str) -> None:
        desk = self._desks[name]
        if not desk.copied.exists():
            raise CannotDo(f"{name} was not copied")
        copy_store(desk.copied, desk.path)

    async def clone(self, name: str, other: str) -> None:
        desk = self._desks[name]
        twin = await self._settle(other, desk.device)
        await desk.store.copy(twin.path)

    async def revoke(self, name: str) -> None:
        device = self._desks[name].device
        await self._command("revoke", device)
        self._tell(Revoked(at=self.now(), by=SERVER, device=device))

    # ------------------------------------------------------------ lines

    async def cut(self, name: str, after_bytes: int = 0) -> None:
        self._desks[name].proxy.cut(Cut(after_bytes))

    async def unplug(self, name: str) -> None:
        desk = self._desks[name]
        desk.proxy.unplug()
        self._fault("half_open", desk.device)

    async def plug(self, name: str) -> None:
        self._desks[name].proxy.plug()

    async def stall(self, name: str) -> None:
        desk = self._desks[name]
        desk.proxy.stall(Way.TO_DEVICE)
        self._fault("slow_reader", desk.device)

    async def unstall(self, name: str) -> None:
        self._desks[name].proxy.resume(Way.TO_DEVICE)

    async def delay(self, name: str, milliseconds: int) -> None:
        desk = self._desks[name]
        desk.proxy.delay(milliseconds / 1000)
        if milliseconds:
            self._fault("delay", desk.device, f"{milliseconds} ms")
