"""The settings of `syncd`: one frozen record, read from flags, environment and an optional file.

A flag wins over the environment, the environment over the file, the file over the default.
Bounds are no settings: they are constants in limits.py that clients may rely on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from syncd import limits
from syncd.limits import RETAIN_DAYS_MAX
from syncd.model import CursorScope

ENVIRONMENT_PREFIX = "SYNCD_"
FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""Names the file where no --config does."""

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


class ConfigError(Exception):
    """A setting that cannot be meant. The text is one sentence that names it and where it stood."""


def _setting(parse: Callable[[str], Any], value: str, meaning: str) -> dict[str, Any]:
    """A field's metadata: how its text is read, how --help calls its value, what it means.

    `parse` raises ValueError with what the setting must be.
    """
    return {"parse": parse, "value": value, "meaning": meaning}


def _path(text: str) -> Path:
    if not text or "\0" in text or "://" in text or text.endswith(":"):
        raise ValueError("a folder")  # and no other kind of store address
    return Path(text)


def _file(text: str) -> str:
    if "\0" in text or text.endswith("/"):
        raise ValueError("a file")
    return text


def _host(text: str) -> str:
    if not text or not text.isprintable() or any(each in text for each in " /@"):
        raise ValueError("a host name or an address")
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise ValueError("a number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError("a whole number of seconds")
    return int(text)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= RETAIN_DAYS_MAX):
        raise ValueError(f"a whole number of days up to {RETAIN_DAYS_MAX}")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ValueError("a whole number")
    return int(text)


def _rate(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError("a whole number a second, or 0")
    return int(text)


def _mebibytes(text: str) -> int:
    whole = text.isascii() and text.isdigit() and len(text) <= 9
    if not whole or int(text) > limits.UNFOLDED_MIB_MAX:
        raise ValueError(f"a whole number of MiB up to {limits.UNFOLDED_MIB_MAX}")
    return int(text)


def _http_url(text: str) -> str:
    """The URL of a service, without a credential in it: settings end up in process lists."""
    must = "a URL like http://127.0.0.1:8000/policy, without a password"
    try:
        parts = urlsplit(text)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(must) from None
    if text and (not complete or "@" in parts.netloc or not text.isprintable() or " " in text):
        raise ValueError(must)
    return text


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError("one of " + ", ".join(names))
        return text

    return parse


def _scope(text: str) -> CursorScope:
    return CursorScope(_one_of(tuple(scope.value for scope in CursorScope))(text))


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_origin(each.strip()) for each in text.split(",") if each.strip())


def _origin(text: str) -> str:
    """One value of an Origin header, exactly as a browser sends it."""
    must = "origins like https://chat.example or http://localhost:8080, separated by commas"
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        raise ValueError(must) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(must)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if text != f"{parts.scheme}://{host}{port}":
        raise ValueError(must)
    return text


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting. `table` and --help are made from what stands here."""

    data: Path = field(
        default=Path("syncd-data"),
        metadata=_setting(
            _path,
            "DIR",
            "the folder with the store, its lock and the admin socket; made when missing",
        ),
    )
    host: str = field(
        default="127.0.0.1", metadata=_setting(_host, "HOST", "the address to listen on")
    )
    port: int = field(
        default=8470, metadata=_setting(_port, "PORT", "the port to listen on; 0 takes a free one")
    )
    cursor_scope: CursorScope = field(
        default=CursorScope.DEVICE,
        metadata=_setting(
            _scope,
            "SCOPE",
            "by which key cursors are kept: device is the service; platform and account reproduce"
            " the second-PC bug",
        ),
    )
    allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata=_setting(
            _origins,
            "ORIGINS",
            "web pages that may open sockets: exact origins, comma-separated",
        ),
    )
    policy_url: str = field(
        default="",
        metadata=_setting(
            _http_url,
            "URL",
            "who decides what may be sent: asked by POST, and without its answer nothing passes",
        ),
    )
    recall_within_s: int = field(
        default=0,
        metadata=_setting(
            _seconds, "SECONDS", "how old a message may be that its author recalls; 0: any age"
        ),
    )
    retain_days: int = field(
        default=0,
        metadata=_setting(
            _days, "DAYS", "how long entries are kept, where an account has no rule; 0: for ever"
        ),
    )
    retain_entries: int = field(
        default=0,
        metadata=_setting(
            _count, "COUNT", "how many a log keeps, where an account has no rule of its own; 0: all"
        ),
    )
    account_rate: int = field(
        default=limits.ACCOUNT_MESSAGES_PER_SECOND,
        metadata=_setting(
            _rate, "MESSAGES", "what one account's sockets are read at, a second; 0: no limit"
        ),
    )
    address_rate: int = field(
        default=limits.ADDRESS_REQUESTS_PER_SECOND,
        metadata=_setting(
            _rate,
            "REQUESTS",
            "new sockets, and requests without a valid credential, of one address a second; 0: no"
            " limit, as behind a proxy",
        ),
    )
    key_rate: int = field(
        default=limits.KEY_REQUESTS_PER_SECOND,
        metadata=_setting(
            _rate, "REQUESTS", "requests by one API key or token a second; 0: no limit"
        ),
    )
    unfolded_mib: int = field(
        default=limits.UNFOLDED_MIB,
        metadata=_setting(
            _mebibytes,
            "MIB",
            "how much waits in memory and in the journal of the store before it moves into pages:"
            " more writes less, less needs less memory; 0: nothing waits",
        ),
    )
    login: str = field(
        default="",
        metadata=_setting(
            _file,
            "FILE",
            "the apps and issuers by which people log in, a TOML file with the apps' secrets",
        ),
    )
    journal: str = field(
        default="",
        metadata=_setting(
            _file,
            "FILE",
            "where everything that happens is recorded, without bodies and tokens, for client-sim;"
            " a file that is there is continued",
        ),
    )
    log_format: str = field(
        default="text",
        metadata=_setting(_one_of(LOG_FORMATS), "FORMAT", "text, or json: one object a line"),
    )
    log_level: str = field(
        default="info",
        metadata=_setting(
            _one_of(LOG_LEVELS), "LEVEL", "the least that is logged: " + ", ".join(LOG_LEVELS)
        ),
    )


def flag(name: str) -> str:
    """The flag of a field."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a field."""
    return ENVIRONMENT_PREFIX + name.upper()


def shown_default(setting: Field[Any]) -> str:
    """A field's default as one would write it."""
    value = setting.default
    if isinstance(value, CursorScope):
        return value.value
    return ",".join(value) if isinstance(value, tuple) else str(value)


def table() -> str:
    """The settings as a Markdown table, for the README."""
    rows = ["| flag | environment and file | default | meaning |", "| --- | --- | --- | --- |"]
    for each in fields(Config):
        default = f"`{shown_default(each)}`" if shown_default(each) else "none"
        rows.append(
            f"| `{flag(each.name)} {each.metadata['value']}` | `{variable(each.name)}`,"
            f" `{each.name}` | {default} | {each.metadata['meaning']} |"
        )
    return "\n".join(rows) + "\n"


def read_config(
    flags: Mapping[str, str | None], environment: Mapping[str, str], file: str | None = None
) -> Config:
    """The settings in force. Raises ConfigError.

    flags: by field name, None where not given. file: the value of --config.
    """
    file = file if file is not None else environment.get(FILE_VARIABLE)
    written = {} if file is None else _read_file(Path(file))
    values: dict[str, Any] = {}
    for each in fields(Config):
        name = each.name
        given = flags.get(name)
        if given is not None:
            values[name] = _parsed(each, given, flag(name))
        elif variable(name) in environment:
            values[name] = _parsed(each, environment[variable(name)], variable(name))
        elif name in written:
            values[name] = _parsed(each, written[name], f"{name} in {file}")
    return Config(**values)


def _parsed(setting: Field[Any], text: str, place: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as error:
        raise ConfigError(f"{place} must be {error}, not {text!r}.") from None


def _read_file(path: Path) -> dict[str, str]:
    """The file's settings, as the texts that a flag would have."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigError(f"The file {path} is no TOML: {error}.") from None
    known = {each.name: each for each in fields(Config)}
    for name in written:
        if name not in known:
            raise ConfigError(f"The file {path} sets {name!r}, which is no setting.")
    return {name: _as_text(known[name], value, path) for name, value in written.items()}


def _as_text(setting: Field[Any], value: object, path: Path) -> str:
    """A TOML value of the type that the field has, as text."""
    match setting.default, value:
        case tuple(), list() if all(isinstance(each, str) for each in value):
            return ",".join(value)
        case int(), int() if not isinstance(value, bool):
            return str(value)
        case ((str() | Path() | CursorScope()), str()):
            return value
    raise ConfigError(f"The file {path} gives {setting.name} a value of the wrong type.")
