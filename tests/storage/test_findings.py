"""What a check has to say, and that it comes to an end."""

from syncd.storage.findings import FINDINGS_MAX, Report


def test_the_list_of_findings_has_an_end() -> None:
    report = Report()
    assert report.sound
    for number in range(FINDINGS_MAX + 5):
        report.add("log alice, entry 17", str(number))
    assert (len(report.findings), report.unlisted, report.sound) == (FINDINGS_MAX, 5, False)
    assert str(report.findings[0]) == "log alice, entry 17: 0"
