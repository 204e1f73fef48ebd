"""How a command ends and what it says: results for programs on standard output, the rest for people
on standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

DONE = 0
DECLINED = 1
USAGE = 2
UNREACHABLE = 3
DAMAGED = 4

EXIT_STATUSES = """\
exit status:
  0   done; of check: sound; of serve: stopped by SIGTERM or SIGINT, everything that was
      accepted is durable
  1   declined, and nothing was changed: no such device, a name that is taken, a file that
      exists, a stream that is none ...; of serve: it could not start
  2   the command line or a setting cannot be meant
  3   the store cannot be reached: another process holds it and answers no commands
  4   of check, backup and restore: what was looked at is damaged
  70  of serve: storage failed and the outcome of a commit is unknown; start it again
"""

_SECONDS_BETWEEN_REPORTS = 2.0


class CommandFailed(Exception):
    """The command ends with `status`; the text is one sentence for whoever called it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def note(text: str) -> None:
    """Tell people something that is no result."""
    print(text, file=sys.stderr)


def complain(status: int, sentence: str) -> int:
    """Tell people why a command ends; its status."""
    note(f"syncd: {sentence}")
    return status


def show(facts: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a command's result."""
    print(json.dumps(facts) if as_json else text)


def progress(what: str, clock: Callable[[], float] = time.monotonic) -> Callable[[int, int], None]:
    """Tells people how far a long command is: now and then, and never of a short one."""
    last = clock()

    def told(done: int, whole: int) -> None:
        nonlocal last
        if clock() - last >= _SECONDS_BETWEEN_REPORTS:
            last = clock()
            note(f"{done:,} of {whole:,} {what}")

    return told
