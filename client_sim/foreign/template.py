#!/usr/bin/env python3
"""An adapter: what stands between `client-sim run PLAY --adapter CMD` and a server of your own.

It works as it is, with a server that is a dictionary. Put your server's calls into login, send and
pull; leave the rest until you need it. ADAPTERS.md says what each of them owes.
"""

import json
import sys
from typing import Any

LOGS: dict[str, list[Any]] = {}  # the server that yours replaces: account -> its messages
PLACES: dict[tuple[str, str], int] = {}  # (account, device) -> how many of them it confirmed


def hello(version: int) -> dict[str, Any]:
    return {"name": "a dictionary", "can": ["ack"]}


def enrol(account: str, device: str, platform: str) -> None:
    LOGS.setdefault(account, [])  # make them, where your server must know them beforehand
    PLACES[account, device] = 0


def login(account: str, device: str) -> None:
    pass  # YOURS: connect as this device; raise anything where that fails


def send(account: str, device: str, to: str, message: str, body: str) -> None:
    LOGS[to].append({"message": message, "body": body})  # YOURS: return once it is confirmed


def pull(account: str, device: str, wait_ms: int) -> dict[str, Any]:
    place = PLACES[account, device]  # YOURS: what has reached this device and is not confirmed
    new = LOGS[account][place:]
    return {"messages": [{**each, "place": place + n} for n, each in enumerate(new, 1)]}


def ack(account: str, device: str, place: int) -> None:
    PLACES[account, device] = place  # the device keeps everything up to this place


def cut(account: str, device: str) -> None:
    pass  # drop the connection without a word


close = cut  # say goodbye, then disconnect

for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request.pop("id"), "ok": True}
    try:
        answer.update(globals()[request.pop("do")](**request) or {})
    except Exception as error:
        answer.update(ok=False, error=repr(error))
    print(json.dumps(answer), flush=True)
