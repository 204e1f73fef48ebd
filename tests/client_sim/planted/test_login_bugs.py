"""The bugs in logins and merges are in the list of all, and the rules of a merge are among them."""

from client_sim.planted.bugs import BUGS
from client_sim.planted.login_bugs import LOGIN_BUGS


def test_they_are_in_the_list_of_all() -> None:
    assert set(LOGIN_BUGS) <= set(BUGS)


def test_the_rules_of_a_merge_are_among_them() -> None:
    assert {bug.name for bug in LOGIN_BUGS} >= {
        "every_device_goes_on",
        "merged_without_dedupe",
        "answers_of_the_guests_log",
        "alias_not_resolved",
        "old_session_of_the_prover",
    }
