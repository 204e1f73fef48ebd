"""Who runs when in a storm that is being drawn."""

from random import Random

from client_sim.storm.stage import Stage


def test_who_runs_is_what_was_said_last() -> None:
    stage = Stage(8.0, {"alice": ("PC1",)})
    stage.add(1.0, "log_in", device="PC1")
    stage.add(2.0, "kill", device="PC1")
    stage.add(3.0, "log_in", device="PC1")
    stage.add(4.0, "log_out", device="PC1")
    moments = (0.5, 1.5, 2.5, 3.5, 4.5)
    assert [stage.runs("PC1", at) for at in moments] == [False, True, False, True, False]
    assert not stage.runs("PC2", 1.5)


def test_who_was_revoked_cannot_sign_in_and_does_not_run() -> None:
    stage = Stage(8.0, {"alice": ("PC1",)})
    stage.add(1.0, "sign_in", device="PC1", app="page")
    stage.add(2.0, "revoke", device="PC1")
    stage.add(3.0, "log_out", device="PC1")
    stage.add(4.0, "bring", device="PC1")
    stage.add(5.0, "log_in", device="PC1")
    moments = (1.5, 2.5, 3.5, 4.5, 5.5)
    assert [stage.runs("PC1", at) for at in moments] == [True, True, False, False, True]


def test_a_moment_is_one_at_which_the_device_runs() -> None:
    stage = Stage(8.0, {"alice": ("PC1", "PC2"), "bob": ("PC3",)})
    stage.add(2.0, "log_in", device="PC2")
    assert stage.devices == ["PC1", "PC2", "PC3"]
    for seed in range(50):
        at, device = stage.moment(Random(seed))
        assert 0.5 <= at <= 7
        assert stage.runs(device, at) or device != "PC2" or at <= 2


def test_a_spell_begins_and_ends() -> None:
    stage = Stage(8.0)
    stage.spell(1.234, "kill_server", "start_server", 0.5)
    assert list(map(str, stage.steps)) == [
        "at 1.23 s: the server is killed",
        "at 1.73 s: the server starts",
    ]
