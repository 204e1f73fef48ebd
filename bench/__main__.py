"""`python -m bench NAME [options]`: run one measurement; without a name, list the questions."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module

from bench.machine import commit, machine

QUESTIONS = {
    "core": "How fast and how lean is one server: sends, catch-up, live messages, idle devices?",
    "groups": "What does a group cost, by its size, and what do direct messages feel of it?",
    "codec": "Does typed decoding cost the server's hot path less than checking by hand?",
    "unread": "What do unread counts cost, cold and warm, on the server and on a device?",
    "isolation": "Does one abusive account slow down the others?",
    "fsync": "What does one durable write cost on this machine, with no service at all?",
}
"""Every measurement and what it asks; the module of that name answers with `main(arguments)`."""


def main(arguments: Sequence[str]) -> int:
    """Run what is named; 0 when it could be measured, 2 when nobody knows the name."""
    if not arguments or arguments[0] not in QUESTIONS:
        print("usage: python -m bench NAME [options]    (NAME --help shows the options)\n")
        for name, question in QUESTIONS.items():
            print(f"  {name:6} {question}")
        return 0 if arguments[:1] in ([], ["-h"], ["--help"]) else 2
    module = import_module(f"bench.{arguments[0]}")
    if hasattr(module, "main"):
        status: int = module.main(arguments[1:])
        return status
    figures = module.run()
    for name, figure in figures.items():
        print(f"{name:28} {figure:10.2f}")
    rounded = {name: round(figure, 2) for name, figure in figures.items()}
    print(json.dumps(rounded | {"commit": commit(), "machine": machine()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
