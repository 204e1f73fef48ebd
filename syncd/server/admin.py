"""The admin socket: how a command reaches the store while the server holds it.

A Unix socket in the data folder, for the folder's owner alone; one JSON object a line in each
direction. Without a running server a command performs the same requests itself, on the store that
it opened under the store's lock: there are never two writers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from syncd import errors
from syncd.identity import words
from syncd.identity.devices import Credential, Devices, facts
from syncd.identity.keys import Keys
from syncd.identity.words import Declined
from syncd.limits import TRIM_UNASKED_ENTRIES, TRIM_UNASKED_PERCENT_MAX
from syncd.model import AccountId, Kind, ReadRequest
from syncd.recording.storage import RecordedFiles
from syncd.retention import Retention
from syncd.server.logs import redacted
from syncd.storage import UNKNOWN_EPOCH, NotErasable, Storage
from syncd.storage.sqlite import SqliteStorage
from syncd.storage.transfer import TransferRefused

log = logging.getLogger(__name__)

SOCKET_NAME = "admin.sock"
_LINE_BYTES_MAX = 16 * 1024
_ANSWER_TIMEOUT_S = 30.0
"""A command waits for one fsync at most, and the disk may be slow."""

_LONG_ANSWER_TIMEOUT_S = 3600.0
"""For what goes over a whole log or a whole store."""

_OUR_CLEANUP: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Since 3.13 asyncio removes a socket by the name that it was bound to; ours is gone by then."""

_UNERASABLE: dict[int, str] = {
    Kind.RECALL: "a recall",
    Kind.DELETE: "a deletion on the own devices",
    Kind.READ: "a read mark",
    Kind.SYSTEM: "a change of a group's members",
}
"""What an operator is told that an entry is, by its kind."""

Answer: TypeAlias = dict[str, Any]


class _Request(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="command", tag=str.lower
):
    """What all requests share: the field `command` names the class, in small letters."""


class Token(_Request, frozen=True):
    """Make a device, or with `device` give this device of the account a new token."""

    account: str
    name: str = ""
    platform: str = ""
    device: str | None = None


class Key(_Request, frozen=True):
    """Make an API key."""

    name: str


class Devicelist(_Request, frozen=True):
    """List the devices of an account."""

    account: str


class Revoke(_Request, frozen=True):
    """Revoke a device for ever."""

    device: str


class Trim(_Request, frozen=True):
    """Drop the entries of an account below a seq, `anyway` even where that is most of its log."""

    account: str
    before: int
    anyway: bool = False


class Erase(_Request, frozen=True):
    """Erase the body of a message wherever it is, and with `edits` those of its edits."""

    account: str
    seq: int
    edits: bool = False


class Import(_Request, frozen=True):
    """Take an account from an exported stream; `path` as this machine knows the file."""

    account: str
    path: str


class Retain(_Request, frozen=True):
    """Say how much of an account's log is kept: None leaves what was set, 0 is everything.

    default: forget what was set, and keep what the service keeps; the numbers then say nothing.
    """

    account: str
    entries: int | None = None
    days: int | None = None
    default: bool = False


class Sweep(_Request, frozen=True):
    """Drop what need not be kept any longer, `anyway` even where that is most of the store."""

    anyway: bool = False


Request: TypeAlias = Token | Key | Devicelist | Revoke | Trim | Erase | Import | Retain | Sweep
_decode = msgspec.json.Decoder(Request).decode


class Administration:
    """What an operator may do to a store. Every request is answered by its facts, or Declined."""

    def __init__(
        self,
        storage: Storage,
        devices: Devices,
        keys: Keys,
        wake: Callable[[Iterable[AccountId]], None],
        retention: Retention,
    ) -> None:
        self._storage = storage
        self._devices = devices
        self._keys = keys
        self._wake = wake
        self._retention = retention

    async def perform(self, request: Request) -> Answer:
        """Do it; durable when this returns. Raises Declined and StorageError."""
        match request:
            case Token(account, _, _, device) if device is not None:
                return _shown(await self._devices.rotate(account, device))
            case Token(account, name, platform):
                return _shown(await self._devices.create(account, name=name, platform=platform))
            case Key(name):
                return {"name": name, "key": await self._keys.create(name)}
            case Devicelist(account):
                found = await self._devices.listed(account)
                return {"account": account, "devices": [facts(each) for each in found]}
            case Revoke(device):
                return facts(await self._devices.revoke(device))
            case Trim(account, before, anyway):
                return await self._trim(words.account_id(account), before, anyway)
            case Erase(account, seq, edits):
                return await self._erase(words.account_id(account), seq, edits)
            case Import(account, path):
                return await self._import(words.account_id(account), Path(path))
            case Retain(account):
                return await self._retain(words.account_id(account), request)
            case Sweep(anyway):
                return {**await self._retention.sweep(anyway)}

    async def _trim(self, account: AccountId, before: int, anyway: bool) -> Answer:
        if before < 1:
            raise Declined(errors.BAD_REQUEST, "A log begins with seq 1.")
        # No log holds anything after -1, so this only tells how the log stands.
        [stands] = await self._storage.read([ReadRequest(account, -1, 0)])
        if stands.epoch == UNKNOWN_EPOCH:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        if before > stands.head + 1:
            raise Declined(
                errors.BAD_REQUEST,
                f"The head is {stands.head}; --before is at most {stands.head + 1}.",
            )
        held, dropped = stands.head - stands.floor, before - 1 - stands.floor
        too_much = dropped * 100 > held * TRIM_UNASKED_PERCENT_MAX
        if too_much and held > TRIM_UNASKED_ENTRIES and not anyway:
            raise Declined(
                errors.BAD_REQUEST,
                f"Nothing was dropped: it would have been {dropped} of {held} entries;"
                " --anyway drops them all the same.",
            )
        floor = await self._storage.trim(account, before)
        # Connected devices that stand below the floor are told so in place of a batch.
        self._wake((account,))
        return {"account": account, "floor": floor, "dropped": floor - stands.floor}

    async def _erase(self, account: AccountId, seq: int, with_edits: bool) -> Answer:
        try:
            logs = await self._storage.erase(account, seq)
            edits = await self._storage.edits(account, seq)
            if with_edits:
                for place in edits:
                    await self._storage.erase(account, place)
        except KeyError:
            if account not in await self._storage.heads([account]):
                raise Declined(errors.NO_SUCH_ACCOUNT) from None
            raise Declined(
                errors.BAD_REQUEST, f"The log of {account} holds no entry {seq}."
            ) from None
        except NotErasable as refused:
            what = _UNERASABLE.get(refused.kind, "an entry of another kind")
            raise Declined(
                errors.BAD_REQUEST,
                f"Entry {seq} is {what}, not a message; its body cannot be erased.",
            ) from None
        listed = [
            {"seq": place, "device": each.device, "number": each.number}
            for place, each in edits.items()
        ]
        return {
            "account": account,
            "seq": seq,
            "logs": logs,
            "edits": listed,
            "edits_erased": with_edits,
        }

    async def _import(self, account: AccountId, path: Path) -> Answer:
        if not isinstance(self._storage, SqliteStorage | RecordedFiles):
            raise Declined(errors.BAD_REQUEST, "An account is imported into a store in files.")
        try:
            imported = await self._storage.import_account(account, path)
        except TransferRefused as refused:
            raise Declined(errors.BAD_REQUEST, str(refused)) from None
        except OSError as error:
            raise Declined(
                errors.BAD_REQUEST, f"The file cannot be read: {error.strerror}."
            ) from None
        self._wake((account,))
        return {
            "account": account,
            "entries": imported.entries,
            "devices": imported.devices,
            "floor": imported.floor,
            "head": imported.head,
        }

    async def _retain(self, account: AccountId, asked: Retain) -> Answer:
        try:
            if asked.default:
                return {**await self._retention.keep_default(account)}
            if asked.entries is None and asked.days is None:
                return {**await self._retention.rule(account)}
            return {**await self._retention.keep(account, asked.entries, asked.days)}
        except KeyError:
            raise Declined(errors.NO_SUCH_ACCOUNT) from None
        except ValueError as error:
            raise Declined(errors.BAD_REQUEST, str(error)) from None


def _shown(credential: Credential) -> Answer:
    return {"device": credential.device, "token": credential.token}


# ------------------------------------------------------------ the server's end


class AdminSocket:
    """Listens in a folder whose store this process holds: a socket found there is a dead one's."""

    def __init__(self, folder: Path, perform: Callable[[Request], Awaitable[Answer]]) -> None:
        self._folder = folder
        self._perform = perform
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError."""
        with _short_path(self._folder) as path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(path)
                # Between bind and listen nobody can connect yet.
                os.chmod(path, 0o600)
                self._server = await asyncio.start_unix_server(
                    self._serve, sock=listener, limit=_LINE_BYTES_MAX, **_OUR_CLEANUP
                )
            except BaseException:
                listener.close()
                raise

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        with _short_path(self._folder) as path, contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # gone, or a line without an end
            pass
        finally:
            self._answering.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = _decode(line)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            return {"error": errors.BAD_REQUEST.name, "text": redacted(str(error))}
        try:
            log.info("< admin: %s", type(request).__name__.lower())
            return {"ok": await self._perform(request)}
        except Declined as declined:
            return {"error": declined.refusal.name, "text": redacted(str(declined))}
        except Exception:
            log.exception("! an admin request failed")
            return {"error": errors.INTERNAL.name, "text": errors.INTERNAL.text}


@contextmanager
def _short_path(folder: Path) -> Iterator[str]:
    """A name of the socket in `folder` that fits the 108 bytes of a Unix address, for a while."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET_NAME}"
    finally:
        os.close(descriptor)


# ------------------------------------------------------------ the command's end


class NobodyAnswers(Exception):
    """No server listens in this folder."""


def ask(folder: Path, request: Request) -> Answer:
    """What the server that holds the store of `folder` answers.

    Blocks: a command has nothing else to do. Raises NobodyAnswers when no server listens there,
    and OSError when one does but breaks off.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        takes_long = isinstance(request, Erase | Import | Sweep)
        line.settimeout(_LONG_ANSWER_TIMEOUT_S if takes_long else _ANSWER_TIMEOUT_S)
        try:
            with _short_path(folder) as path:
                line.connect(path)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NobodyAnswers(str(folder)) from error
        line.sendall(msgspec.json.encode(request) + b"\n")
        with line.makefile("rb") as answers:
            answer = answers.readline()
    if not answer.endswith(b"\n"):
        raise ConnectionResetError("the server broke off")
    decoded: Answer = msgspec.json.decode(answer, type=dict[str, Any])
    return decoded
