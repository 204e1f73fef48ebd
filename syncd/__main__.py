"""`syncd`: serve, and the commands of an operator.

A command asks the server that holds the data folder, or opens the store itself under its lock when
none runs. The result goes to standard output, so that scripts can use it; everything for people
goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn

from syncd import __version__
from syncd.config import (
    FILE_VARIABLE,
    Config,
    ConfigError,
    flag,
    read_config,
    shown_default,
    variable,
)
from syncd.identity.devices import Devices
from syncd.identity.keys import Keys
from syncd.identity.words import Declined
from syncd.server import admin, logs
from syncd.server.app import is_held
from syncd.server.serve import serve
from syncd.storage import StorageError, StoreRefused
from syncd.storage.address import open_storage
from syncd.storage.sqlite import DATABASE_NAME

DONE = 0
DECLINED = 1
USAGE = 2
UNREACHABLE = 3

EXIT_STATUSES = """\
exit status:
  0   done; of serve: stopped by SIGTERM or SIGINT, everything that was accepted is durable
  1   declined: no such device, a name that is taken ...; of serve: it could not start
  2   the command line or a setting cannot be meant
  3   the store cannot be reached: another process holds it and answers no commands
  70  of serve: storage failed and the outcome of a commit is unknown; start it again
"""

_ANSWERING_SOON_S = 5.0
"""A server that has just started holds the store before it answers commands."""

_LOOK_AGAIN_S = 0.1


class CommandFailed(Exception):
    """The command ends with `status`; the text is one sentence for whoever called it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


# ------------------------------------------------------------ the command line


def parser() -> argparse.ArgumentParser:
    """The whole command line; --help shows every setting."""
    settings = argparse.ArgumentParser(add_help=False)
    group = settings.add_argument_group("settings (a flag, the variable, or a line of --config)")
    for each in fields(Config):
        default = shown_default(each) or "none"
        group.add_argument(
            flag(each.name),
            metavar=each.metadata["value"],
            help=f"{each.metadata['meaning']} [{variable(each.name)}; {default}]",
        )
    group.add_argument("--config", metavar="FILE", help=f"a TOML file [{FILE_VARIABLE}; none]")

    whole = argparse.ArgumentParser(
        prog="syncd",
        description="Multi-device message sync: one log per account, one cursor per device.",
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=__version__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name,
            parents=[settings],
            help=text,
            description=text,
            epilog=EXIT_STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        return added

    command("serve", "run the service until SIGTERM")
    _add_operator_commands(command)
    command("version", "print the version")
    return whole


def _add_operator_commands(command: Any) -> None:
    token = command("token", "make a device of an account and print its token")
    token.add_argument("account", metavar="ACCOUNT")
    token.add_argument("--device-name", metavar="NAME", help="as its owner would call it: PC1")
    token.add_argument("--platform", metavar="P", help="pc, phone, bot ...")
    token.add_argument("--device", metavar="ID", help="rotate this device's token instead")
    key = command("key", "make an API key and print it")
    key.add_argument("name", metavar="NAME")
    devices = command("devices", "list an account's devices, their cursors and what they sent")
    devices.add_argument("account", metavar="ACCOUNT")
    revoke = command("revoke", "revoke a device for ever")
    revoke.add_argument("device", metavar="DEVICE")
    trim = command("trim", "drop an account's entries below a seq")
    trim.add_argument("account", metavar="ACCOUNT")
    trim.add_argument("--before", metavar="SEQ", type=int, required=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    command_line = parser()
    given = command_line.parse_args(arguments)
    try:
        if given.command == "version":
            _print({"version": __version__}, __version__, as_json=given.json)
            return DONE
        config = read_config(vars(given), os.environ, given.config)
        if given.command == "serve":
            return _serve(config)
        _show(given, perform(config, _request(given)))
    except ConfigError as error:
        return _complain(USAGE, str(error))
    except CommandFailed as failed:
        return _complain(failed.status, str(failed))
    return DONE


def _complain(status: int, sentence: str) -> int:
    print(f"syncd: {sentence}", file=sys.stderr)
    return status


# ------------------------------------------------------------ serve


def _serve(config: Config) -> int:
    logs.configure(config.log_format, config.log_level)
    try:
        asyncio.run(
            serve(
                data=config.data,
                host=config.host,
                port=config.port,
                cursor_scope=config.cursor_scope,
                allowed_origins=config.allowed_origins,
            )
        )
    except StoreRefused as refused:
        if is_held(refused):
            sentence = f"another syncd serves {config.data}; stop it or choose another --data"
            return _complain(DECLINED, sentence)
        return _complain(DECLINED, f"{refused}.")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = f"port {config.port} is taken, perhaps by another syncd; choose --port"
            return _complain(DECLINED, sentence)
        place = f"{config.host}:{config.port}"
        return _complain(DECLINED, f"Cannot serve {config.data} at {place}: {error}.")
    return DONE


# ------------------------------------------------------------ commands


def _request(given: argparse.Namespace) -> admin.Request:
    match given.command:
        case "token":
            if given.device is None and not (given.device_name and given.platform):
                raise CommandFailed(
                    USAGE, "A new device needs --device-name and --platform; or name a --device."
                )
            return admin.Token(
                given.account, given.device_name or "", given.platform or "", given.device
            )
        case "key":
            return admin.Key(given.name)
        case "devices":
            return admin.Devicelist(given.account)
        case "revoke":
            return admin.Revoke(given.device)
        case "trim":
            return admin.Trim(given.account, given.before)
    raise AssertionError(given.command)


def perform(config: Config, request: admin.Request) -> dict[str, Any]:
    """The facts that answer `request`, from the server or from the store. Raises CommandFailed."""
    until = time.monotonic() + _ANSWERING_SOON_S
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


async def _perform_alone(config: Config, request: admin.Request) -> dict[str, Any]:
    makes = isinstance(request, admin.Token) and request.device is None
    exists = (config.data / DATABASE_NAME).exists()
    if not (exists or makes or isinstance(request, admin.Key)):
        raise CommandFailed(DECLINED, f"There is no store in {config.data}.")
    # A new store gets the configured scope; one that exists keeps its own, whatever it is.
    scope = None if exists else config.cursor_scope
    storage = await open_storage(str(config.data), scope)
    if not exists:
        _note(f"made a new store in {config.data}")
    try:
        alone = admin.Administration(
            storage, Devices(storage), Keys(storage), wake=lambda accounts: None
        )
        return await alone.perform(request)
    finally:
        await storage.close()


# ------------------------------------------------------------ what is printed


def _show(given: argparse.Namespace, facts: Mapping[str, Any]) -> None:
    match given.command:
        case "token":
            _note(f"device {facts['device']} of {given.account}")
            _print(facts, facts["token"], as_json=given.json)
        case "key":
            _note(f"API key {facts['name']}")
            _print(facts, facts["key"], as_json=given.json)
        case "devices":
            _print(facts, _rows(facts["devices"]), as_json=given.json)
        case "revoke":
            _note(f"device {facts['device']} of {facts['account']} is revoked")
            _print(facts, facts["device"], as_json=given.json)
        case "trim":
            _note(f"the log of {facts['account']} now begins after seq {facts['floor']}")
            _print(facts, str(facts["floor"]), as_json=given.json)


def _rows(devices: Sequence[Mapping[str, Any]]) -> str:
    """One device a line, in columns; the name last, because it may hold spaces."""
    titles = ("device", "platform", "cursor", "head", "sent", "state", "name")
    rows = [titles] + [
        (
            each["device"],
            each["platform"],
            str(each["cursor"]),
            str(each["head"]),
            str(each["sent"]),
            "revoked" if each["revoked"] else "active",
            each["name"],
        )
        for each in devices
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _print(facts: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    print(json.dumps(facts) if as_json else text)


def run() -> NoReturn:
    """The process `python -m syncd`."""
    sys.exit(main())


if __name__ == "__main__":
    run()
