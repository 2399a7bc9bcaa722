from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulators.network import Direction
from simulators.wire.mqtt_tap import MqttTap

# MQTT Version 5.0: CONNECT with protocol level 5; PUBLISH at QoS 1, identifier 7, no properties; PUBACK of 7
CONNECT_5 = bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([5, 2, 0, 30, 0, 0, 0])
PUBLISH_7 = bytes([0x32, 2 + 3 + 2 + 1 + 4, 0, 3]) + b"a/b" + bytes([0, 7, 0]) + b"body"
PUBACK_7 = bytes([0x40, 2, 0, 7])
PINGREQ = bytes([0xC0, 0])


def in_pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        yield data[start:end]


@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_an_acknowledged_message_is_told_once_however_the_bytes_are_cut(cuts: list[int]) -> None:
    told: list[tuple[str, bytes]] = []
    filters = MqttTap(lambda topic, body: told.append((topic, body))).filters()
    passed = b"".join(filters[Direction.UP](piece) for piece in in_pieces(CONNECT_5, cuts))
    assert b"".join(filters[Direction.DOWN](piece) for piece in in_pieces(PUBLISH_7, cuts)) == PUBLISH_7
    assert told == []
    passed += b"".join(filters[Direction.UP](piece) for piece in in_pieces(PUBACK_7 + PINGREQ, cuts))
    assert passed == CONNECT_5 + PUBACK_7 + PINGREQ
    assert told == [("a/b", b"body")]


def test_dropped_acknowledgements_never_reach_the_broker_and_everything_else_does() -> None:
    told: list[str] = []
    dropped: list[bytes] = []
    tap = MqttTap(lambda topic, _body: told.append(topic), lambda _topic, body: dropped.append(body))
    filters = tap.filters()
    filters[Direction.UP](CONNECT_5)
    filters[Direction.DOWN](PUBLISH_7)
    tap.drops_acknowledgements = True
    assert filters[Direction.UP](PINGREQ + PUBACK_7 + PINGREQ) == PINGREQ + PINGREQ
    assert (told, dropped) == ([], [b"body"])
