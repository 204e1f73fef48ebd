"""What a judge says, as values."""

from client_sim.judging.verdict import Charge, Finding, Judgement, Opinion, Ruling


def test_a_charge_shows_each_record_once_and_in_order() -> None:
    finding = Finding()
    finding.charge("lost", 7, -1, 3, 7, device="PC1")
    assert finding.charges == [Charge("lost", (3, 7), "PC1")]


def test_a_judgement_names_who_said_false() -> None:
    opinions = (Opinion("dense", Ruling.TRUE, 1), Opinion("epoch", Ruling.FALSE, 1))
    assert Judgement(Ruling.FALSE, opinions, 1).broken == ("epoch",)
