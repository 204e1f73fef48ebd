"""`python -m syncd.document` writes PROTOCOL.md and DESIGN.md's tables; `--check` only looks."""

from __future__ import annotations

import sys

from syncd.document import design, page


def main(arguments: list[str]) -> int:
    """The exit code: 0 done or current, 1 stale, 2 misused."""
    if arguments == ["--check"]:
        stale = [each.PAGE.name for each in (page, design) if not each.is_current()]
        for name in stale:
            print(f"{name} is stale: run python -m syncd.document", file=sys.stderr)
        return 1 if stale else 0
    if arguments:
        print("usage: python -m syncd.document [--check]", file=sys.stderr)
        return 2
    for each in (page, design):
        each.PAGE.write_text(each.text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
