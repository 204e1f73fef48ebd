"""Structured logs: text or JSON lines on standard error, and never a secret in them.

A message begins with one character that says which way it went: `<` something came in, `>` it went
out, `=` a state changed, `!` something is wrong. Facts for machines travel as
`extra={"facts": {...}}`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import TextIO

SECRET = re.compile(r"\b(s[dkps]_)[A-Za-z0-9_-]{16,}|\b(eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*")
"""Our own tokens, keys, secrets and pairing codes (also cut ones), and JSON Web Tokens."""


def redacted(text: str) -> str:
    """`text` with every secret in it cut down to its kind.

    A net below the rule that no secret is handed to a logger in the first place: texts of foreign
    exceptions and tracebacks pass through here too.
    """
    return SECRET.sub(lambda found: f"{found[1] or found[2]}...", text)


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts = getattr(record, "facts", None)
    return facts if isinstance(facts, dict) else {}


def _moment(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


class TextLines(logging.Formatter):
    """For people: time, level, message, facts; a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        # A peer's text must not be able to begin a line of its own.
        message = (record.getMessage() + facts).replace("\r", "\\r").replace("\n", "\\n")
        line = f"{_moment(record)} {record.levelname.lower()} {record.name}: {message}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redacted(line)


class JsonLines(logging.Formatter):
    """For machines: one JSON object a line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        facts = {name: redacted(str(value)) for name, value in _facts(record).items()}
        if facts:
            line["facts"] = facts
        if record.exc_info:
            line["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream`, standard error by default.

    For a process that is ours; an application that embeds the service configures its own logging.
    """
    sink = logging.StreamHandler(sys.stderr if stream is None else stream)
    sink.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[sink], force=True)
    # At debug level the event loop names every descriptor; nobody who reads our logs asked for it.
    logging.getLogger("asyncio").setLevel(max(logging.INFO, logging.root.level))
