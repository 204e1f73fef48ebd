"""Login of one application: its doors, and what stands behind them while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from syncd.errors import Refusal
from syncd.identity import sealing
from syncd.identity.accounts import Accounts
from syncd.identity.codes import Codes
from syncd.identity.issuers import Issuers
from syncd.identity.login import Login, Surroundings
from syncd.identity.pairing import Pairings
from syncd.identity.settings import LoginSettings
from syncd.model import AccountId, DeviceId
from syncd.server import page
from syncd.server.devices_http import DeviceDoor
from syncd.server.issuer_keys import KeysOverHttp
from syncd.server.login_http import LoginDoor, LoginLimits
from syncd.server.notices import NoticeWriter
from syncd.server.outgoing import quiet_session
from syncd.server.pairing_http import PairingDoor
from syncd.server.self_http import SelfDoor
from syncd.server.service import Service
from syncd.server.throttle import Throttle
from syncd.server.upstream_http import PlatformOverHttp
from syncd.storage import Storage


class Entrance:
    """settings: None where nobody logs in by a proof, and devices are made by API keys."""

    def __init__(self, settings: LoginSettings | None) -> None:
        self._proves = settings is not None
        self._settings = settings or LoginSettings()

    def routes(self, service: Service, throttle: Throttle) -> list[web.RouteDef]:
        """What is to be added to the application."""
        limits = LoginLimits(throttle.address_of)
        doors = LoginDoor(service, limits).routes() if self._proves else []
        doors += SelfDoor(service, limits).routes() + DeviceDoor(service).routes()
        return doors + PairingDoor(service, Pairings(), throttle).routes() + page.routes()

    @asynccontextmanager
    async def opened(
        self,
        storage: Storage,
        folder: Path | None,
        ended: Callable[[DeviceId, Refusal], None],
        wake: Callable[[Iterable[AccountId]], None],
    ) -> AsyncIterator[tuple[Login, Accounts]]:
        """Login and accounts, until the end of the block.

        folder: where the store lies, and the key file beside it; None for a store elsewhere.
        ended, wake: see login.Surroundings. Raises StoreRefused and OSError for the key file.
        """
        people, notices = storage.people, NoticeWriter()
        keys = sealing.for_this_process()
        if folder is not None and self._settings.apps:
            keys = await asyncio.to_thread(sealing.in_folder, folder)
        async with quiet_session() as session:
            apps = self._settings.apps
            platform = PlatformOverHttp(self._settings.upstream, session)
            login = Login(
                people,
                Codes(people, platform, apps, keys, ended),
                Issuers(self._settings.issuers, KeysOverHttp(session)),
                apps,
                keys,
                Surroundings(notices=notices, ended=ended, wake=wake),
            )
            yield login, Accounts(people, notices, ended, wake)
