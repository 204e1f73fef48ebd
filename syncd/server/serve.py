"""`syncd serve`: the application as a process of its own, from the bound port to the goodbyes."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from syncd.limits import UNFOLDED_MIB
from syncd.model import CursorScope
from syncd.server.app import SERVICE, application
from syncd.server.listening import address_of, bound, listen, stop_listening
from syncd.server.policy_http import HttpPolicy
from syncd.server.throttle import Rates

log = logging.getLogger(__name__)

_STOPPING = (signal.SIGTERM, signal.SIGINT)

_REQUESTS_FINISH_S = 10.0
"""How long requests under way may take when the server stops."""


async def serve(
    *,
    data: Path,
    host: str,
    port: int,
    cursor_scope: CursorScope,
    allowed_origins: Collection[str] = (),
    policy_url: str = "",
    recall_within_s: int = 0,
    retain_days: int = 0,
    retain_entries: int = 0,
    rates: Rates | None = None,
    journal: Path | None = None,
    login: Path | None = None,
    unfolded_mib: int = UNFOLDED_MIB,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Prints one line, `listening on http://HOST:PORT`, on standard output once requests are served.
    A second signal ends the process at once. Raises OSError when it cannot listen or record,
    SettingsRefused when nobody can log in by that file, and StoreRefused when the store does not
    open.
    """
    with bound(host, port) as listening:
        stopping = _told_to_stop()
        policy = HttpPolicy(policy_url) if policy_url else None
        app = application(
            store=data,
            allowed_origins=allowed_origins,
            cursor_scope=cursor_scope,
            policy=policy,
            recall_within_s=recall_within_s,
            retain_days=retain_days,
            retain_entries=retain_entries,
            rates=rates,
            journal=journal,
            login=login,
            unfolded_mib=unfolded_mib,
        )
        if policy is not None:
            app.cleanup_ctx.insert(0, policy.lifetime)  # asked until the service has ended
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_REQUESTS_FINISH_S)
        try:
            await runner.setup()
            accepting = listen(runner, listening)
            accepting.add_done_callback(lambda _: stopping.set())
            settle_garbage_collector()
            print(f"listening on {address_of(listening)}", flush=True)
            log.info("= listening", extra={"facts": {"address": address_of(listening)}})
            await stopping.wait()
            for each in _STOPPING:
                asyncio.get_running_loop().remove_signal_handler(each)
            await stop_listening(accepting, listening)
            # Before aiohttp begins its own shutdown, which is deaf to close frames.
            await app[SERVICE].drain()
        finally:
            await runner.cleanup()
    log.info("= stopped")


def _told_to_stop() -> asyncio.Event:
    stopping = asyncio.Event()
    for each in _STOPPING:
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    return stopping


def settle_garbage_collector() -> None:
    """Look for cycles more rarely, and never among what lives as long as the process.

    By Python's default what is new is looked through every 700 objects, and everything that is
    young every tenth time. A message makes hardly any that the collector knows, but a connection
    makes a hundred. A look at two thousand takes 0.3 ms, for which all others wait while devices
    come back; what it finds alive it looks at again only when a million more have come.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 500, 50)
