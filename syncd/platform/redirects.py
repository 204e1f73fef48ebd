"""Where a browser may be sent with a code: the registered host of an app, and nothing beside it.

What is not plainly a URL of that host is refused rather than understood: parsers disagree about
backslashes, user names, escapes and fragments, and the browser's parser has the last word.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

STATE_BYTES_MAX = 128
"""identity.md 1.5: the longest state that comes back."""

_PLAIN_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?P<port>:[0-9]{1,5})?"
    r"(?:/(?:[\w.~!$&'()*+,;=:@/-]|%[0-9a-f]{2})*)?"
    r"(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*)?",
    re.ASCII | re.IGNORECASE,
)
_STATE = re.compile(rf"[a-zA-Z0-9]{{0,{STATE_BYTES_MAX}}}")
_OUR_PARAMETERS = {"code", "state"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_registered(redirect_uri: str, registered: str) -> bool:
    """Whether `redirect_uri`, already unescaped once, leads to the registered host.

    registered: "rp.example", which means the ports that http and https have by themselves, or
    with a port of its own, "127.0.0.1:8080". "" registers nothing.
    """
    match = _PLAIN_URL.fullmatch(redirect_uri)
    if not match or not registered:
        return False
    port = match["port"] or ""
    if port == _DEFAULT_PORTS[match["scheme"].lower()]:
        port = ""
    return (match["host"] + port).lower() == registered.lower()


def is_state(state: str) -> bool:
    """Whether this state would come back unchanged."""
    return _STATE.fullmatch(state) is not None


def with_answer(redirect_uri: str, **answer: str | None) -> str:
    """The URL with code and state as its last parameters; what is None stays away.

    A `code` or `state` that the URL already had is dropped: whoever wrote the link must not choose
    which of two codes its receiver reads. Owed by the caller: the URL `is_registered`.
    """
    parts = urlsplit(redirect_uri)
    own = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in own if name not in _OUR_PARAMETERS]
    given = [(name, value) for name, value in answer.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode(kept + given)))
