"""A history as one page that needs nothing else: what is broken, the steps, and the picture.

The page holds no script, and forbids any: whatever a history says, a browser only shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from client_sim.chart import colours, focus
from client_sim.chart.cast import in_words
from client_sim.chart.focus import Focus
from client_sim.chart.outcome import Outcome, outcome
from client_sim.chart.panel import Panel
from client_sim.chart.telling import Telling, told
from client_sim.drawing import FONT
from client_sim.history import Begin, Record
from client_sim.judging.verdict import Judgement, Opinion, Ruling

INVARIANTS = {
    "durable-ack": "what was accepted is never lost",
    "no-phantom": "nobody receives what nobody sent",
    "one-effect": "a message that is sent twice is in each log once",
    "one-order": "a place in a log names one entry, for everybody and for ever",
    "dense": "a log counts 1, 2, 3 and leaves nothing out",
    "stable-prefix": "nothing appears before what somebody has already seen",
    "prefix": "what a device holds has no holes",
    "monotone-cursor": "a stored cursor never moves back",
    "fencing": "only the newest connection of a device counts",
    "explicit-gap": "whoever misses entries is told so",
    "epoch": "a log whose past may have changed says so",
    "read-your-writes": "what was accepted is there for the next who asks",
    "convergence": "once the faults stop, every connected device gets everything",
    "sender-fifo": "messages of one device stay in order",
    "bounded-memory": "no device makes the server's queues grow",
    "isolation": "one account does not hold up the others",
    "poison-safe": "no message can stop a device from syncing",
    "revoke": "a revoked device is out within two seconds",
    "tenant-wall": "nobody receives anything of another account's log",
    "merge-atomic": "a merge happens as a whole or not at all",
    "clock-free": "no clock decides about order or loss",
}
"""What each judge holds to, in words; a judge that is not named here speaks for itself."""

_STYLE = """
body{margin:0;background:var(--paper);color:var(--ink);font-family:FONT;line-height:1.45}
header{max-width:1080px;padding:28px 28px 4px}
h1{font-size:25px;line-height:1.25;margin:4px 0 6px;font-weight:600}
p{margin:4px 0}.quiet{color:var(--muted);font-size:14px}
.broken{color:var(--red)}.right{color:var(--green)}
ol{padding:0;margin:16px 0 8px;list-style:none;counter-reset:step;max-width:980px}
ol li{counter-increment:step;position:relative;padding:3px 0 3px 34px;font-size:15px}
ol li::before{content:counter(step);position:absolute;left:0;top:4px;width:22px;height:22px;
border-radius:50%;background:var(--red);color:var(--paper);font-size:12.5px;font-weight:600;
text-align:center;line-height:22px}
a{color:inherit;text-decoration:none}ol a:hover,nav a:hover{text-decoration:underline}
nav{padding:10px 28px;font-size:14px}nav a{margin-right:18px;color:var(--muted)}
section .names{position:sticky;top:0;background:var(--paper);border-bottom:1px solid var(--edge);
z-index:1;width:max-content;min-width:100%}
section svg{display:block;margin-left:8px}.row{scroll-margin:120px}
.row:target text,.row:hover text{font-weight:600}.fold:hover text{fill:var(--ink)}
#whole{display:none}
body:has(#whole:target,#whole :target) #whole{display:block}
body:has(#whole:target,#whole :target) #matters{display:none}
nav a.matters{color:var(--ink);font-weight:600}
body:has(#whole:target,#whole :target) nav a.matters{color:var(--muted);font-weight:400}
body:has(#whole:target,#whole :target) nav a.whole{color:var(--ink);font-weight:600}
"""


def page(records: Sequence[Record], judgement: Judgement | None = None, judge: str = "") -> str:
    """The page of a history. judge: whose first charge it is about; without it the first that has
    one. Without any charge the page tells the whole story."""
    telling = told(records)
    end = outcome(records, telling.cast)
    opinion = _accusing(judgement, judge)
    head = _title(records)
    if opinion is None:
        whole = Panel(telling, focus.everything(telling), end, "row")
        return _document(head, _acquittal(judgement, head), _section("matters", whole))
    charge = opinion.charges[0]
    matters = focus.on_charge(telling, charge, records, end)
    short = Panel(telling, matters, end, "step", whole="row")
    whole = Panel(telling, focus.everything(telling, matters.marked, matters.device), end, "row")
    misses = _misses(telling, matters, end)
    top = _accusation(opinion, misses, head) + _steps(telling, matters, end)
    links = (
        '<nav><a class="matters" href="#matters">What matters</a>'
        f'<a class="whole" href="#whole">Everything: {len(records)} records</a></nav>'
    )
    sections = _section("matters", short) + _section("whole", whole)
    return _document(head, top, links + sections)


def _accusing(judgement: Judgement | None, judge: str) -> Opinion | None:
    for opinion in judgement.opinions if judgement else ():
        if opinion.charges and (not judge or opinion.judge == judge):
            return opinion
    return None


def _title(records: Sequence[Record]) -> str:
    begin = next((each for each in records if isinstance(each, Begin)), None)
    parts = []
    if begin is not None:
        parts = [begin.play, f"{begin.world} world"]
        parts += [] if begin.seed is None else [f"seed {begin.seed}"]
    return " · ".join([*filter(None, parts), f"{len(records)} records"])


def _misses(telling: Telling, matters: Focus, end: Outcome) -> str:
    """Which device misses what, where one does."""
    share = end.shares.get(matters.device)
    if share is None or not share.missing:
        return ""
    name, account = telling.cast.name(matters.device), telling.cast.account(matters.device)
    return f"{name} misses {in_words(share.missing)} of {account}'s log"


def _accusation(opinion: Opinion, misses: str, head: str) -> str:
    charge = opinion.charges[0].text
    rule = INVARIANTS.get(opinion.judge, "")
    said = f"{opinion.judge}: {rule}" if rule else opinion.judge
    more = f" The first of {opinion.charged} charges." if opinion.charged > 1 else ""
    return (
        f'<p class="quiet">{escape(head)}</p>'
        f'<h1 class="broken" data-judge="{escape(opinion.judge)}">{escape(misses or charge)}</h1>'
        + (f'<p class="charge">{escape(charge)}.</p>' if misses else "")
        + f'<p class="quiet">Broken is <b>{escape(said)}</b>.{more}</p>'
    )


def _acquittal(judgement: Judgement | None, head: str) -> str:
    if judgement is None:
        said, tone = "", ""
    elif judgement.ruling is Ruling.TRUE:
        said, tone = "Every judge is content.", "right"
    elif judgement.ruling is Ruling.FALSE:
        said, tone = f"Broken: {', '.join(judgement.broken)}.", "broken"
    else:
        said, tone = f"Nobody can say: {'; '.join(judgement.why)}.", "broken"
    told_of = f'<h1 class="{tone}">{escape(said)}</h1>' if said else ""
    return f'<p class="quiet">{escape(head)}</p>{told_of}'


def _steps(telling: Telling, matters: Focus, end: Outcome) -> str:
    items = []
    for row in matters.marked:
        if row < len(telling.moments):
            said = telling.moments[row].sentence(telling.cast)
            items.append(f'<li><a href="#step-{row}">{escape(said)}.</a></li>')
        elif matters.device in end.shares:
            headline, remark = end.shares[matters.device].words()
            name = telling.cast.name(matters.device)
            items.append(f"<li>In the end {escape(name)} {escape(f'{headline}: {remark}')}.</li>")
        else:
            items.append("<li>The final state shows it.</li>")
    return f"<ol>{''.join(items)}</ol>"


def _section(name: str, panel: Panel) -> str:
    return f'<section id="{name}"><div class="names">{panel.head()}</div>{panel.body()}</section>'


def _document(title: str, top: str, rest: str) -> str:
    style = colours.style_sheet() + _STYLE.replace("FONT", FONT)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body><header>{top}</header>\n{rest}</body></html>\n"
    )
