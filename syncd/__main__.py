"""`syncd`: serve, and the commands of an operator.

A command asks the server that holds the data folder, or opens the store itself under its lock when
none runs. The result goes to standard output, so that scripts can use it; everything for people
goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from syncd import __version__
from syncd.commands.outcome import DECLINED, DONE, USAGE, CommandFailed, complain, show
from syncd.commands.parser import parser
from syncd.config import Config, ConfigError, read_config

_CARE = frozenset({"check", "backup", "restore", "export"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    command_line = parser()
    given = command_line.parse_args(arguments)
    try:
        return _run(given)
    except ConfigError as error:
        return complain(USAGE, str(error))
    except CommandFailed as failed:
        return complain(failed.status, str(failed))


def _run(given: argparse.Namespace) -> int:
    # A command imports what it is made of, and no other: a shell waits for it.
    if given.command == "version":
        show({"version": __version__}, __version__, as_json=given.json)
        return DONE
    if given.command == "platform":
        from syncd.commands.platform import platform

        return platform(given)
    config = read_config(vars(given), os.environ, given.config)
    if given.command == "serve":
        return _serve(config)
    if given.command in _CARE:
        from syncd.commands.care import care

        return care(given, config)
    from syncd.commands.answers import show_answer
    from syncd.commands.asking import perform, request_of

    show_answer(given, perform(config, request_of(given)))
    return DONE


# ------------------------------------------------------------ serve


def _serve(config: Config) -> int:
    from syncd.identity.settings import SettingsRefused
    from syncd.server import logs
    from syncd.server.app import is_held
    from syncd.server.descriptors import prepare_descriptors
    from syncd.server.serve import serve
    from syncd.server.throttle import Rates
    from syncd.storage import StoreRefused

    logs.configure(config.log_format, config.log_level)
    prepare_descriptors()
    try:
        asyncio.run(
            serve(
                data=config.data,
                host=config.host,
                port=config.port,
                cursor_scope=config.cursor_scope,
                allowed_origins=config.allowed_origins,
                policy_url=config.policy_url,
                recall_within_s=config.recall_within_s,
                rates=Rates(config.account_rate, config.address_rate, config.key_rate),
                retain_days=config.retain_days,
                retain_entries=config.retain_entries,
                journal=Path(config.journal) if config.journal else None,
                login=Path(config.login) if config.login else None,
                unfolded_mib=config.unfolded_mib,
            )
        )
    except SettingsRefused as refused:
        return complain(USAGE, str(refused))
    except StoreRefused as refused:
        if is_held(refused):
            sentence = f"another syncd serves {config.data}; stop it or choose another --data"
            return complain(DECLINED, sentence)
        return complain(DECLINED, f"{refused}.")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = f"port {config.port} is taken, perhaps by another syncd; choose --port"
            return complain(DECLINED, sentence)
        place = f"{config.host}:{config.port}"
        return complain(DECLINED, f"Cannot serve {config.data} at {place}: {error}.")
    return DONE


def run() -> NoReturn:
    """The process `python -m syncd`."""
    sys.exit(main())


if __name__ == "__main__":
    run()
