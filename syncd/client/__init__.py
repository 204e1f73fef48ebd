"""The SDK: `log_in` makes a store a person's device, and `connect` gives you that device; iterate
over it, send with it.

    await log_in("https://host", store="laptop.db", app="phone", code=code, ...)
    async with connect("wss://host/v1/sync", store="laptop.db") as device:
        await device.send_to("bob", b"hello")
        async for item in device:
            print(item.seq, item.entry.account, item.entry.body)

The connection comes and goes by itself; what was sent is sent again until it is answered, once;
what is stored is never asked for again; and if the server ever means to pass something over, the
device says so instead of going on.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from syncd import limits
from syncd.client.address import sync_address
from syncd.client.assembly import assembled
from syncd.client.device import Device, Item
from syncd.client.exceptions import (
    ClientError,
    Closed,
    Fenced,
    LoginRefused,
    OtherAccount,
    SendRefused,
    ServerSkipped,
    SignedOut,
    Stopped,
    StoreError,
    StoreInUse,
    StoreMismatch,
    StoreUnusable,
)
from syncd.client.login import (
    LoggedIn,
    Newcomer,
    Prompt,
    approve,
    bring_union,
    decline,
    log_in,
    log_in_by_qr,
    scan,
)
from syncd.client.memory_store import MemoryStore
from syncd.client.socket import SocketDialler
from syncd.client.sqlite_store import SqliteStore
from syncd.client.store import ClientStore, OldEntry, Pending, PendingState
from syncd.membership import Action, Change, Role, read_change
from syncd.model import Accepted, Identity, Kind, Refused
from syncd.notices import DeviceAdded, Merge, read_notice
from syncd.protocol.client_commands import Floored, News, Signalled, Unreachable
from syncd.protocol.client_events import Mark
from syncd.protocol.unread import Unread
from syncd.protocol.view import Shown, View
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for

__all__ = [
    "Accepted",
    "Action",
    "Change",
    "ClientError",
    "ClientStore",
    "Closed",
    "Device",
    "DeviceAdded",
    "Fenced",
    "Floored",
    "Identity",
    "Item",
    "Kind",
    "LoggedIn",
    "LoginRefused",
    "Mark",
    "MemoryStore",
    "Merge",
    "Newcomer",
    "OldEntry",
    "OtherAccount",
    "Pending",
    "PendingState",
    "Prompt",
    "Refused",
    "Role",
    "SendRefused",
    "ServerSkipped",
    "Shown",
    "Signalled",
    "SignedOut",
    "SqliteStore",
    "Stopped",
    "StoreError",
    "StoreInUse",
    "StoreMismatch",
    "StoreUnusable",
    "Unreachable",
    "Unread",
    "View",
    "approve",
    "bring_union",
    "connect",
    "decline",
    "log_in",
    "log_in_by_qr",
    "read_change",
    "read_notice",
    "scan",
    "sync_address",
]

_SUBPROTOCOLS = {"msgpack": MSGPACK_SUBPROTOCOL, "json": JSON_SUBPROTOCOL}


@asynccontextmanager
async def connect(
    url: str,
    *,
    token: str | None = None,
    store: ClientStore | str | os.PathLike[str] | None = None,
    window: int = limits.WINDOW_BYTES_DEFAULT,
    encoding: Literal["msgpack", "json"] = "msgpack",
    verify_start: bool = True,
    cursor: bool = False,
    hear: Callable[[News], None] | None = None,
) -> AsyncIterator[Device]:
    """A device, from here to the end of the block. Entering waits for the store, never for the
    network: without one, what is stored can be read and messages can be queued.

    url: the server's address, ws:// or wss:// (http:// and https:// mean the same), without a
        query: no credential belongs there. The path is that of the sync socket, /v1/sync, or what
        stands before it: "https://host" is wss://host/v1/sync, "ws://host/chat" is
        ws://host/chat/v1/sync. A store belongs to the full address.
    token: the device's credential. A durable store keeps it; then None takes the kept one, which
        `log_in` puts there.
    store: a path for a durable store, None for a memory store of its own. With a memory store what
        comes is acknowledged as the application finishes it: somebody has to iterate, or the
        server stops sending when the window is full.
    window: entry bytes that may be under way unacknowledged.
    verify_start: raise ServerSkipped when the server would pass entries over; else only note it.
    cursor: hold nothing and go on at the cursor that the server keeps: what was acknowledged, and
        that is what the application has finished.
    hear: is called with all news of the protocol; must not block.

    A server that cannot be reached is no error: the device goes on trying. The log `syncd.client`
    tells why, at WARNING and once per reason, and so does `hear`.

    Raises StoreError (see exceptions.py), and ValueError for arguments that make no sense.
    """
    server = sync_address(url)
    if not limits.WINDOW_BYTES_MIN <= window <= limits.WINDOW_BYTES_MAX:
        low, high = limits.WINDOW_BYTES_MIN, limits.WINDOW_BYTES_MAX
        raise ValueError(f"a window has {low} to {high} bytes, not {window}")
    codec = codec_for(_SUBPROTOCOLS[encoding])
    if store is None:
        store = MemoryStore()
    elif isinstance(store, str | os.PathLike):
        store = SqliteStore(store)
    device = await assembled(
        store,
        SocketDialler(server, codec),
        server=server,
        token=token,
        instance=secrets.token_hex(limits.INSTANCE_CHARACTERS // 2),
        jitter=random.random,
        window=window,
        cursor=cursor,
        verify_start=verify_start,
        hear=hear,
    )
    try:
        yield device
    finally:
        await device.close()
