"""Rigs of the dialects that are spoken over a broker: Zigbee2MQTT, Sparkplug B, ChirpStack and The Things Stack."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import aiomqtt

from drivers.ports import Command, Driver, Reading, SensorOrder, SpotReading, TellSensor
from drivers.registry import make_driver
from simulators.broker import Broker
from simulators.wire import zigbee_bridge
from simulators.wire.envelopes import Published, Transmission, chirpstack_up, things_stack_up
from simulators.wire.network_server import NetworkServerWire
from simulators.wire.sensor_frames import SensorState, milesight_udl
from simulators.wire.sparkplug_node import SparkplugNode

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)


class BrokerRig:
    """What all of them share: the wire is the broker."""

    driver: Driver
    command: Command | None = None
    rubbish = b"\xff\xfe{]"
    keeps_rubbish = True
    rubbish_topic = "somewhere"

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def lose(self) -> None:
        self.broker.stop()

    def bring_back(self) -> None:
        self.broker.start()

    async def talk_rubbish(self) -> None:
        await self.publish(Published(self.rubbish_topic, self.rubbish))

    async def publish(self, *messages: Published) -> None:
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            for message in messages:
                await client.publish(message.topic, message.body, qos=1, retain=message.retain)

    def table(self, **settings: object) -> dict[str, object]:
        return {"host": self.broker.host, "port": self.broker.port, "alive_every_s": 0.2, **settings}


class ZigbeeRig(BrokerRig):
    """One sensor of a bridge; the time at which it was seen tells its words apart."""

    rubbish_topic = "zigbee2mqtt/spot-1"

    def __init__(self, broker: Broker, **settings: object) -> None:
        super().__init__(broker)
        self.driver = make_driver("zigbee2mqtt", "indoors", self.table(sensors=["spot-*"], **settings))

    async def speak(self, word: int) -> None:
        at = AT + timedelta(seconds=word)
        await self.publish(zigbee_bridge.occupancy("spot-1", occupied=bool(word % 2), seen_at=at))

    def said(self, reading: Reading, word: int) -> bool:
        at = AT + timedelta(seconds=word)
        return isinstance(reading, SpotReading) and (reading.occupied, reading.occurred_at) == (
            bool(word % 2),
            at,
        )


class SparkplugRig(BrokerRig):
    """A node that is born before each word, for it does not listen whether it is asked to be; its clock is the word that it speaks."""

    rubbish_topic = "spBv1.0/parking/NDATA/garage"

    def __init__(self, broker: Broker, **settings: object) -> None:
        super().__init__(broker)
        self._word = 0
        self.node = SparkplugNode(now_ms=lambda: int(AT.timestamp() * 1000) + self._word)
        table = self.table(spots=["spot/*/occupied"], host_application="lot-7", **settings)
        self.driver = make_driver("sparkplug", "levels", table)

    async def speak(self, word: int) -> None:
        self._word = word
        await self.publish(*self.node.birth(), self.node.data("A1", taken=bool(word % 2)))

    def said(self, reading: Reading, word: int) -> bool:
        at = AT + timedelta(milliseconds=word)
        return (
            isinstance(reading, SpotReading)
            and reading.device == "parking/garage/level-1/spot/A1/occupied"
            and (reading.occupied, reading.occurred_at) == (bool(word % 2), at)
        )


class LorawanRig(BrokerRig):
    """One ceiling sensor of a network server; the frame counter tells its words apart."""

    EUI = "24e124713b493000"

    def __init__(self, broker: Broker, format_name: str, **settings: object) -> None:
        super().__init__(broker)
        self.wire = NetworkServerWire(format_name)
        self._wrap = {"chirpstack": chirpstack_up, "tts": things_stack_up}[format_name]
        self.order = TellSensor(device=self.EUI, order=SensorOrder.REPORT_EVERY, seconds=1_200)
        self.command = self.order
        topics = {"chirpstack": "application/+/device/+/event/up", "tts": "v3/+/devices/+/up"}
        self.rubbish_topic = topics[format_name].replace("+", "x")
        table = self.table(
            format=format_name,
            topics=[topics[format_name]],
            decoder="milesight/udl",
            downlinks=True,
            occupied_within_mm=1_000,
            **settings,
        )
        self.driver = make_driver("mqtt", "ceiling", table)

    def lose(self) -> None:
        self.wire.stop()
        super().lose()

    def bring_back(self) -> None:
        super().bring_back()
        self.wire.start(self.broker.host, self.broker.port)

    async def speak(self, word: int) -> None:
        state = SensorState(occupied=bool(word % 2), sequence=word, sent_at=AT)
        sent = Transmission(
            device_eui=self.EUI,
            device="milesight/udl",
            frame=milesight_udl(state),
            f_cnt=word,
            received_at=AT + timedelta(seconds=word),
            identity="session",
        )
        await self.publish(self._wrap(sent))

    def said(self, reading: Reading, word: int) -> bool:
        at = AT + timedelta(seconds=word)
        return (
            isinstance(reading, SpotReading)
            and reading.device == self.EUI
            and (reading.occupied, reading.occurred_at) == (bool(word % 2), at)
        )


def wall_ms() -> int:
    return time.time_ns() // 1_000_000
