"""The commands that a running server performs, or that are performed on the store itself, under its
lock, when none runs.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from syncd.commands.outcome import DECLINED, UNREACHABLE, USAGE, CommandFailed, note
from syncd.config import Config
from syncd.identity import words
from syncd.identity.words import Declined
from syncd.persons import Standing
from syncd.server import admin, requests
from syncd.storage import StorageError, StoreRefused
from syncd.storage.transfer import TransferRefused, records

ANSWERING_SOON_S = 5.0
"""A server that has just started holds the store before it answers commands."""

_LOOK_AGAIN_S = 0.1


def request_of(given: argparse.Namespace) -> requests.Request:
    """What the command line asks for. Raises CommandFailed."""
    match given.command:
        case "token":
            if given.device is None and not (given.device_name and given.platform):
                raise CommandFailed(
                    USAGE, "A new device needs --device-name and --platform; or name a --device."
                )
            return requests.Token(
                given.account, given.device_name or "", given.platform or "", given.device
            )
        case "key":
            return requests.Key(given.name)
        case "devices":
            return requests.Devicelist(given.account)
        case "revoke":
            return requests.Revoke(given.device)
        case "trim":
            return requests.Trim(given.account, given.before, given.anyway)
        case "retain":
            if given.default and not (given.entries is None and given.days is None):
                raise CommandFailed(USAGE, "--default sets both; give no other number with it.")
            return requests.Retain(given.account, given.entries, given.days, given.default)
        case "sweep":
            return requests.Sweep(given.anyway)
        case "erase":
            return requests.Erase(given.account, given.seq, given.edits)
        case "import":
            # A server stands in another folder, perhaps.
            return requests.Import(given.account, str(Path(given.file).absolute()))
        case "subjects":
            return requests.Subjects(given.account)
        case "merge":
            return requests.Merge(given.guest, given.account)
        case "standing":
            return requests.Stand(given.account, Standing(given.standing))
        case "pending":
            return requests.Pending()
        case "remap":
            return requests.Remap(given.platform, str(Path(given.file).absolute()))
        case "logout":
            return requests.Logout(given.account, given.keep)
    raise AssertionError(given.command)


def perform(config: Config, request: requests.Request) -> dict[str, Any]:
    """The facts that answer `request`, from the server or from the store. Raises CommandFailed."""
    until = time.monotonic() + ANSWERING_SOON_S
    while True:
        try:
            return _facts(admin.ask(config.data, request))
        except admin.NobodyAnswers:
            pass
        except OSError as error:
            raise CommandFailed(
                UNREACHABLE,
                f"The server of {config.data} did not answer ({error});"
                " the command may have been performed.",
            ) from None
        try:
            return asyncio.run(_perform_alone(config, request))
        except Declined as declined:
            raise CommandFailed(DECLINED, str(declined)) from None
        except StoreRefused as refused:
            from syncd.server.app import is_held

            if not is_held(refused):
                raise CommandFailed(UNREACHABLE, f"{refused}.") from None
            if time.monotonic() >= until:
                raise CommandFailed(
                    UNREACHABLE, f"{refused}, and nobody answers at its admin socket."
                ) from None
            time.sleep(_LOOK_AGAIN_S)
        except StorageError as error:
            certainty = "nothing was written" if error.definite else "it may have been written"
            raise CommandFailed(UNREACHABLE, f"The store failed: {error}; {certainty}.") from None


def _facts(answer: dict[str, Any]) -> dict[str, Any]:
    if "ok" in answer:
        facts: dict[str, Any] = answer["ok"]
        return facts
    raise CommandFailed(DECLINED, answer["text"])


def _makes_a_store(request: requests.Request) -> bool:
    match request:
        case requests.Token(device=None) | requests.Key() | requests.Import():
            return True
    return False


def _judge(request: requests.Import) -> None:
    """What is refused must not leave a new store behind."""
    try:
        with open(request.path, "rb") as stream:
            for _ in records(stream, words.account_id(request.account)):
                pass
    except TransferRefused as refused:
        raise CommandFailed(DECLINED, str(refused)) from None
    except OSError as error:
        raise CommandFailed(DECLINED, f"The file cannot be read: {error.strerror}.") from None


async def _perform_alone(config: Config, request: requests.Request) -> dict[str, Any]:
    # Not needed where a server performs it, and takes longer to import than it takes to ask.
    from syncd.identity.accounts import Accounts
    from syncd.identity.devices import Devices
    from syncd.identity.keys import Keys
    from syncd.retention import Retention, kept
    from syncd.server.administration import Administration
    from syncd.server.notices import NoticeWriter
    from syncd.storage.address import open_storage
    from syncd.storage.sqlite import DATABASE_NAME

    exists = (config.data / DATABASE_NAME).exists()
    if not (exists or _makes_a_store(request)):
        raise CommandFailed(DECLINED, f"There is no store in {config.data}.")
    if not exists and isinstance(request, requests.Import):
        _judge(request)
    # A new store gets the configured scope; one that exists keeps its own, whatever it is.
    scope = None if exists else config.cursor_scope
    storage = await open_storage(str(config.data), scope)
    if not exists:
        note(f"made a new store in {config.data}")
    try:
        retention = Retention(
            storage,
            lambda accounts: None,
            kept(config.retain_entries, config.retain_days),
            on_failure=lambda error: None,
        )
        # Nobody is connected.
        accounts = Accounts(
            storage.people,
            NoticeWriter(),
            ended=lambda device, refusal: None,
            wake=lambda accounts: None,
        )
        alone = Administration(
            storage, Devices(storage), Keys(storage), lambda accounts: None, retention, accounts
        )
        return await alone.perform(request)
    finally:
        await storage.close()
