"""syncd: one durable log per account, one acknowledged cursor per device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.identity.devices import Admission
    from syncd.identity.words import Declined
    from syncd.membership import Action, Change, Role
    from syncd.policy import Ask
    from syncd.server.app import SERVICE, application
    from syncd.server.service import Service

__version__ = "0.1.0"
__all__ = [
    "SERVICE",
    "Action",
    "Admission",
    "Ask",
    "Change",
    "Declined",
    "Role",
    "Service",
    "__version__",
    "application",
]

_HOMES = {
    "Action": "syncd.membership",
    "Admission": "syncd.identity.devices",
    "Ask": "syncd.policy",
    "Change": "syncd.membership",
    "Declined": "syncd.identity.words",
    "Role": "syncd.membership",
    "SERVICE": "syncd.server.app",
    "Service": "syncd.server.service",
    "application": "syncd.server.app",
}
"""Where the public names live. They are fetched when asked for: whoever needs the client or the
codec alone must not pay for the server."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
