"""Seals the session_keys of the platform, so that who reads the store has none of them.

AES-256-GCM under a key that lies in a file beside the store; bound to the subject, so that a sealed
key moved to another row opens nothing. A key file has a line for each version, `VERSION BASE64`:
the newest seals, all open; so a key is rotated by adding a line.
"""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from syncd.persons import Subject
from syncd.storage import StoreRefused
from syncd.storage.database_file import sync_file, sync_folder

FILE_NAME = "sealing.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION_BYTES = 4


class Sealing:
    """Seals and opens. keys: by version."""

    def __init__(
        self, keys: Mapping[int, bytes], draw: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self._newest = max(keys)
        self._draw = draw

    def seal(self, text: str, subject: Subject) -> bytes:
        """`text`, for `open` with the same subject."""
        nonce = self._draw(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, text.encode(), _bound_to(subject))
        return self._newest.to_bytes(_VERSION_BYTES) + nonce + sealed

    def open(self, sealed: bytes, subject: Subject) -> str | None:
        """What was sealed; None where this key file or this subject is not the one."""
        version, rest = int.from_bytes(sealed[:_VERSION_BYTES]), sealed[_VERSION_BYTES:]
        cipher = self._ciphers.get(version)
        if cipher is None:
            return None
        try:
            text = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound_to(subject))
        except (InvalidTag, ValueError):  # a forgery, or too short to be anything
            return None
        return text.decode()


def _bound_to(subject: Subject) -> bytes:
    return f"{subject.issuer}\0{subject.name}".encode()


def for_this_process() -> Sealing:
    """A sealing whose key dies with the process, as a store in memory does."""
    return Sealing({1: os.urandom(_KEY_BYTES)})


def in_folder(folder: Path) -> Sealing:
    """The sealing of a store's folder; its key file is made when missing.

    The caller holds the store's lock. Raises StoreRefused for a file that is none, or that others
    may read; OSError.
    """
    path = folder / FILE_NAME
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise StoreRefused(f"others than its owner may read {path}; chmod 600 it")
    return Sealing(_read(path))


def _make(path: Path) -> None:
    # It takes its name only when it is whole: half a key file would open nothing for ever.
    draft = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(f"1 {b64encode(os.urandom(_KEY_BYTES)).decode()}\n")
    sync_file(draft)
    draft.rename(path)
    sync_folder(path.parent)


def _read(path: Path) -> dict[int, bytes]:
    keys: dict[int, bytes] = {}
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            version, key = line.split()
            keys[int(version)] = b64decode(key, validate=True)
    except ValueError:
        keys = {}
    sound = all(0 < each < 1 << 8 * _VERSION_BYTES for each in keys)
    if not keys or not sound or any(len(key) != _KEY_BYTES for key in keys.values()):
        # Never the line: it is a key.
        raise StoreRefused(f"{path} is no key file: a line is VERSION and 32 bytes in base64")
    return keys
