"""Moments become steps: joined, paced, without the goodbyes of the end."""

from client_sim.retelling.acts import PAUSE_MAX_S, RUN_LEAST_S, act, paced


def said(*acts: object, **options: bool) -> list[str]:
    return [str(step) for step in paced(acts, 0.0, **options)]  # type: ignore[arg-type]


def send(at: float, device: str = "PC1") -> object:
    return act(at, "send", device=device, count=1, address="bob")


def test_what_is_sent_in_one_go_is_one_sentence() -> None:
    assert said(send(5.0), send(5.01), send(5.02, "PC2"), send(5.03)) == [
        "at 0 s: PC1 sends 2 to bob",
        "at 0.02 s: PC2 sends 1 to bob",
        "at 0.03 s: PC1 sends 1 to bob",
    ]


def test_long_pauses_are_shortened_unless_they_are_kept() -> None:
    acts = send(100.0), send(160.0), send(160.5)
    assert [step.at for step in paced(acts, 2.0)] == [2.0, 2.0 + PAUSE_MAX_S, 3.5]  # type: ignore[arg-type]
    assert [step.at for step in paced(acts, 2.0, keep_times=True)] == [2.0, 62.0, 62.5]  # type: ignore[arg-type]


def test_who_was_there_shortly_was_there() -> None:
    begin, end = act(1.0, "log_in", device="PC1"), act(1.01, "kill", device="PC1")
    moments = [step.at for step in paced((begin, end, send(1.02, "PC2")), 0.0)]  # type: ignore[arg-type]
    assert moments == [0.0, RUN_LEAST_S, RUN_LEAST_S + 0.01]


def test_the_end_of_everything_is_left_out() -> None:
    acts = send(1.0), act(2.0, "log_out", device="PC1"), act(3.0, "stop_server")
    assert len(said(*acts)) == 1
    assert said() == []
