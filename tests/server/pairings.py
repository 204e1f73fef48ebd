"""People who let PCs in by QR, over HTTP: what a test of it asks for again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.server.conftest import Running


@dataclass(frozen=True)
class Asker:
    """Somebody who asks the HTTP door, with a device's token or without."""

    running: Running
    token: str = ""
    device: str = ""

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of an answer. Headers: X_FORWARDED_FOR="..." and the like."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        request = self.running.http.request(method, path, json=body, headers=sent)
        async with request as response:
            return response.status, await response.json()

    async def post(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        return await self.ask("POST", path, body)

    async def begin(self, name: str = "PC1", **body: object) -> dict[str, Any]:
        """A PC shows a code."""
        status, begun = await self.post("/v1/pairing", name=name, platform="pc", **body)
        assert status == 200, begun
        return begun

    async def fetch(self, begun: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The PC asks for its login."""
        return await self.post("/v1/pairing/token", device_code=begun["device_code"])

    async def scan(self, begun: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return await self.post("/v1/pairing/scan", user_code=begun["user_code"])

    async def confirm(self, begun: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return await self.post("/v1/pairing/confirm", user_code=begun["user_code"])

    async def decline(self, begun: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return await self.post("/v1/pairing/decline", user_code=begun["user_code"])


async def phone(running: Running, account: str = "alice", name: str = "phone") -> Asker:
    """A device that is signed in."""
    made = await running.service.create_device(account, name=name, platform="phone")
    return Asker(running, made.token, made.device)


async def let_in(signed_in: Asker, name: str = "PC1", **body: object) -> dict[str, Any]:
    """A PC that logged in by QR: the answer to its login."""
    pc = Asker(signed_in.running)
    begun = await pc.begin(name, **body)
    assert (await signed_in.scan(begun))[0] == 200
    assert (await signed_in.confirm(begun))[0] == 200
    status, login = await pc.fetch(begun)
    assert status == 200, login
    return login
