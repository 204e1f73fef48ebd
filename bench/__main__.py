"""`python -m bench NAME [options]`: run one measurement; without a name, list the questions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

QUESTIONS = {
    "storm": "How long until everybody is up to date who comes back at once?",
    "fanout": "How long is a message under way to all devices of its receiver, under load?",
    "growth": "What does a large store cost: accounts, backlogs, bytes written, starting?",
    "storage": "What does the store do by itself: commits, bytes written, reads?",
    "soak": "Does anything grow that should not, in minutes of mixed traffic?",
    "peers": "This service beside Redis, NATS, Prosody and others: who is faster at what?",
    "plots": "Draw the peers' result as SVG.",
    "compare": "What changed between two results, and is it more than noise?",
    "catchup": "How fast does a device that was never online get everything that it missed?",
    "idle": "How much memory does an authenticated device cost that has nothing to say?",
    "core": "How fast and how lean is one server: sends, catch-up, live messages, idle devices?",
    "groups": "What does a group cost, by its size, and what do direct messages feel of it?",
    "codec": "Does typed decoding cost the server's hot path less than checking by hand?",
    "unread": "What do unread counts cost, cold and warm, on the server and on a device?",
    "isolation": "Does one abusive account slow down the others?",
    "fsync": "What does one durable write cost on this machine, with no service at all?",
}
"""Every measurement and what it asks; the module of that name answers with `main(arguments)`."""

PARTS = ("catchup", "idle")
"""Those that `core` asks among others."""


def main(arguments: Sequence[str]) -> int:
    """Run what is named; 0 when it could be measured, 2 when nobody knows the name."""
    if not arguments or arguments[0] not in QUESTIONS:
        print("usage: python -m bench NAME [options]    (NAME --help shows the options)\n")
        for name, question in QUESTIONS.items():
            print(f"  {name:6} {question}")
        return 0 if arguments[:1] in ([], ["-h"], ["--help"]) else 2
    if arguments[0] in PARTS:
        arguments = ["core", "--only", *arguments]
    status: int = import_module(f"bench.{arguments[0]}").main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
