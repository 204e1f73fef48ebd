"""The operator's file of apps and issuers: who is believed, and about whom.

It holds the apps' secrets, so it is a file of its own, and nothing that is said about it quotes a
value of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncd.identity.issuers import ALGORITHMS, Issuer
from syncd.identity.upstream import App, AppKind

REAL_PLATFORM = "https://api.weixin.qq.com"


class SettingsRefused(Exception):
    """The file cannot be meant. The text is one sentence that says where."""


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """Who may log in, and by whom they are vouched for.

    upstream: the address of the platform. apps: by the names that clients use.
    """

    upstream: str = REAL_PLATFORM
    apps: Mapping[str, App] = field(default_factory=dict)
    issuers: tuple[Issuer, ...] = ()


class _App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    appid: str
    secret: str
    kind: AppKind
    platform: str = ""


class _Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    audience: str
    algorithms: tuple[str, ...]
    jwks: str = ""
    keys: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    upstream: str = REAL_PLATFORM
    apps: dict[str, _App] = {}
    issuers: dict[str, _Issuer] = {}


def read_settings(path: Path) -> LoginSettings:
    """The settings in a TOML file. Raises SettingsRefused."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsRefused(f"The file {path} cannot be read: {error.strerror}.") from None
    except ValueError:  # not UTF-8, or not TOML; its text may quote a secret
        raise SettingsRefused(f"The file {path} is no TOML.") from None
    try:
        file = msgspec.convert(written, _File)
    except msgspec.ValidationError as error:
        raise SettingsRefused(f"The file {path} cannot be meant: {error}.") from None
    try:
        return _judged(file, path.parent)
    except ValueError as error:
        raise SettingsRefused(f"The file {path} cannot be meant: {error}.") from None


def _judged(file: _File, folder: Path) -> LoginSettings:
    _insist(_is_address(file.upstream), "upstream is a URL like http://127.0.0.1:8788")
    apps = {name: _app(name, each) for name, each in file.apps.items()}
    _insist(_are_unique(each.appid for each in apps.values()), "two apps have one appid")
    issuers = tuple(_issuer(url, each, folder) for url, each in file.issuers.items())
    return LoginSettings(file.upstream, apps, issuers)


def _app(name: str, given: _App) -> App:
    for what, value in (("name", name), ("appid", given.appid), ("secret", given.secret)):
        sound = 1 <= len(value) <= 128 and value.isascii() and value.isprintable()
        _insist(sound and " " not in value, f"the {what} of an app is 1 to 128 visible characters")
    return App(name, given.appid, given.secret, given.kind, given.platform)


def _issuer(url: str, given: _Issuer, folder: Path) -> Issuer:
    place = f"issuers.{url!r}"
    _insist(bool(given.audience), f"{place} has no audience")
    _insist(
        bool(given.algorithms) and set(given.algorithms) <= ALGORITHMS,
        f"{place}: algorithms are of " + ", ".join(sorted(ALGORITHMS)),
    )
    _insist(bool(given.jwks) != bool(given.keys), f"{place} has either jwks or keys")
    if given.jwks:
        _insist(_is_url(given.jwks), f"{place}: jwks is a URL")
        return Issuer(url, given.audience, given.algorithms, given.jwks)
    try:
        keys = (folder / given.keys).read_bytes()
    except OSError as error:
        raise ValueError(f"{place}: the file of its keys: {error.strerror}") from None
    return Issuer(url, given.audience, given.algorithms, keys=keys)


def _insist(sound: bool, sentence: str) -> None:
    if not sound:
        raise ValueError(sentence)


def _are_unique(values: Iterable[Any]) -> bool:
    listed = list(values)
    return len(set(listed)) == len(listed)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(complete) and "@" not in parts.netloc and text.isprintable() and " " not in text


def _is_address(text: str) -> bool:
    return _is_url(text) and urlsplit(text).path in ("", "/") and not urlsplit(text).query
