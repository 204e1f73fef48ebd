"""Links that send a browser here to log in: what they ask for, or what is wrong with them.

Pure. identity.md 1.5 and 1.6. The numbers of the mistakes are those that the platform's own pages
show, as far as they are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from syncd.platform.redirects import is_registered, is_state

_ORDER = ("appid", "redirect_uri", "response_type", "scope", "state")


class Mistake(Enum):
    """Why a link is not followed. The browser is shown this, and sent nowhere."""

    PARAMETERS = "parameters (10001)"
    """One is missing, is there twice, or stands in the wrong place."""
    REDIRECT_URI = "redirect_uri (10003)"
    FROZEN = "appid (10004)"
    SCOPE = "scope (10005)"
    TOO_OFTEN = "frequency (10009)"
    STATE = "state (10013)"
    APPID = "appid (10016)"
    """Unknown, or an app of a kind that does not log in this way."""


@dataclass(frozen=True, slots=True)
class Door:
    """One of the two addresses that links lead to."""

    kind: str
    """What kind of app logs in here."""
    scopes: frozenset[str]
    ordered: bool
    """Whether the parameters must come in the documented order."""


ACCOUNT_DOOR = Door("official-account", frozenset({"snsapi_base", "snsapi_userinfo"}), True)
WEBSITE_DOOR = Door("website", frozenset({"snsapi_login"}), False)


@dataclass(frozen=True, slots=True)
class Asker:
    """What a link's app is. registered: its host, as `redirects.is_registered` takes it."""

    kind: str
    registered: str
    normal: bool = True
    """Whether it is neither frozen nor gone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A link that is followed. state: None where the link has none, and then none comes back."""

    appid: str
    redirect_uri: str
    scope: str
    state: str | None


def read(
    door: Door, parameters: Iterable[tuple[str, str]], apps: Mapping[str, Asker]
) -> Asked | Mistake:
    """What this link asks for.

    parameters: of its query, in their order, unescaped once. apps: at least the one that it names,
    if there is one. Parameters that mean nothing here are passed over.
    """
    given = [(name, value) for name, value in parameters if name in _ORDER]
    values = dict(given)
    if len(values) != len(given) or values.get("response_type") != "code":
        return Mistake.PARAMETERS
    if door.ordered and list(values) != [name for name in _ORDER if name in values]:
        return Mistake.PARAMETERS
    app = apps.get(values.get("appid", ""))
    if app is None or app.kind != door.kind:
        return Mistake.APPID
    if not app.normal:
        return Mistake.FROZEN
    if not is_registered(values.get("redirect_uri", ""), app.registered):
        return Mistake.REDIRECT_URI
    if values.get("scope") not in door.scopes:
        return Mistake.SCOPE
    if not is_state(values.get("state", "")):
        return Mistake.STATE
    return Asked(values["appid"], values["redirect_uri"], values["scope"], values.get("state"))
