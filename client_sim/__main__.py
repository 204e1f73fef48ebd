"""`client-sim reproduce | pc | swarm`: arguments to the command that they name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from client_sim import pc, reproduce, swarm

COMMANDS = {
    "reproduce": (reproduce, "play the founding report: PC2 misses what PC1 read, and the cure"),
    "pc": (pc, "an interactive simulated PC"),
    "swarm": (swarm, "many devices at once, judged: nothing lost, doubled or out of order"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; its exit status."""
    parser = argparse.ArgumentParser(prog="client-sim", description="Simulated devices.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, meaning) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=meaning, description=meaning))
    parsed = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = COMMANDS[parsed.command][0].run
    return run(parsed)


if __name__ == "__main__":
    sys.exit(main())
