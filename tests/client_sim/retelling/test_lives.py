"""What explains the sockets of a device best."""

from client_sim.history import Record
from client_sim.retelling.lives import lived
from tests.client_sim.retelling.told import ack, batch, closed, connect, server


def life(*records: Record) -> list[tuple[float, str]]:
    acts = lived("PC1", "id-PC1", records)
    return [(each.at, each.verb) for each in sorted(acts, key=lambda each: each.at)]


def test_another_instance_is_another_run_of_the_app() -> None:
    told = life(
        *connect(1.0, "PC1", 1),
        closed(2.0, "PC1", 1, "goodbye"),
        *connect(3.0, "PC1", 2, run="run2"),
        closed(4.0, "PC1", 2),
        *connect(5.0, "PC1", 3, run="run3"),
    )
    assert told == [
        (1.0, "log_in"),
        (2.0, "log_out"),
        (3.0, "log_in"),
        (4.0, "kill"),
        (5.0, "log_in"),
    ]


def test_the_same_instance_came_back_over_a_new_line() -> None:
    told = life(
        *connect(1.0, "PC1", 1),
        closed(2.0, "PC1", 1),
        *connect(2.1, "PC1", 2),
        closed(3.0, "PC1", 2),
        *connect(9.0, "PC1", 3),
        *connect(11.0, "PC1", 4),
        closed(11.0, "PC1", 3, "fenced"),
        closed(12.0, "PC1", 4, "storage_unavailable"),
        *connect(12.1, "PC1", 5),
    )
    assert told == [
        (1.0, "log_in"),
        (2.0, "cut"),
        (3.0, "unplug"),
        (3.0, "cut"),
        (9.0, "plug"),
        (9.0, "unplug"),
        (11.0, "plug"),
    ]


def test_a_device_that_never_came_back_died() -> None:
    assert life(*connect(1.0, "PC1", 1), closed(2.0, "PC1", 1)) == [(1.0, "log_in"), (2.0, "kill")]


def test_with_the_server_its_sockets_end() -> None:
    told = life(
        server(0.0, "started"),
        *connect(1.0, "PC1", 1),
        server(2.0, "started"),
        *connect(3.0, "PC1", 2),
    )
    assert told == [(1.0, "log_in")]


def test_a_store_that_holds_less_was_lost_or_set_back() -> None:
    told = life(
        *connect(1.0, "PC1", 1),
        batch(2.0, "PC1", 1, 0, 3),
        ack(2.1, "PC1", 1, 3),
        batch(4.0, "PC1", 1, 3, 2),
        ack(4.1, "PC1", 1, 5),
        closed(5.0, "PC1", 1, "goodbye"),
        *connect(6.0, "PC1", 2, run="run2", seq=3),
        closed(7.0, "PC1", 2, "goodbye"),
        *connect(8.0, "PC1", 3, run="run3"),
    )
    assert told == [
        (1.0, "log_in"),
        (2.5, "copy"),
        (5.0, "log_out"),
        (6.0, "set_back"),
        (6.0, "log_in"),
        (7.0, "log_out"),
        (8.0, "forget"),
        (8.0, "log_in"),
    ]


def test_who_acknowledges_nothing_does_not_read() -> None:
    told = life(
        *connect(1.0, "PC1", 1),
        batch(2.0, "PC1", 1, 0, 3),
        ack(2.1, "PC1", 1, 3),
        batch(3.0, "PC1", 1, 3, 3),
        batch(3.1, "PC1", 1, 6, 3),
        ack(8.0, "PC1", 1, 9),
        batch(9.0, "PC1", 1, 9, 1),
        closed(9.5, "PC1", 1, "slow_reader"),
        *connect(9.6, "PC1", 2, seq=9),
    )
    assert told == [
        (1.0, "log_in"),
        (3.0, "stall"),
        (8.0, "unstall"),
        (9.0, "stall"),
        (9.5, "unstall"),
    ]
