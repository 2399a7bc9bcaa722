"""Three signs on three wires, for the contract suite and for their own tests."""

from __future__ import annotations

from pathlib import Path

import aiomqtt

from drivers.ports import Command, Condition, ConditionReading, MalformedReading, Reading, ShowPlaces
from drivers.registry import make_driver
from drivers.sign.framing import FrameSettings
from simulators.broker import Broker
from simulators.wire.pty import Pty
from simulators.wire.sign import ModbusSignWire, SerialSignWire

PICTURE = ShowPlaces(device="sign", free={"regular": 12, "ev": 0}, taken={"A-1": True, "A-2": False})


class SerialSignRig:
    """A sign that says what it likes besides its ACK."""

    rubbish = b"\xff\xfe"
    keeps_rubbish = True
    FRAME = FrameSettings(checksum="xor")

    def __init__(self, folder: Path, **settings: object) -> None:
        self.pty = Pty(folder / "sign")
        self.wire = SerialSignWire(self.pty, self.FRAME)
        table = {
            "over": "serial",
            "port": str(self.pty.link),
            "baud": 115_200,
            "frame": {"checksum": "xor"},
            "answers": "ack",
            "outputs": [
                {"shows": "free", "at": "1"},
                {"shows": "free:ev", "at": "2"},
                {"shows": "spot:A-1", "at": "3"},
            ],
            "words": {"zero": "FULL"},
            **settings,
        }
        self.driver = make_driver("sign", "sign", table)
        self.command: Command | None = PICTURE

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.wire.say(f"word {word}.".encode())

    async def talk_rubbish(self) -> None:
        self.wire.say(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        return isinstance(reading, MalformedReading) and f"word {word}.".encode() in reading.raw


class ModbusSignRig:
    """A sign that is asked what it shows, and answers that it cannot."""

    rubbish = b"\x01\x02\xff" * 40
    keeps_rubbish = False

    def __init__(self, folder: Path, **settings: object) -> None:
        self.pty = Pty(folder / "sign")
        self.wire = ModbusSignWire(self.pty, 9)
        table = {
            "over": "modbus",
            "port": str(self.pty.link),
            "baud": 115_200,
            "unit": 9,
            "check_every_s": 0.05,
            "outputs": [
                {"shows": "free:regular", "at": "register 10"},
                {"shows": "full:ev", "at": "coil 3"},
                {"shows": "spot:A-2", "at": "coil 4"},
            ],
            **settings,
        }
        self.driver = make_driver("sign", "sign", table)
        self.command: Command | None = PICTURE

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.wire.refuse = not word % 2

    async def talk_rubbish(self) -> None:
        self.pty.write(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        wanted = frozenset(() if word % 2 else {Condition.FAULT})
        return isinstance(reading, ConditionReading) and reading.conditions == wanted


class MqttSignRig:
    """A sign at a broker of our own that says whether it is there."""

    rubbish = b"perhaps"
    keeps_rubbish = True

    def __init__(self, broker: Broker, **settings: object) -> None:
        self.broker = broker
        table = {
            "over": "mqtt",
            "host": broker.host,
            "port": broker.port,
            "topics": ["signs/north/state"],
            "check_every_s": 0.1,
            "payload": '{"show": "$value"}',
            "outputs": [
                {"shows": "free", "at": "signs/north/free"},
                {"shows": "full:ev", "at": "signs/north/ev"},
            ],
            "words": {"yes": "FULL", "no": "FREE"},
            **settings,
        }
        self.driver = make_driver("sign", "sign", table)
        self.command: Command | None = PICTURE

    def lose(self) -> None:
        self.broker.stop()

    def bring_back(self) -> None:
        self.broker.start()

    async def say(self, body: bytes) -> None:
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            await client.publish("signs/north/state", body, qos=1)

    async def speak(self, word: int) -> None:
        await self.say(f"word {word}.".encode())

    async def talk_rubbish(self) -> None:
        await self.say(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        return isinstance(reading, MalformedReading) and f"word {word}.".encode() in reading.raw
