"""`client-sim COMMAND`: arguments to the command that they name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from client_sim import draft, from_journal, judge, pc, playbill, reproduce, show, swarm
from client_sim import run as run_play
from client_sim.foreign import template_command
from client_sim.live import enumeration, proxy_command
from client_sim.planted import command as planted
from client_sim.planted.planting import planted as planted_here
from client_sim.planted.planting import run_again
from client_sim.storm import command as storm
from client_sim.storm import shrinking

COMMANDS = {
    "reproduce": (reproduce, "play the founding report: PC2 misses what PC1 read, and the cure"),
    "pc": (pc, "an interactive simulated PC"),
    "swarm": (swarm, "many devices at once, judged: nothing lost, doubled or out of order"),
    "plays": (playbill, "which plays there are"),
    "new": (draft, "begin a play of your own, with every sentence explained"),
    "run": (run_play, "play a play, and judge it"),
    "storm": (storm, "plays drawn from seeds: faults of all kinds, then calm, then the judges"),
    "shrink": (shrinking, "make a failing storm or play as small as it still fails"),
    "planted": (planted, "plant bugs, one by one: do the judges find them all?"),
    "crash-points": (enumeration, "kill a server at each of its writes; does everything survive?"),
    "proxy": (proxy_command, "a line to any server, which is cut, stalled or slow as you say"),
    "adapter-template": (template_command, "print an adapter for a server of your own"),
    "from-journal": (from_journal, "make a play of a server's recording, and try seeds around it"),
    "judge": (judge, "what the judges say of a history, recorded by anybody"),
    "picture": (show, "a history as a page for a browser: what is broken, and why"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; its exit status, 130 where it was interrupted."""
    parser = argparse.ArgumentParser(prog="client-sim", description="Simulated devices.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, meaning) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=meaning, description=meaning))
    parsed = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = COMMANDS[parsed.command][0].run
    bug = getattr(parsed, "bug", None)
    try:
        if bug is not None and bug != planted_here():
            return run_again(bug, sys.argv[1:] if arguments is None else arguments)
        return run(parsed)
    except KeyboardInterrupt:
        print(f"client-sim {parsed.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
