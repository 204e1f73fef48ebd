"""A larger campaign than the tests have time for: `python -m tests.model --seeds N`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from .judges import judged
from .model import Rules, World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many schedules to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--without", metavar="MECHANISM", help="take one mechanism out")
    parser.add_argument("--events", action="store_true", help="print the history of bad schedules")
    options = parser.parse_args()
    caught: Counter[str] = Counter()
    failed = 0
    for seed in range(options.first, options.first + options.seeds):
        world = World(seed, Rules(without=options.without)).run()
        findings = judged(world)
        if findings and options.events:
            print(*world.history.events, sep="\n")
        for name, found in findings.items():
            print(f"seed {seed}: {name}: {found[0]}")
        failed += bool(findings)
        caught.update(findings.keys())
    print(f"{options.seeds} schedules, {failed} with findings {dict(caught)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
