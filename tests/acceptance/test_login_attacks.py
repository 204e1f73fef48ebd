"""Attacks on login, against the real process over a real store, and the embedded platform.

Others are nearer to what they attack: guessing, padding and user infos (tests/server/
test_login_http.py, tests/identity/test_user_info.py), signed tokens (test_issuers.py).
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from syncd import errors
from syncd.identity.sealing import FILE_NAME
from syncd.model import Kind
from syncd.platform.app import application
from syncd.platform.links import Asked
from syncd.platform.registry import AppKind, NewApp, PersonState
from syncd.platform.silence import UnionidPolicy
from syncd.platform.world import World
from syncd.wire.codec import JSON_SUBPROTOCOL
from tests.acceptance.conftest import ServerProcess
from tests.platform.town import database
from tests.server.lobby import device

PC = {"name": "PC1", "platform": "pc"}
FOR_ALICE, OF_THE_GUEST = "b25seSBmb3IgYWxpY2U", "ZnJvbSB0aGUgZ3Vlc3Q"


class Town:
    """The embedded platform: a mini-program that is bound to nothing yet, and a website that is."""

    def __init__(self) -> None:
        self.world = World(database(), os.urandom)
        registry = self.world.registry
        with self.world.db:
            registry.add_account("open", UnionidPolicy.BOUND)
            self.phone = registry.add_app(NewApp(AppKind.MINI_PROGRAM, "phone", "we"))
            self.site = registry.add_app(NewApp(AppKind.WEBSITE, "site", "we", "open"))
            for person in ("alice", "mallory"):
                registry.add_person(person, person)

    def code(self, person: str, app: str) -> str:
        """What a client gets when this person opens the app."""
        if app == "phone":
            return self.world.login_code(self.phone.appid, person, time.time())
        with self.world.db:
            asked = Asked(self.site.appid, "", "snsapi_login", None)
            return self.world.issue(asked, person, False, time.time())

    def bind_phone(self) -> None:
        """From now on the mini-program's logins come with a unionid."""
        with self.world.db:
            self.world.registry.bind(self.phone.appid, "open")

    def settings(self, upstream: str) -> str:
        """The service's file of apps."""
        return f'upstream = "{upstream}"\n' + "\n".join(
            f'[apps.{name}]\nappid = "{made.appid}"\nsecret = "{made.secret}"\n'
            f'kind = "{kind}"\nplatform = "open"'
            for name, kind, made in (
                ("phone", "mini-program", self.phone),
                ("site", "website", self.site),
            )
        )


@dataclass
class Gate:
    """The process, its platform, and everything that either end of a line ever said."""

    server: ServerProcess
    town: Town
    http: aiohttp.ClientSession
    heard: list[str] = field(default_factory=list)
    lines: list["Line"] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = self.server.url + path
        async with self.http.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            self.heard.append(f"{response.headers} {text}")
            return response.status, json.loads(text)

    async def log_in(self, person: str, app: str = "phone", **more: Any) -> dict[str, Any]:
        status, answer = await self.ask("POST", "/v1/login", self.login(person, app) | more)
        assert status == 200, answer
        return dict(answer)

    def login(self, person: str, app: str = "phone") -> dict[str, Any]:
        """The body of a login with a new code."""
        return PC | {"app": app, "code": self.town.code(person, app)}

    async def follow(self, token: str) -> "Line":
        """A socket of the device with this token; it has said hello."""
        subprotocols: Any = [JSON_SUBPROTOCOL]
        socket = await connect(self.server.websocket_url, subprotocols=subprotocols)
        line = Line(socket, self.heard)
        self.lines.append(line)
        hello = {"frame": "hello", "token": token, "instance": "0123456789abcdef", "position": None}
        await line.say(hello | {"cursor": False, "window": 65536})
        return line


@dataclass
class Line:
    """One socket, in JSON."""

    socket: ClientConnection
    heard: list[str]

    async def say(self, frame: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(frame))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind; those between are passed over."""
        while True:
            text = str(await asyncio.wait_for(self.socket.recv(), 30))
            self.heard.append(text)
            frame = json.loads(text)
            if frame["frame"] == kind:
                return dict(frame)

    async def to_the_end(self) -> tuple[int, str]:
        """The close code, and all that came before it."""
        came: list[str] = []
        try:
            while True:
                came.append(str(await asyncio.wait_for(self.socket.recv(), 30)))
        except ConnectionClosed:
            return self.socket.close_code or 0, "\n".join(came)
        finally:
            self.heard += came


@pytest.fixture
async def gate(start_server: Callable[..., ServerProcess], tmp_path: Path) -> AsyncIterator[Gate]:
    town = Town()
    platform = application(town.world, time.time)
    async with TestServer(platform) as running, aiohttp.ClientSession() as http:
        path = tmp_path / "login.toml"
        path.write_text(town.settings(str(running.make_url("/"))))
        opened = Gate(start_server("--login", str(path), "--log-level", "debug"), town, http)
        yield opened
        for line in opened.lines:
            await line.socket.close()
    town.world.db.close()


async def test_sixteen_redeem_one_code(gate: Gate) -> None:
    body = gate.login("alice")
    answers = await asyncio.gather(*(gate.ask("POST", "/v1/login", body) for _ in range(16)))
    [winner] = [answer for status, answer in answers if status == 200]
    assert sorted(answer.get("error", "") for _, answer in answers) == [""] + ["code_used"] * 15
    status, _ = await gate.ask("GET", "/v1/self", token=winner["token"])
    assert status == 401


async def test_a_replay_ends_the_session_that_the_code_got(gate: Gate) -> None:
    body = gate.login("alice")
    _, first = await gate.ask("POST", "/v1/login", body)
    line = await gate.follow(first["token"])
    await line.hear("welcome")
    assert (await gate.ask("POST", "/v1/login", body))[1]["error"] == "code_used"
    assert (await line.to_the_end())[0] == errors.SIGNED_OUT.code
    again = await gate.follow(first["token"])
    assert (await again.to_the_end())[0] == errors.SIGNED_OUT.code


async def test_a_token_from_before_the_login_is_worth_nothing_after_it(gate: Gate) -> None:
    """Fixation: whoever planted it, or saw it, is out."""
    planted = await gate.log_in("alice")
    line = await gate.follow(planted["token"])
    await line.hear("welcome")
    mine = await gate.log_in("alice", device=device(planted))
    assert mine["device"] == planted["device"]
    assert (await line.to_the_end())[0] == errors.TOKEN_ROTATED.code
    late = await gate.follow(planted["token"])
    assert (await late.to_the_end())[0] == errors.NOT_AUTHENTICATED.code
    assert (await (await gate.follow(mine["token"])).hear("welcome"))["device"] == mine["device"]


CLAIMS = [
    {"account": "VICTIM"},
    {"openid": "oAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"unionid": "oAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    {"session_key": "tiihtNczf5v6AKRyjwEUhQ=="},
    {"device": {"id": "DEVICE", "secret": "ss_" + "A" * 43, "account": "VICTIM"}},
]


async def test_who_somebody_is_is_never_said_by_the_client(gate: Gate) -> None:
    victim = await gate.log_in("alice")
    text = json.dumps(CLAIMS).replace("VICTIM", victim["account"])
    for claim in json.loads(text.replace("DEVICE", victim["device"])):
        status, answer = await gate.ask("POST", "/v1/login", gate.login("mallory") | claim)
        assert (status, answer["error"]) == (400, "bad_request")
    # And by a secret that is not its own nobody is another's device.
    shown = {"id": victim["device"], "secret": "ss_" + "A" * 43}
    mallory = await gate.log_in("mallory", device=shown)
    assert mallory["account"] != victim["account"]
    assert mallory["device"] != victim["device"]


async def test_credentials_are_good_for_what_they_are(gate: Gate) -> None:
    """Token confusion: none opens the door of another."""
    alice = await gate.log_in("alice")
    key = await asyncio.to_thread(gate.server.key)
    publish = {"to": alice["account"], "text": "hello"}
    for shown in (alice["token"], alice["secret"], alice["device"]):
        assert (await gate.ask("POST", "/v1/messages", publish, shown))[0] == 401
        assert (await gate.ask("POST", "/v1/devices", {}, shown))[0] == 401
    for shown in (key, alice["secret"], alice["account"]):
        assert (await gate.ask("GET", "/v1/self", token=shown))[0] == 401
        refused = await gate.follow(shown)
        assert (await refused.to_the_end())[0] == errors.NOT_AUTHENTICATED.code
    for shown in (key, alice["token"]):
        body = PC | {"jwt": shown}
        assert (await gate.ask("POST", "/v1/login", body))[1]["error"] == "bad_proof"
        body = gate.login("alice") | {"device": {"id": alice["device"], "secret": shown}}
        assert (await gate.ask("POST", "/v1/login", body))[1]["error"] == "bad_request"
    # A code of one app is none of another's.
    body = gate.login("alice") | {"app": "site"}
    assert (await gate.ask("POST", "/v1/login", body))[1]["error"] == "invalid_code"


async def test_an_attackers_guest_is_out_when_it_turns_out_to_be_somebody(gate: Gate) -> None:
    """Merge takeover: of the guest's devices only the one that proved both goes on."""
    alice = await gate.log_in("alice", "site")
    account = alice["account"]
    line = await gate.follow(alice["token"])
    await line.hear("welcome")
    await line.say(_message(1, account, FOR_ALICE))
    await line.hear("answers")

    attackers = await gate.log_in("alice")
    guest = attackers["account"]
    assert guest != account
    watching = await gate.follow(attackers["token"])
    await watching.hear("welcome")
    await watching.say(_message(1, guest, OF_THE_GUEST))
    await watching.hear("answers")

    gate.town.bind_phone()
    merged = await gate.log_in("alice")
    assert (merged["account"], merged["case"]) == (account, "merged")
    for each in (watching, await gate.follow(attackers["token"])):
        code, came = await each.to_the_end()
        assert code == errors.SIGNED_OUT_BY_MERGE.code
        assert FOR_ALICE not in came
        assert account not in came
    assert (await gate.ask("GET", "/v1/self", token=attackers["token"]))[0] == 401
    # What the guest wrote is not lost: it is in the account's log.
    batch = await (await gate.follow(merged["token"])).hear("batch")
    assert {FOR_ALICE, OF_THE_GUEST} <= {each["body"] for each in batch["entries"]}


async def test_no_planted_secret_is_in_any_answer_log_frame_or_file(gate: Gate) -> None:
    body = gate.login("alice")
    _, alice = await gate.ask("POST", "/v1/login", body)
    line = await gate.follow(alice["token"])
    await line.hear("welcome")
    await line.say(_message(1, alice["account"], "aGVsbG8"))
    await line.hear("answers")
    pc = await gate.log_in("alice")
    gate.town.bind_phone()
    info = gate.town.world.user_info(gate.town.phone.appid, "alice", time.time())
    flawed = info._asdict() | {"iv": "AAAA"}
    await gate.ask("POST", "/v1/login/unionid", flawed, pc["token"])
    _, bound = await gate.ask("POST", "/v1/login/unionid", info._asdict(), pc["token"])
    assert bound["case"] == "upgraded"
    await gate.ask("POST", "/v1/login", body)  # a replay
    late = gate.login("mallory", "site")
    with gate.town.world.db:
        gate.town.world.registry.set_person_state("mallory", PersonState.BLOCKED)
        gate.town.world.registry.freeze_secret(gate.town.phone.appid, True)
    assert (await gate.ask("POST", "/v1/login", late))[1]["error"] == "blocked"
    assert (await gate.ask("POST", "/v1/login", body))[1]["error"] == "upstream_unavailable"
    await gate.ask("POST", f"/v1/login?token={bound['token']}", body)
    await gate.ask("GET", "/v1/self", token=bound["token"])
    assert gate.server.stop() == 0

    logged = gate.server.logged()
    assert "another app's" not in logged
    files = {each.name: each.read_bytes() for each in gate.server.data.iterdir() if each.is_file()}
    stored = b"".join(files[name] for name in files if name != FILE_NAME)
    assert alice["account"].encode() in stored  # there is something to search
    sealing_key = files[FILE_NAME].split()[1].decode()
    heard = "\n".join(gate.heard)
    [(session_key,)] = gate.town.world.db.execute("SELECT key FROM session_keys")
    for secret in (session_key, gate.town.phone.secret, sealing_key, body["code"]):
        assert secret not in heard
        assert secret not in logged
        assert secret.encode() not in stored
    for secret in (alice["token"], alice["secret"], pc["token"], bound["token"]):
        assert secret not in logged
        assert secret.encode() not in stored
        assert heard.count(secret) == 1  # in the answer that gave it


def _message(number: int, account: str, body: str) -> dict[str, Any]:
    message = {
        "number": number,
        "kind": int(Kind.MESSAGE),
        "conversation": f"{account}~{account}",
        "target": None,
        "body": body,
    }
    return {"frame": "send", "messages": [message]}
