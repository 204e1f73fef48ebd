"""`syncd platform`: serve the embedded platform, and tell a running one what there is.

Every operation of the provisioning API is a command, its fields are flags.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import tomllib
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec
from msgspec.structs import fields

from syncd.commands.outcome import DECLINED, DONE, UNREACHABLE, USAGE, CommandFailed, show
from syncd.platform.operations import OPERATIONS

_DEFAULT_PORT = 8788
_MEMORY = "memory:"
_TIMEOUT_S = 10.0


def add_platform(whole: argparse.ArgumentParser) -> None:
    """Give `syncd platform` its commands."""
    commands = whole.add_subparsers(dest="operation", required=True, metavar="COMMAND")
    served = commands.add_parser("serve", help="run the platform until SIGTERM")
    served.add_argument("--data", default=_MEMORY, metavar="FILE", help=f"its world [{_MEMORY}]")
    served.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="[127.0.0.1]")
    served.add_argument("--port", default=_DEFAULT_PORT, type=int, help=f"[{_DEFAULT_PORT}]")
    served.add_argument(
        "--testing", action="store_true", help="with provisioning: everybody may be anybody"
    )
    served.add_argument(
        "--anyway", action="store_true", help="provisioning for other machines, too"
    )
    for name, operation in OPERATIONS.items():
        added = commands.add_parser(name, help=operation.text, description=operation.text)
        added.add_argument(
            "--url",
            default=f"http://127.0.0.1:{_DEFAULT_PORT}",
            help=f"of the platform [http://127.0.0.1:{_DEFAULT_PORT}]",
        )
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        for each in fields(operation.takes):
            flag = each.name.replace("_", "-")
            added.add_argument(
                f"--{flag}",
                dest=f"given_{each.name}",
                metavar=flag.upper(),
                required=each.required,
            )
        if name == "app":
            added.add_argument(
                "--login", metavar="FILE", help="append the app to syncd's file of apps"
            )
            added.add_argument("--as", dest="called", metavar="NAME", help="what clients call it")


def platform(given: argparse.Namespace) -> int:
    """Run one command; its exit status. Raises CommandFailed."""
    if given.operation == "serve":
        return _serve(given)
    operation = OPERATIONS[given.operation]
    body = {
        each.encode_name: None if value == "none" else value
        for each in fields(operation.takes)
        if (value := getattr(given, f"given_{each.name}")) is not None
    }
    try:
        taken = msgspec.convert(body, operation.takes, strict=False)
    except msgspec.ValidationError as error:
        raise CommandFailed(USAGE, str(error)) from None
    file = Path(given.login) if given.operation == "app" and given.login else None
    known = "" if file is None else _apps_in(file, given)
    answer = _ask(given.url, given.operation, msgspec.json.encode(taken))
    if file is not None:
        _write(file, known + _table(given, answer))
    text = " ".join(f"{name}={value}" for name, value in answer.items()) or "done"
    show(answer, text, as_json=given.json)
    return DONE


def _serve(given: argparse.Namespace) -> int:
    from syncd.platform.serve import is_loopback, serve  # a web server: no other command needs it

    if given.testing and not is_loopback(given.host) and not given.anyway:
        sentence = (
            f"whoever reaches {given.host} could log in as anybody; listen on 127.0.0.1, or give"
            " --anyway"
        )
        raise CommandFailed(USAGE, sentence)
    try:
        asyncio.run(serve(given.data, given.host, given.port, given.testing))
    except OSError as error:
        place = f"{given.host}:{given.port}"
        raise CommandFailed(DECLINED, f"cannot serve the platform at {place}: {error}") from None
    except sqlite3.Error as error:
        raise CommandFailed(DECLINED, f"cannot have {given.data} for itself: {error}") from None
    return DONE


def _ask(url: str, name: str, body: bytes) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    try:
        # A proxy of the machine's would not find its way back to the loopback.
        request = Request(f"{url}/provision/{name}", body, headers)
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except HTTPError as refused:
        raise CommandFailed(DECLINED, _refusal(refused)) from None
    except (URLError, OSError, ValueError) as error:
        raise CommandFailed(UNREACHABLE, f"no platform answers at {url}: {error}") from None


def _refusal(refused: HTTPError) -> str:
    with refused:
        try:
            return str(json.load(refused)["text"])
        except (ValueError, KeyError, TypeError):
            return f"{refused.url} is not provisioned; start the platform with --testing"


def _apps_in(file: Path, given: argparse.Namespace) -> str:
    """The file of apps as it is, with the platform's address. Raises CommandFailed."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        known = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CommandFailed(DECLINED, f"{file} is no TOML: {error}") from None
    if _name(given) in known.get("apps", {}):
        raise CommandFailed(DECLINED, f"{file} has an app {_name(given)!r} already.")
    return text if "upstream" in known else f'upstream = "{given.url}"\n{text}'


def _table(given: argparse.Namespace, made: dict[str, Any]) -> str:
    """The app as a table of syncd's file of apps: see README, "Log people in"."""
    rows = {"appid": made["appid"], "secret": made["secret"], "kind": given.given_kind}
    if given.given_account not in (None, "none"):
        rows["platform"] = given.given_account
    lines = [f"{name} = {_quoted(value)}" for name, value in rows.items()]
    return "\n".join(["", f"[apps.{_quoted(_name(given))}]", *lines, ""])


def _name(given: argparse.Namespace) -> str:
    return str(given.called or given.given_name)


def _quoted(text: str) -> str:
    """A string of TOML: one of JSON, but that it knows no surrogates and escapes DEL, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(file: Path, text: str) -> None:
    """It holds secrets: for its owner alone, where it is new."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
