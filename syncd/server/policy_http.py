"""The policy of an embedder that is a program of its own: one HTTP POST for a frame's messages.

Whatever is not exactly an answer raises, and the checkpoint then lets nothing pass.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence

import msgspec
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, hdrs, web

from syncd.limits import MESSAGES_PER_FRAME_MAX, POLICY_TIMEOUT_S
from syncd.policy import Ask, NoAnswer

_ANSWER_BYTES_MAX = 16 * MESSAGES_PER_FRAME_MAX
"""The longest answer: `false, ` for each message of a largest frame, and its writer's taste."""


class _Answer(msgspec.Struct, frozen=True):
    """The body of a decision. Fields that are not known here are for whoever wrote them."""

    allow: list[bool]


class HttpPolicy:
    """Asks a URL. Usable within `lifetime`; see policy.Judge for what `decide` answers.

    It is sent {"messages": [{account, device, number, conversation, kind, target, body}, ...]}:
    kind by its number, target as {device, number} or null, body as base64. It answers 200 and
    {"allow": [true, false, ...]}.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: ClientSession | None = None

    async def lifetime(self, app: web.Application) -> AsyncIterator[None]:
        """A cleanup context of an application."""
        async with ClientSession(
            timeout=ClientTimeout(total=POLICY_TIMEOUT_S),
            cookie_jar=DummyCookieJar(),
            # Compressed answers are no JSON, and so no bombs.
            auto_decompress=False,
            headers={hdrs.ACCEPT_ENCODING: "identity"},
        ) as self._session:
            yield
        self._session = None

    async def decide(self, asks: Sequence[Ask]) -> Sequence[bool]:
        """Raises NoAnswer, and whatever an HTTP request may suffer."""
        if self._session is None:
            raise NoAnswer("the service does not run")
        async with self._session.post(
            self._url,
            data=msgspec.json.encode({"messages": [_written(ask) for ask in asks]}),
            headers={hdrs.CONTENT_TYPE: "application/json"},
            # Somewhere else somebody else would decide.
            allow_redirects=False,
        ) as response:
            if response.status != 200:
                raise NoAnswer(f"its URL answered with status {response.status}")
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _ANSWER_BYTES_MAX:
                    raise NoAnswer("the answer is too long")
        allowed = msgspec.json.decode(body, type=_Answer).allow
        if len(allowed) != len(asks):
            raise NoAnswer("an answer is missing, or there is one too many")
        return allowed


def _written(ask: Ask) -> dict[str, object]:
    target = ask.target
    return {
        "account": ask.account,
        "device": ask.device,
        "number": ask.number,
        "conversation": ask.conversation,
        "kind": int(ask.kind),
        "target": target and {"device": target.device, "number": target.number},
        "body": b64encode(ask.body).decode("ascii"),
    }
