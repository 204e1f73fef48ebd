"""How much memory of the server does an authenticated device cost that has nothing to say?

Devices of as many accounts connect, say hello, take their verdict and are silent for longer than a
heartbeat interval; each must have got a heartbeat. The growth of the server's resident memory is
divided by their number. Some devices come and go beforehand, so that what is loaded or allocated
once is not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bench.processes import ServerFailed, Target, resident_kib
from bench.raw_client import Credential, RawClient
from syncd import limits

WARM_DEVICES = 100

_CONNECTING_AT_ONCE = 50
_HEARTBEAT_TAG = 20
_HEARTBEAT_TIMEOUT_S = 3 * limits.HEARTBEAT_INTERVAL_S


async def measure(
    target: Target, credentials: Sequence[Credential], steps: Sequence[int]
) -> dict[int, float]:
    """KiB per device at each step (a number of devices, rising), one credential for each device
    and WARM_DEVICES more."""
    assert target.pid is not None, "memory is read from /proc"
    warm, rest = credentials[:WARM_DEVICES], credentials[WARM_DEVICES:]
    await _close(await _open(target, warm))
    await asyncio.sleep(1.0)
    before = resident_kib(target.pid)
    clients: list[RawClient] = []
    results: dict[int, float] = {}
    for step in steps:
        clients += await _open(target, rest[len(clients) : step])
        await _hear(clients)
        results[step] = (resident_kib(target.pid) - before) / step
    await _close(clients)
    return results


async def _open(target: Target, credentials: Sequence[Credential]) -> list[RawClient]:
    turns = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def open_one(credential: Credential) -> RawClient:
        async with turns:
            return await RawClient.open(target, credential)

    return await asyncio.gather(*(open_one(credential) for credential in credentials))


async def _hear(clients: Sequence[RawClient]) -> None:
    """Wait until each device heard a heartbeat."""
    async with asyncio.timeout(_HEARTBEAT_TIMEOUT_S):
        for client in clients:
            data = await client.receive()
            if data[1] != _HEARTBEAT_TAG:
                raise ServerFailed("an idle device got something else than a heartbeat")


async def _close(clients: Sequence[RawClient]) -> None:
    await asyncio.gather(*(client.close() for client in clients))
