"""Where a server is: the address of its sync socket, which names it in a store, and of its HTTP."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_HTTP = {"ws": "http", "wss": "https"}
_SYNC_PATH = "/v1/sync"


def sync_address(url: str) -> str:
    """The full address of the sync socket, which also names the server in a store: see `connect`.

    Raises ValueError for what is no address, or holds more than one should; the text never repeats
    it, for that may be a secret.
    """
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError("the address must begin with ws://, wss:// or http(s):// and name a host")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("the address holds more than host and path; a token travels by itself")
    path = parts.path.rstrip("/")
    if not path.endswith(_SYNC_PATH):
        path += _SYNC_PATH
    return urlunsplit((scheme, parts.netloc.lower(), path, "", ""))


def http_address(sync: str) -> str:
    """What stands before the paths of the HTTP requests, given the address of the sync socket."""
    parts = urlsplit(sync)
    path = parts.path.removesuffix(_SYNC_PATH)
    return urlunsplit((_HTTP[parts.scheme], parts.netloc, path, "", ""))
