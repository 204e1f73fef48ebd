"""Puts a device together from its parts: what `connect` does, and whoever has other lines."""

from __future__ import annotations

from collections.abc import Callable

from syncd import limits
from syncd.client.device import Device
from syncd.client.line import Dialler
from syncd.client.store import ClientStore
from syncd.protocol.client import Client, Settings
from syncd.protocol.client_commands import News


async def assembled(
    store: ClientStore,
    dialler: Dialler,
    *,
    server: str,
    token: str | None,
    instance: str,
    jitter: Callable[[], float],
    window: int = limits.WINDOW_BYTES_DEFAULT,
    cursor: bool = False,
    verify_start: bool = True,
    hear: Callable[[News], None] | None = None,
) -> Device:
    """A device that is on its way; its caller owes it `close`.

    store: is opened here, and closed with the device.
    server: the address that the store belongs to.
    instance: 16 hex digits, drawn for this run.
    jitter: draws evenly from 0 to 1.

    The others are as in `connect`. Raises StoreError, and then the store is closed again.
    """
    await store.open()
    try:
        # Recorded before the first connection, so that a fence can be told to be our own.
        loaded, credential = await store.call(lambda shelf: shelf.begin(server, instance, token))
    except BaseException:
        await store.close()
        raise
    settings = Settings(credential, instance, window, cursor, store.durable, verify_start)
    device = Device(Client(settings, jitter), store, dialler, hear)
    device.start(loaded)
    return device
