"""The small MQTT client against a real broker."""

from collections.abc import Iterator

import pytest

from client_sim.foreign.mosquitto import Mosquitto
from client_sim.foreign.mqtt import MqttConnection
from client_sim.foreign.serving import Failed
from tests.client_sim.foreign.peers import needs

pytestmark = needs("mosquitto")
PATIENCE_S = 5.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    broker = Mosquitto()
    yield broker.port
    broker.shut()


@pytest.mark.parametrize("size", [0, 100, 127, 128, 20_000, 3_000_000])
def test_messages_of_any_length_arrive_whole(port: int, size: int) -> None:
    connection = MqttConnection(port, f"sized-{size}", f"topic-{size}")
    connection.publish(f"topic-{size}", b"x" * size)
    [arrived] = connection.received(PATIENCE_S)
    assert arrived.payload == b"x" * size
    connection.confirm(arrived.number)
    connection.close()


def test_what_was_not_confirmed_comes_again_and_the_rest_does_not(port: int) -> None:
    connection = MqttConnection(port, "again", "again")
    connection.publish("again", b"one")
    connection.publish("again", b"two")
    arrived = connection.received(PATIENCE_S)
    while len(arrived) < 2:
        arrived += connection.received(PATIENCE_S)
    connection.confirm(arrived[0].number)
    connection.publish("elsewhere", b"the broker has read the confirmation, too")
    connection.cut()
    back = MqttConnection(port, "again", "again")
    assert [each.payload for each in back.received(PATIENCE_S)] == [b"two"]
    back.close()


def test_a_broker_that_is_gone_is_told() -> None:
    broker = Mosquitto()
    connection = MqttConnection(broker.port, "left", "left")
    broker.shut()
    with pytest.raises((Failed, OSError)):
        connection.publish("left", b"alone")
    connection.cut()
