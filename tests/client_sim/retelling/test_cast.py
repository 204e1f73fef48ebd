"""Names that sentences can say."""

from client_sim.retelling.cast import Names
from client_sim.retelling.recording import Recording
from tests.client_sim.retelling.told import connect, device, sent


def test_plain_names_are_kept_and_others_are_made() -> None:
    records = [
        device(1.0, "PC1", "alice"),
        device(1.0, "Alice's phone", "alice", "phone"),
        device(1.0, "laptop", "bob@example.org", "mac-os"),
        *(each for name in ("PC1", "Alice's phone", "laptop") for each in connect(2.0, name, 1)),
        *sent(3.0, "PC1", 1, "alice~bob@example.org", "alice bob@example.org carol"),
        *sent(4.0, "PC1", 2, "alice", "alice"),
    ]
    names = Names(Recording(records))
    assert names.accounts == {"alice": "alice", "bob@example.org": "account1", "carol": "carol"}
    assert names.groups == {"alice": "group1"}
    assert names.cast == {"alice": ["PC1", "phone1"], "account1": ["macos1"], "carol": ["device1"]}
