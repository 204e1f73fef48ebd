"""One seed: streams of chance that do not disturb each other, weather, a clock on the wall."""

from client_sim.history import SERVER, Complaint, Fault
from tests.client_sim.pretend.rooms import told, world


def test_a_stream_depends_on_the_seed_and_its_name_only() -> None:
    one, other = world(7), world(7)
    other.chance("line phone").random()
    assert one.chance("disk").random() == other.chance("disk").random()
    assert world(7).chance("disk").random() != world(8).chance("disk").random()
    assert world(7).chance("disk").random() != world(7).chance("poll").random()


def test_a_stream_goes_on_where_it_was() -> None:
    here = world()
    assert here.chance("disk").random() != here.chance("disk").random()


def test_weather_that_is_certain_always_comes_and_is_told() -> None:
    here = world(weather={"wake_lost": 1.0})
    assert here.befalls("wake_lost", "alice")
    assert not here.befalls("wake_late", "alice")
    assert told(here.history, Fault) == [
        Fault(at=0.0, by=SERVER, kind="wake_lost", target="alice", detail="by chance")
    ]
    assert here.faults == {"wake_lost": 1}


def test_one_fault_draws_nothing_from_another() -> None:
    both = world(3, {"wake_lost": 0.5, "wake_late": 0.5})
    alone = world(3, {"wake_lost": 0.5})
    seen = []
    for _ in range(50):
        both.befalls("wake_late", "alice")
        seen.append(both.befalls("wake_lost", "alice"))
    assert seen == [alone.befalls("wake_lost", "alice") for _ in range(50)]


def test_the_clock_on_the_wall_may_jump() -> None:
    here = world()
    before = here.wall_ms()
    here.jump(-60)
    assert here.wall_ms() == before - 60_000


def test_nothing_is_told_after_the_end() -> None:
    here = world()
    here.complain("in time")
    here.end()
    here.complain("too late")
    assert [each.text for each in told(here.history, Complaint)] == ["in time"]
