"""`client-sim adapter-template`: prints an adapter that works, to be made one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

TEMPLATE = Path(__file__).with_name("template.py")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim adapter-template`: nothing."""


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim adapter-template`; always 0."""
    print(TEMPLATE.read_text(encoding="utf-8"), end="")
    return 0
