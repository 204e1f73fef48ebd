"""The page of a history, in a real browser: it says which device misses what, and runs nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from client_sim.chart.page import INVARIANTS, page
from client_sim.history import Device, Record, Step
from client_sim.judging.judges import JUDGES
from client_sim.judging.verdict import Judgement, Opinion, Ruling
from tests.client_sim.chart.browser import Tab, browser, needs_chromium
from tests.client_sim.chart.histories import accused, founding

EVIL = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">'\"&"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


def shown(tab: Tab, selector: str) -> int:
    """How many elements of this kind can be seen."""
    return int(
        tab.say(
            f"[...document.querySelectorAll({selector!r})].filter(e => e.checkVisibility()).length"
        )
    )


def test_every_judge_is_explained() -> None:
    assert set(JUDGES) <= set(INVARIANTS)


@needs_chromium
def test_the_founding_bug_is_seen(tab: Tab, tmp_path: Path) -> None:
    records = founding()
    path = tmp_path / "page.html"
    path.write_text(page(records, accused(records)), encoding="utf-8")
    tab.show(path)
    assert tab.say("document.querySelector('h1').dataset.judge") == "explicit-gap"
    assert tab.say("document.querySelector('h1').innerText") == "PC2 misses 1-3 of bob's log"
    missed = "document.querySelector('#matters [data-holds=\"d-pc2\"]')"
    assert tab.say(f"{missed}.dataset.missing") == "1 2 3"
    assert "misses 1-3" in tab.say(f"{missed}.textContent")
    assert shown(tab, "#matters [data-device='d-pc2']") == 1
    assert shown(tab, "#matters [data-log='bob']") == 1
    assert shown(tab, "#matters [data-log='alice']") == 0
    assert shown(tab, "#matters [data-marked]") == tab.say(
        "document.querySelectorAll('ol a').length"
    )
    assert "cursor that both share" in tab.say("document.querySelector('ol').innerText")
    assert tab.complaints == []


@needs_chromium
def test_everything_can_be_shown_and_hidden_again(tab: Tab, tmp_path: Path) -> None:
    records = founding()
    path = tmp_path / "page.html"
    path.write_text(page(records, accused(records)), encoding="utf-8")
    tab.show(path)
    assert (shown(tab, "#matters"), shown(tab, "#whole")) == (1, 0)
    tab.say("document.querySelector('.fold').dispatchEvent(new MouseEvent('click'))")
    tab.say("new Promise(done => requestAnimationFrame(done)).then(() => 1)")
    assert (shown(tab, "#matters"), shown(tab, "#whole")) == (0, 1)
    assert shown(tab, "#whole [data-log='alice']") == 1
    tab.say("document.querySelector('nav .matters').click()")
    assert (shown(tab, "#matters"), shown(tab, "#whole")) == (1, 0)


@needs_chromium
def test_a_history_cannot_run_anything(tab: Tab, tmp_path: Path) -> None:
    records = [hostile(each) for each in founding()]
    judgement = accused(founding())
    opinion = judgement.opinions[1]
    charge = replace(opinion.charges[0], text=EVIL)
    judgement = replace(judgement, opinions=(replace(opinion, judge=EVIL, charges=(charge,)),))
    path = tmp_path / "page.html"
    path.write_text(page(records, judgement), encoding="utf-8")
    tab.show(path)
    assert tab.say("document.title") != "evil"
    assert tab.say("document.querySelectorAll('script, img').length") == 0
    assert tab.say("document.querySelector('h1').innerText") == EVIL


def hostile(record: Record) -> Record:
    match record:
        case Device():
            return msgspec.structs.replace(record, name=EVIL, account=EVIL + record.account)
        case Step():
            return msgspec.structs.replace(record, sentence=EVIL)
    return record


def test_without_a_charge_the_whole_story_is_told() -> None:
    content = Judgement(Ruling.TRUE, (Opinion("dense", Ruling.TRUE, 1),), 3)
    told = page(founding(), content)
    assert "Every judge is content." in told
    assert 'id="whole"' not in told
    assert 'data-log="alice"' in told
    assert "<h1" not in page(founding())


def test_what_nobody_can_say_is_said() -> None:
    doubtful = Judgement(Ruling.UNKNOWN, (), 0, ("no message was accepted",))
    assert "Nobody can say: no message was accepted." in page([], doubtful)


def test_another_judge_can_be_asked_for() -> None:
    records = founding()
    assert "never got entries" not in page(records, accused(records), "dense")
