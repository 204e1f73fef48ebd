"""`client-sim new NAME`: a play to begin with, in which every sentence that there is is explained.

The list is made from the tables of the grammar, so it is never out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from client_sim.sentences import DOINGS, EXPECTATIONS, Verb
from client_sim.weather import CHANCES

_BEGINNING = '''\
# A play: who takes part, what happens to them, and what must hold in the end.
#   client-sim run {file} --seed 1
# Beside what is expected here, the judges look at every run: nothing may be lost, doubled, out of
# order or passed over in silence, whatever happens.

story = """\\
Bob writes while the phone is in a tunnel. It gets everything when it comes out."""

# One after the other. Words in braces stand for names and numbers; groups of names are written
# "bob, carol and dave". Before any sentence:
#   meanwhile ...   does not wait for it
#   at 3.5 s: ...   at this moment of the play, whatever else is going on
#
{doings}
steps = [
    "laptop logs in",
    "phone logs in",
    "laptop sends 2 to alice",
    "all settle",
    "phone loses its network",
    "laptop sends 3 to alice",
    "phone has network again",
    "phone is cut",
    "all settle",
]

# What a person would check, of the end, when all is calm and everybody has come back:
#
{expectations}
expect = [
    "phone holds 5",
]

# Accounts and their devices. A device's platform is its name without digits, in small letters.
[cast]
alice = ["phone"]
bob = ["laptop"]

# Groups that are there from the beginning.
[groups]
# team = ["alice", "bob"]

# Faults that come by themselves, with the probability of each; in the pretend world only.
[weather]
{weather}

[options]
# window = 65536      bytes under way to a device that it has not acknowledged
# scope = "platform"  the founding bug: one cursor for all devices of a platform
# verify_start = false    and nobody looks whether the server begins where the device is
'''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim new`."""
    parser.add_argument("name", help="NAME.toml is written; an existing file stays")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim new`; its exit status."""
    path = Path(arguments.name)
    path = path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(draft(str(path)))
    except OSError as error:
        print(f"client-sim new: {path}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{path}: change it, then: client-sim run {path}")
    return 0


def draft(file: str) -> str:
    """The text of a new play for that file."""
    return _BEGINNING.format(
        file=file,
        doings="\n".join(_explained(DOINGS)),
        expectations="\n".join(_explained(EXPECTATIONS)),
        weather="\n".join(
            f"# {kind} = 0.01{' ' * (16 - len(kind))}{text}" for kind, text in CHANCES.items()
        ),
    )


def _explained(verbs: Iterable[Verb]) -> Iterable[str]:
    for verb in verbs:
        yield f"#  {verb.pattern:<52}  {verb.meaning}"
