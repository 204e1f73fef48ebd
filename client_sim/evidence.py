"""What a device of a play shows to log in, and the apps of the platform on which its person is.

The same four apps are there in every house. What tells them apart is when they say who somebody is
beyond themselves: the unionid of the Open Platform account to which they are bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from syncd.identity.upstream import AppKind

OPEN = "open"
"""The Open Platform account of all apps that are bound to one."""


@dataclass(frozen=True, slots=True)
class PlayedApp:
    """platform: the Open Platform account that it is bound to; empty for none. silent: whether a
    login tells the unionid without asking the person."""

    kind: AppKind
    platform: str = OPEN
    silent: bool = True


APPS: Mapping[str, PlayedApp] = MappingProxyType(
    {
        "app": PlayedApp(AppKind.MINI_PROGRAM),
        "page": PlayedApp(AppKind.OFFICIAL_ACCOUNT, silent=False),
        "site": PlayedApp(AppKind.WEBSITE),
        "stranger": PlayedApp(AppKind.WEBSITE, platform=""),
    }
)
"""app, a mini-program; page, of an official account, in which who has not consented is a guest;
site and stranger, two websites to which one logs in by the platform's QR code."""


@dataclass(frozen=True, slots=True)
class FreshCode:
    """A code that the platform gives this person for this app. consent: the person lets the app
    know the unionid."""

    person: str
    app: str
    consent: bool = False


@dataclass(frozen=True, slots=True)
class UsedCode:
    """The code with which this device logged in last."""

    device: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """The person scans the QR code with this device, which is logged in, and confirms."""

    device: str
    token: str

    def __repr__(self) -> str:
        return f"Scanned(device={self.device!r})"


Evidence: TypeAlias = FreshCode | UsedCode | Scanned


class LoginRefused(Exception):
    """The service lets nobody in so. The text is the name of the refusal."""
