"""Puts the parts together: one aiohttp application that can stand alone or under another's path.

Start: storage, committer, reader, then everything that looks around by itself. Stop, in reverse:
say goodbye to the sockets, let what was taken become durable, close the storage.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from aiohttp import web

from syncd import errors
from syncd.badges import Badges
from syncd.committer import Committer
from syncd.errors import Refusal
from syncd.identity.devices import Admission, Devices
from syncd.identity.keys import Keys
from syncd.identity.settings import LoginSettings, read_settings
from syncd.limits import UNFOLDED_MIB
from syncd.live_connections import LiveConnections
from syncd.model import CursorScope
from syncd.policy import Checkpoint, Policy
from syncd.reader import Reader
from syncd.recording.journal import Journal
from syncd.recording.storage import recorded
from syncd.retention import Retention, kept
from syncd.server.admin import AdminSocket
from syncd.server.administration import Administration
from syncd.server.connection import Authenticate, Backstage
from syncd.server.deadlines import Deadlines
from syncd.server.entrance import Entrance
from syncd.server.groups import GroupDoor
from syncd.server.http import Door, guard
from syncd.server.refusals import refused
from syncd.server.requests import Answer, Request
from syncd.server.rights import watch_rights
from syncd.server.rounds import watch_heads, watch_stalls
from syncd.server.service import Service, Staff
from syncd.server.signals import Signals
from syncd.server.throttle import Rates, Throttle
from syncd.server.websocket import sync_endpoint
from syncd.storage import Storage, StorageError, StoreRefused
from syncd.storage.address import MEMORY, open_storage
from syncd.storage.keeping import Keep
from syncd.wakeups import Wakeups

log = logging.getLogger(__name__)

Vouch: TypeAlias = Callable[[str], Awaitable[Admission | None]]

SERVICE = web.AppKey("service", Service)
"""Where the application keeps its Service."""

EXIT_STATUS_OF_FAILURE = 70


_STORE_FREE_S = 3.0
"""How long a start waits for a store that is held: a command holds it for a moment, and a server
that is being replaced for as long as its last commit takes."""

_LOOK_AGAIN_S = 0.1


def stop_process(error: StorageError) -> None:
    """End this process now, answering nobody: what was under way may or may not be durable."""
    log.critical("! storage failed, the outcome is unknown, the process stops: %s", error)
    logging.shutdown()
    os._exit(EXIT_STATUS_OF_FAILURE)


def application(
    *,
    store: Storage | str | Path,
    authenticate: Vouch | None = None,
    allowed_origins: Collection[str] = (),
    on_failure: Callable[[StorageError], None] | None = None,
    cursor_scope: CursorScope | None = None,
    policy: Policy | None = None,
    recall_within_s: int = 0,
    retain_days: int = 0,
    retain_entries: int = 0,
    rates: Rates | None = None,
    journal: str | Path | None = None,
    login: LoginSettings | str | Path | None = None,
    unfolded_mib: int = UNFOLDED_MIB,
) -> web.Application:
    """The sync service as an aiohttp application; mount it with `add_subapp`, or run it alone.

    store: a folder (made when missing; held under a lock), `memory:`, or an open Storage, which
        stays its owner's to close.
    authenticate: an embedder's own login. It is given the token of a hello and vouches for a
        device that was made here; on None the service looks among its own tokens. When it raises,
        nobody is let in.
    allowed_origins: exact Origin headers of web pages that may open sockets.
    on_failure: called once when the outcome of a commit is unknown. It must end the process, as
        the default does: whatever is answered after that might be a lie.
    cursor_scope: for reproducing the second-PC bug only; None takes the store as it was made.
    policy: asked, before it is appended, about whatever a device sends that is to reach others, and
        about changes of groups over HTTP in somebody's name. It fails closed.
    recall_within_s: how old a message may be that its author recalls; 0 for any age.
    rates: what one account, one address, one credential may ask for in a second; None for the
        defaults. Behind a proxy all come from one address: set that rate to 0 there.
    retain_days, retain_entries: how much is kept of each log where nothing else was set for it; 0
        for everything.
    journal: a file to which everything that happens is told, without bodies and tokens, for
        `client-sim`; see recording/journal.py. OSError at startup where that is impossible.
    login: the file of apps and issuers by which people log in, or what it says; None for none.
        SettingsRefused for a file that cannot be meant.
    unfolded_mib: how much of what is appended waits in memory before it moves into pages.

    Between startup and cleanup `application[SERVICE]` publishes and makes devices.
    """
    assembly = _Assembly(store, authenticate, on_failure or stop_process, cursor_scope)
    assembly.allowed_origins = frozenset(allowed_origins)
    assembly.policy, assembly.recall_within_s = policy, recall_within_s
    assembly.retained = kept(retain_entries, retain_days)
    assembly.throttle = Throttle(rates or Rates())
    assembly.journal_path = None if journal is None else Path(journal)
    settings = read_settings(Path(login)) if isinstance(login, str | Path) else login
    assembly.entrance = Entrance(settings)
    assembly.unfolded_mib = unfolded_mib
    app = web.Application(middlewares=[guard(), assembly.throttle.middleware()])
    app[SERVICE] = assembly.service
    app.add_routes(Door(assembly.service).routes())
    app.add_routes(GroupDoor(assembly.service).routes())
    app.add_routes(assembly.entrance.routes(assembly.service, assembly.throttle))
    app.router.add_get("/v1/sync", assembly.sync, allow_head=False)
    app.cleanup_ctx.append(assembly.lifetime)
    app.on_shutdown.append(assembly.shut_down)
    return app


class _Assembly:
    """All parts of one application, and the order in which they start and stop."""

    def __init__(
        self,
        store: Storage | str | Path,
        vouch: Vouch | None,
        on_failure: Callable[[StorageError], None],
        cursor_scope: CursorScope | None,
    ) -> None:
        self.allowed_origins: Collection[str] = ()
        self.policy: Policy | None = None
        self.recall_within_s = 0
        self.retained = Keep()
        self.throttle = Throttle(Rates())
        self.journal_path: Path | None = None
        self.entrance = Entrance(None)
        self.unfolded_mib = UNFOLDED_MIB
        self._store = store
        self._vouch = vouch
        self._on_failure = on_failure
        self._cursor_scope = cursor_scope
        self._live = LiveConnections()
        self.service = Service(self._live, self._fail)
        self._sync: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    async def sync(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/sync."""
        if self._sync is None or not self.service.ready:
            return refused(errors.SERVICE_DRAINING, retry_after_s=1)
        return await self._sync(request)

    # -------------------------------------------------------- start and stop

    async def lifetime(self, app: web.Application) -> AsyncIterator[None]:
        """Everything between startup and cleanup. Raises StoreRefused at startup."""
        async with AsyncExitStack() as stack:
            storage = await self._open(stack)
            journal = None if self.journal_path is None else Journal(self.journal_path)
            if journal is not None:
                stack.callback(journal.close)
                storage = recorded(storage, journal)
                await storage.begin()
            wakeups, deadlines = Wakeups(), Deadlines()
            committer = Committer(storage, wakeups, self.service.fail, self.throttle.fanned_out)
            reader = Reader(storage)
            signals = Signals(storage, self._live)
            devices, keys = Devices(storage, ended=self._live.end), Keys(storage)
            retention = Retention(
                storage, wakeups.wake, self.retained, on_failure=self.service.fail
            )

            # The stack unwinds backwards: the committer ends last, when nobody can ask any more.
            await stack.enter_async_context(self._running(committer.run(), committer.drain))
            for body in (
                reader.run(),
                signals.run(),
                deadlines.run(),
                retention.run(),
                watch_heads(storage, wakeups),
                watch_stalls(self._live),
                watch_rights(storage.people, self._live),
            ):
                await stack.enter_async_context(self._running(body))
            checkpoint = None if self.policy is None else Checkpoint(self.policy)
            if checkpoint is not None:
                stack.push_async_callback(checkpoint.close)
            backstage = Backstage(
                authenticate=self._authenticator(devices),
                committer=committer,
                reader=reader,
                wakeups=wakeups,
                deadlines=deadlines,
                live=self._live,
                signals=signals,
                throttle=self.throttle,
                scope=storage.cursor_scope,
                checkpoint=checkpoint,
                recall_within_s=self.recall_within_s,
                journal=journal,
            )
            self._sync = sync_endpoint(backstage, self.allowed_origins)
            login, accounts = await stack.enter_async_context(
                self.entrance.opened(storage, self._folder, self._live.end, wakeups.wake)
            )
            await self._listen_for_commands(
                stack, Administration(storage, devices, keys, wakeups.wake, retention, accounts)
            )
            badges = Badges(storage)
            self.service.begin(
                Staff(committer, devices, keys, storage, badges, login, accounts, checkpoint)
            )
            yield
            await self.service.drain()

    async def shut_down(self, app: web.Application) -> None:
        """Say goodbye before aiohttp waits for the sockets' requests to end."""
        self.service.say_goodbye()

    async def _open(self, stack: AsyncExitStack) -> Storage:
        if isinstance(self._store, str | Path):
            opening = partial(open_storage, str(self._store), self._cursor_scope, self.unfolded_mib)
            storage = await _open_when_free(opening)
            stack.push_async_callback(storage.close)
        else:
            storage = self._store
        if storage.cursor_scope is not CursorScope.DEVICE:
            log.warning(
                "! cursor scope %s: this reproduces the second-PC bug, devices WILL miss messages",
                storage.cursor_scope.value,
            )
        return storage

    @property
    def _folder(self) -> Path | None:
        """Where the store lies, if that is a folder that we opened."""
        if not isinstance(self._store, str | Path) or str(self._store) == MEMORY:
            return None
        return Path(self._store)

    async def _listen_for_commands(
        self, stack: AsyncExitStack, administration: Administration
    ) -> None:
        """Where the store is a folder, commands find this server there."""
        folder = self._folder
        if folder is None:
            return

        async def perform(request: Request) -> Answer:
            with self.service.weathering():
                return await administration.perform(request)

        admin = AdminSocket(folder, perform)
        await admin.start()
        stack.push_async_callback(admin.close)

    def _running(
        self, body: Coroutine[Any, Any, None], finish: Callable[[], None] | None = None
    ) -> _Running:
        return _Running(body, finish, self._died)

    # -------------------------------------------------------- what may go wrong

    def _fail(self, error: StorageError) -> None:
        # Nobody may hear another word: an answer given now might be a lie.
        self._live.abort()
        self._on_failure(error)

    def _died(self, error: BaseException) -> None:
        """A part that everybody relies on died of a bug: going on would mean silence."""
        log.critical("! a task of the service died", exc_info=error)
        self.service.fail(StorageError(f"a task died: {type(error).__name__}", definite=False))

    def _authenticator(self, devices: Devices) -> Authenticate:
        async def authenticate(token: str) -> Admission | Refusal:
            try:
                admission = None if self._vouch is None else await self._vouch(token)
            except Exception as error:
                # Its type only: the text of a foreign error may quote the token.
                log.error("! the embedder's authenticate raised %s", type(error).__name__)
                return errors.INTERNAL
            if admission is not None:
                return admission
            try:
                return await devices.authenticate(token)
            except StorageError as error:
                log.error("! a token could not be looked up: %s", error)
                if not error.definite:
                    self.service.fail(error)
                return errors.STORAGE_UNAVAILABLE

        return authenticate


class _Running:
    """A task for the time of a `with`: afterwards it is told to finish, or cancelled."""

    def __init__(
        self,
        body: Coroutine[Any, Any, None],
        finish: Callable[[], None] | None,
        died: Callable[[BaseException], None],
    ) -> None:
        self._body = body
        self._finish = finish
        self._died = died

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._body)
        self._task.add_done_callback(self._done)

    async def __aexit__(self, *_: object) -> None:
        if self._finish is None:
            self._task.cancel()
        else:
            self._finish()
        await asyncio.wait([self._task])

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._died(error)


def is_held(refused: StoreRefused) -> bool:
    """Whether the store could not be opened only because another process holds it."""
    return "in use" in str(refused)


async def _open_when_free(opening: Callable[[], Awaitable[Storage]]) -> Storage:
    """Open a store, waiting a little for whoever holds it. Raises StoreRefused."""
    for look in range(int(_STORE_FREE_S / _LOOK_AGAIN_S)):
        try:
            return await opening()
        except StoreRefused as refused:
            if not is_held(refused):
                raise
            if look == 0:
                log.info("= waiting: %s", refused)
        await asyncio.sleep(_LOOK_AGAIN_S)
    return await opening()
