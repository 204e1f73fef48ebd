"""One judge for each invariant of the contract, and none of them knows a server."""

import ast
from pathlib import Path

from client_sim import judging
from client_sim.judging.case import Case
from client_sim.judging.judges import JUDGES
from client_sim.judging.verdict import Finding

INVARIANTS = """durable-ack no-phantom one-effect one-order dense stable-prefix prefix
monotone-cursor fencing explicit-gap epoch read-your-writes convergence sender-fifo bounded-memory
isolation poison-safe revoke tenant-wall merge-atomic clock-free"""


def test_each_invariant_has_its_judge() -> None:
    assert list(JUDGES) == INVARIANTS.split()


def test_a_judge_that_is_told_nothing_says_nothing() -> None:
    assert all(judge(Case([])) == Finding() for judge in JUDGES.values())


def test_judges_share_no_code_with_the_server() -> None:
    for path in Path(judging.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("syncd"), path
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("syncd") for alias in node.names), path
