"""The whole command line of `syncd`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import TypeAlias

from syncd import __version__
from syncd.commands.outcome import EXIT_STATUSES
from syncd.commands.platform import add_platform
from syncd.config import FILE_VARIABLE, Config, flag, shown_default, variable
from syncd.limits import RETAIN_DAYS_MAX, RETAIN_ENTRIES_MAX
from syncd.persons import Standing

_AddCommand: TypeAlias = Callable[[str, str], argparse.ArgumentParser]

_EVERY_SETTING = tuple(each.name for each in fields(Config))
_NEW_STORE = ("data", "cursor_scope")
_RETENTION = ("data", "retain_days", "retain_entries")

_USES = {
    "serve": _EVERY_SETTING,
    # They make a store where there is none.
    "token": _NEW_STORE,
    "key": _NEW_STORE,
    "import": _NEW_STORE,
    # Without a server they go by the defaults that one would have.
    "retain": _RETENTION,
    "sweep": _RETENTION,
    "version": (),
}
"""Which settings a command uses, where that is not the data folder alone."""

_SEQ_DIGITS_MAX = 15


def parser() -> argparse.ArgumentParser:
    """The whole command line; --help of a command shows the settings that it uses, and no other
    setting may be given to it as a flag."""
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
            parents=[_settings(_USES.get(name, ("data",)))],
            help=text,
            description=text,
            epilog=EXIT_STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        return added

    command("serve", "run the service until SIGTERM")
    _add_device_commands(command)
    _add_people_commands(command)
    _add_log_commands(command)
    _add_care_commands(command)
    add_platform(
        commands.add_parser("platform", help="serve the embedded platform, and provision it")
    )
    command("version", "print the version")
    return whole


def _settings(used: tuple[str, ...]) -> argparse.ArgumentParser:
    settings = argparse.ArgumentParser(add_help=False)
    if not used:
        return settings
    group = settings.add_argument_group("settings (a flag, the variable, or a line of --config)")
    for each in fields(Config):
        if each.name in used:
            default = shown_default(each) or "none"
            group.add_argument(
                flag(each.name),
                metavar=each.metadata["value"],
                help=f"{each.metadata['meaning']} [{variable(each.name)}; {default}]",
            )
    group.add_argument("--config", metavar="FILE", help=f"a TOML file [{FILE_VARIABLE}; none]")
    return settings


def _whole_number(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        short = text.isascii() and text.isdigit() and len(text) <= _SEQ_DIGITS_MAX
        if not (short and int(text) <= most):
            raise argparse.ArgumentTypeError(f"must be a whole number up to {most}, not {text!r}")
        return int(text)

    return read


_seq = _whole_number(10**_SEQ_DIGITS_MAX - 1)


def _add_device_commands(command: _AddCommand) -> None:
    token = command("token", "make a device of an account and print its token")
    token.add_argument("account", metavar="ACCOUNT")
    token.add_argument("--device-name", metavar="NAME", help="as its owner would call it: PC1")
    token.add_argument("--platform", metavar="P", help="pc, phone, bot ...")
    token.add_argument("--device", metavar="ID", help="rotate this device's token instead")
    key = command("key", "make an API key and print it")
    key.add_argument("name", metavar="NAME")
    devices = command("devices", "list an account's devices: where each stands, and how it came")
    devices.add_argument("account", metavar="ACCOUNT")
    revoke = command("revoke", "revoke a device for ever")
    revoke.add_argument("device", metavar="DEVICE")


def _add_people_commands(command: _AddCommand) -> None:
    subjects = command("subjects", "by what a person is known, and how the account stands")
    subjects.add_argument("account", metavar="ACCOUNT")
    merge = command("merge", "merge two accounts of one person; the guest's devices are signed out")
    merge.add_argument("guest", metavar="GUEST")
    merge.add_argument("account", metavar="ACCOUNT")
    standing = command("standing", "say how an account stands; who is gone is signed out for good")
    standing.add_argument("account", metavar="ACCOUNT")
    standing.add_argument("standing", choices=[each.value for each in Standing])
    command("pending", "list unionids that contradict the linked ones")
    remap = command("remap", "replace the unionids of a platform account")
    remap.add_argument("platform", metavar="PLATFORM")
    remap.add_argument("file", metavar="FILE", help="CSV: old,new")
    logout = command("logout", "sign out all devices of an account; they may log in again")
    logout.add_argument("account", metavar="ACCOUNT")
    logout.add_argument("--keep", metavar="DEVICE", help="all but this one")


def _add_log_commands(command: _AddCommand) -> None:
    trim = command("trim", "drop an account's entries below a seq")
    trim.add_argument("account", metavar="ACCOUNT")
    trim.add_argument(
        "--before", metavar="SEQ", type=_seq, required=True, help="the first entry that stays"
    )
    trim.add_argument("--anyway", action="store_true", help="even where that is most of a long log")
    retain = command("retain", "set or show how much of an account's log is kept")
    retain.add_argument("account", metavar="ACCOUNT")
    retain.add_argument(
        "--entries",
        metavar="COUNT",
        type=_whole_number(RETAIN_ENTRIES_MAX),
        help="0: all; not given: as before",
    )
    retain.add_argument(
        "--days",
        metavar="DAYS",
        type=_whole_number(RETAIN_DAYS_MAX),
        help="0: for ever; not given: as before",
    )
    retain.add_argument(
        "--default", action="store_true", help="both as the service keeps by default"
    )
    sweep = command("sweep", "drop now what need not be kept any longer")
    sweep.add_argument(
        "--anyway", action="store_true", help="even where that is a large part of the store"
    )
    erase = command("erase", "erase the body of a message in every log that holds it")
    erase.add_argument("account", metavar="ACCOUNT")
    erase.add_argument(
        "seq",
        metavar="SEQ",
        type=_seq,
        help="its place in this account's log: item.seq on a device, [SEQ] on a simulated PC",
    )
    erase.add_argument("--edits", action="store_true", help="erase its edits, too")


def _add_care_commands(command: _AddCommand) -> None:
    check = command("check", "look whether the store is sound; writes nothing, a server may run")
    check.add_argument("--file", metavar="FILE", help="check this copy of a store instead")
    check.add_argument(
        "--quick", action="store_true", help="do not compare SQLite's indexes with its tables"
    )
    backup = command("backup", "copy the whole store into a new file; a server may run")
    backup.add_argument("file", metavar="FILE")
    restore = command("restore", "make a backup the store, with a new epoch for every log")
    restore.add_argument("file", metavar="FILE")
    restore.add_argument(
        "--replace", action="store_true", help="where there is a store, which is kept beside it"
    )
    restore.add_argument("--anyway", action="store_true", help="even a damaged backup")
    export = command("export", "write an account's log and devices as a MessagePack stream")
    export.add_argument("account", metavar="ACCOUNT")
    export.add_argument("--output", metavar="FILE", help="a new file [standard output]")
    imported = command("import", "take an account from an exported stream, all or nothing")
    imported.add_argument("account", metavar="ACCOUNT")
    imported.add_argument("file", metavar="FILE")
