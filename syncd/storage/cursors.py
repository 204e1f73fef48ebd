"""By which key a cursor is stored: the one place of storage that a cursor scope changes."""

from __future__ import annotations

from syncd.model import AccountId, CursorScope, DeviceId


def cursor_key(scope: CursorScope, device: DeviceId, account: AccountId, platform: str) -> str:
    """The key of a device's cursor. Under a shared scope several devices have the same: the bug.

    A store has one scope for ever, so keys of different scopes never meet. No account id holds a
    slash, so no two pairs of account and platform give the same key.
    """
    match scope:
        case CursorScope.DEVICE:
            return device
        case CursorScope.PLATFORM:
            return f"{account}/{platform}"
        case CursorScope.ACCOUNT:
            return account
