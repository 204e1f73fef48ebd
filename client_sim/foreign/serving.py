"""The other end of an adapter's two pipes, for the adapters that come with the program."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any, Protocol

MUST = ("enrol", "login", "send", "pull", "cut", "close")
MAY = ("ack", "forget", "kill_server", "stop_server", "start_server")


class Failed(Exception):
    """That could not be done. The text says why."""


class Peer(Protocol):
    """Somebody else's server, and the connections of its devices. See ADAPTERS.md.

    It has a method for each doing that it names; they take the request's fields, give the answer's,
    and raise Failed or OSError.
    """

    name: str
    can: tuple[str, ...]
    """Of MAY."""
    since: str
    """Since when it owes a device its messages."""

    def shut(self) -> None:
        """End the server and all connections."""


def serve(peer: Peer) -> int:
    """Answer standard input's requests until it ends, or until the process is asked to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for line in sys.stdin:
            print(json.dumps(_answer(peer, json.loads(line))), flush=True)
    finally:
        peer.shut()
    return 0


def _answer(peer: Peer, request: dict[str, Any]) -> dict[str, Any]:
    number, do = request.pop("id"), request.pop("do")
    if do == "hello":
        about = {"name": peer.name, "can": peer.can, "since": peer.since}
        return {"id": number, "ok": True, **about}
    if do not in MUST and do not in peer.can:
        return {"id": number, "ok": False, "error": f"there is no {do} here"}
    try:
        return {"id": number, "ok": True, **(getattr(peer, do)(**request) or {})}
    except (Failed, OSError) as error:
        return {"id": number, "ok": False, "error": str(error) or type(error).__name__}
