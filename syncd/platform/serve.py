"""The platform as a process of its own."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sqlite3
from contextlib import closing
from ipaddress import ip_address

from aiohttp import web

from syncd.platform.app import application
from syncd.platform.bell import Bell
from syncd.platform.clock import Clock
from syncd.platform.provision import Provision
from syncd.platform.world import World

MEMORY = "memory:"
_REQUESTS_FINISH_S = 5.0


async def serve(data: str, host: str, port: int, testing: bool) -> None:
    """Serve until SIGTERM or SIGINT. data: a file, made where there is none, or MEMORY.

    Prints one line, `listening on http://HOST:PORT`, on standard output once requests are served.
    testing: with provisioning, by which everybody may become anybody. Raises OSError when it
    cannot listen, and sqlite3.Error when it cannot have the file for itself.
    """
    stopping = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    with closing(open_database(data)) as db:
        clock, bell = Clock(db), Bell()
        world = World(db, secrets.token_bytes)
        app = application(world, clock.now, bell)
        if testing:
            Provision(world, clock, bell).join(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_REQUESTS_FINISH_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            print(f"listening on http://{host}:{runner.addresses[0][1]}", flush=True)
            await stopping.wait()
        finally:
            await runner.cleanup()


def open_database(data: str) -> sqlite3.Connection:
    """The world's database, for this process alone. Raises sqlite3.Error."""
    db = sqlite3.connect(":memory:" if data == MEMORY else data, timeout=0)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        # The loop must not wait for a disk. A power cut may take the last logins along; people log
        # in again.
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
