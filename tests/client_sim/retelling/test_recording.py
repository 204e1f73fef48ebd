"""A recording in order: who took part, and who joined or left a group."""

from client_sim.history import SERVER, Begin
from client_sim.retelling.recording import SYSTEM, Recording, changes
from tests.client_sim.retelling.told import connect, device, sent


def test_who_never_connected_takes_no_part_and_who_got_a_message_does() -> None:
    records = [
        Begin(world="recorded", versions=("syncd 1", "cursor scope platform")),
        device(1.0, "PC1", "alice"),
        device(1.0, "PC2", "alice"),
        *connect(2.0, "PC1", 1),
        *sent(3.0, "PC1", 1, "alice~bob", "alice bob"),
        *sent(4.0, "PC1", 1, "alice~bob"),
    ]
    recording = Recording(records)
    assert list(recording.devices) == ["id-PC1"]
    assert recording.accounts() == ["alice", "bob"]
    assert [each.at for each in recording.sends.values()] == [3.0]
    assert recording.scope == "platform"
    assert {each.by for each in recording.records[1:]} == {SERVER}


def test_members_are_seen_by_whose_logs_grow() -> None:
    system = {"kind": SYSTEM}
    records = [
        *connect(0.0, "PC1", 1),
        *sent(1.0, "PC1", 1, "team", "alice bob", **system),
        *sent(2.0, "PC1", 2, "team", "alice bob carol", **system),
        *sent(3.0, "PC1", 3, "team", "alice bob carol"),
        *sent(4.0, "PC1", 4, "team", "alice bob carol", **system),
        *sent(5.0, "PC1", 5, "team", "alice carol"),
        *sent(6.0, "PC1", 6, "team"),
    ]
    recording = Recording(records)
    [sends] = recording.groups().values()
    told = [(each.at, verb, account) for each, verb, account in changes(sends, recording.logs)]
    assert told == [(2.0, "add", "carol"), (4.0, "remove", "bob")]
