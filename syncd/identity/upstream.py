"""The platform that vouches for people, as login sees it: a code in, what it stands for out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class AppKind(Enum):
    """What an app is on the platform; it decides how its codes are redeemed."""

    MINI_PROGRAM = "mini-program"
    OFFICIAL_ACCOUNT = "official-account"
    WEBSITE = "website"
    MOBILE = "mobile"


@dataclass(frozen=True, slots=True)
class App:
    """One app of ours on the platform.

    name: what clients call it. platform: the operator's name for the Open Platform account that it
    is bound to; "" where it is bound to none, and then a unionid is not believed.
    """

    name: str
    appid: str
    secret: str
    kind: AppKind
    platform: str = ""

    def __repr__(self) -> str:
        # Values end up in logs and in failure messages of tests; secrets must not.
        return f"App(name={self.name!r}, appid={self.appid!r})"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code stood for. session_key: as the platform gave it, for mini-programs."""

    openid: str
    unionid: str | None = None
    session_key: str | None = None
    snapshot: bool = False
    """A virtual user of a page that was opened as a snapshot: nobody to be remembered."""

    def __repr__(self) -> str:
        return f"Redeemed(openid={self.openid!r})"


class Failure(Enum):
    """Why a code was not redeemed."""

    INVALID = "invalid"
    """Unknown, expired, or another app's."""
    USED = "used"
    """It was redeemed before."""
    BLOCKED = "blocked"
    """The platform does not let this person, or this app, log in."""
    TOO_MANY = "too_many"
    """A quota of the platform is used up; later."""
    MISCONFIGURED = "misconfigured"
    """The platform does not know the app or its secret."""
    UNAVAILABLE = "unavailable"
    """No answer, or none that can be read. Whether the code was used up is unknown."""


class Upstream(Protocol):
    """A platform: the real one, the embedded one over HTTP, or its core itself."""

    async def redeem(self, app: App, code: str) -> Redeemed | Failure:
        """Redeem a code, once. Never raises but on cancellation; never tries a code again whose
        first outcome is unknown."""
