"""The judgements of a play, on records written by hand: right ones and every kind of wrong one."""

from dataclasses import replace

from client_sim.measured import (
    Holding,
    complete,
    digest_of,
    examine,
    founding_bug,
    loses,
    seqs_in_words,
    words_for,
)
from tests.client_sim.samples import holding, line, lines, position, right_half, wrong_half

DUE = lines(1, 2, 3)


def test_everything_once_in_order_is_right() -> None:
    finding = examine(holding("PC1", 1, 2, 3), DUE)
    assert finding.right
    assert (finding.held, finding.words()) == (3, "has everything")


def test_a_missing_message_is_named() -> None:
    finding = examine(holding("PC2", 1, 3), DUE)
    assert (finding.held, finding.missing) == (2, (2,))
    assert finding.words() == "misses message 2"


def test_all_missing() -> None:
    assert examine(holding("PC2"), DUE).words() == "misses all 3"
    assert examine(holding("PC2"), lines(1)).words() == "misses message 1"


def test_a_doubled_seq_and_a_doubled_identity() -> None:
    assert examine(holding("PC2", 1, 2, 2, 3), DUE).doubled == (2,)
    twice = Holding("PC2", "pc", (*DUE, line(4, number=3)), position(4))
    assert examine(twice, (*DUE, line(4))).doubled == (3, 4)


def test_disorder() -> None:
    finding = examine(holding("PC2", 1, 3, 2), DUE)
    assert finding.disordered == (2,)
    assert finding.words() == "has out of order message 2"


def test_another_body_is_not_held() -> None:
    altered = Holding("PC2", "pc", (line(1), line(2, body="other"), line(3)), position(3))
    finding = examine(altered, DUE)
    assert (finding.held, finding.strange, finding.missing) == (2, (2,), (2,))


def test_the_right_half_is_complete_and_the_wrong_one_loses() -> None:
    assert complete(right_half())
    assert not loses(right_half())
    assert not complete(wrong_half())
    assert loses(wrong_half())
    assert founding_bug(wrong_half())
    assert not founding_bug(right_half())


def test_a_first_pc_that_misses_too_is_another_bug() -> None:
    both = replace(wrong_half(), holdings=(holding("PC1"), holding("PC2")))
    assert loses(both)
    assert not founding_bug(both)


def test_different_chains_are_not_complete() -> None:
    first, second = right_half().holdings
    forked = replace(second, position=position(1, b"another-"))
    half = replace(right_half(), holdings=(first, forked))
    assert not complete(half)
    assert words_for(half) == "all complete, but their chains differ"


def test_what_the_check_says_or_any_trouble_spoils_a_half() -> None:
    first, second = right_half().holdings
    for spoilt in (replace(second, check=("skipped",)), replace(second, trouble=("late",))):
        assert not complete(replace(right_half(), holdings=(first, spoilt)))


def test_nothing_due_proves_nothing() -> None:
    nothing = replace(right_half(), due=(), holdings=(holding("PC1"), holding("PC2")))
    assert not complete(nothing)
    assert not founding_bug(nothing)


def test_words() -> None:
    assert words_for(right_half()) == "all complete: same seqs, bodies, chain"
    assert words_for(wrong_half()) == "PC2 misses message 1"
    assert seqs_in_words((1, 2, 3, 5, 7, 8)) == "1 to 3, 5, 7 to 8"


def test_digests_differ_with_the_body() -> None:
    assert digest_of(b"a") != digest_of(b"b")
