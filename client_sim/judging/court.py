"""All judges, and what they say together: true, false, or unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from client_sim.history import Appended, Batch, Complaint, Fault, Holds, Log, Phase, Record
from client_sim.judging.case import Case
from client_sim.judging.judges import JUDGES
from client_sim.judging.verdict import Charge, Finding, Judgement, Opinion, Ruling

EXPECTATIONS = "expectations"
"""What a play itself says of its end, as if it were one more judge."""

CHARGES_SHOWN = 5
"""So many of a judge's charges are kept: the first breach explains the others."""

_OURS = ("pretend", "live")
"""Worlds whose runs tell of their end; a history without it was cut off."""


def judge(records: Sequence[Record], expectations: Sequence[Charge] | None = None) -> Judgement:
    """What the judges say of a history. expectations: what a play expected and did not find; None
    where there is no play."""
    case = Case(records)
    findings = {name: each(case) for name, each in JUDGES.items()}
    for index, complaint in case.of(Complaint):
        if complaint.judge:
            finding = findings.setdefault(complaint.judge, Finding())
            finding.seen += 1
            whose = case.name(case.resolve(complaint.whose))
            finding.charge(f"{whose}: {complaint.text}", index, device=complaint.whose)
    if expectations is not None:
        findings[EXPECTATIONS] = Finding(max(1, len(expectations)), list(expectations))
    why = tuple(_doubts(case, findings))
    opinions = tuple(_opinion(case, name, finding) for name, finding in findings.items())
    if any(opinion.ruling is Ruling.FALSE for opinion in opinions):
        ruling = Ruling.FALSE
    else:
        ruling = Ruling.UNKNOWN if why else Ruling.TRUE
    return Judgement(ruling, opinions, len(case.accepted), why)


def _opinion(case: Case, name: str, finding: Finding) -> Opinion:
    if finding.charges:
        ruling = Ruling.FALSE
    elif not finding.seen and name in case.begin.judges:
        ruling = Ruling.UNKNOWN
    else:
        ruling = Ruling.TRUE
    shown = tuple(finding.charges[:CHARGES_SHOWN])
    return Opinion(name, ruling, finding.seen, shown, len(finding.charges))


def _doubts(case: Case, findings: Mapping[str, Finding]) -> list[str]:
    """Why nothing follows from a history without a breach; none where something does."""
    doubts = []
    if not case.accepted:
        doubts.append("no message was accepted")
    if not any(case.of(kind) for kind in (Batch, Appended, Holds, Log)):
        doubts.append("nobody looked at what became of the messages")
    fired = {fault.kind for _, fault in case.of(Fault)}
    doubts += [f"the fault {kind} never fired" for kind in case.begin.faults if kind not in fired]
    for name in case.begin.judges:
        if name not in findings:
            doubts.append(f"there is no judge {name}")
        elif not findings[name].seen:
            doubts.append(f"{name} had nothing to look at")
    ended = any(phase.name == "end" for _, phase in case.of(Phase))
    if case.begin.world in _OURS and not ended:
        doubts.append("the run never came to its end")
    return doubts
