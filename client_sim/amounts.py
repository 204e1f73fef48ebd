"""Numbers on a command line that must not be too small."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """What argparse needs as the `type` of a whole number that is not below this one."""

    def amount(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"at least {least}, not {text}")
        return value

    return amount
