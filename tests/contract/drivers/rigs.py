"""One rig for each driver: the driver, its simulated device on a real wire, and how to make that device speak."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import aiomqtt

from drivers.ports import (
    Command,
    Condition,
    ConditionReading,
    Driver,
    Input,
    InputReading,
    Move,
    MoveArm,
    PrintSlip,
    Reading,
    TakePayment,
)
from drivers.printer.status import PrinterStyle
from drivers.registry import make_driver
from simulators.barrier import Barrier
from simulators.broker import Broker
from simulators.wire.escpos_printer import EscposPrinterWire
from simulators.wire.gpio_board import GpioBoardWire
from simulators.wire.modbus_barrier import ModbusBarrierBus
from simulators.wire.payment_terminal import PaymentTerminalWire
from simulators.wire.pty import Pty
from simulators.wire.serial_reader import SerialReaderWire


class Rig(Protocol):
    """What the contract needs of each driver's world."""

    driver: Driver
    command: Command | None
    rubbish: bytes
    keeps_rubbish: bool

    def lose(self) -> None:
        """The wire is gone."""

    def bring_back(self) -> None:
        """The wire is there."""

    async def speak(self, word: int) -> None:
        """Make the device say something that it said not yet."""

    async def talk_rubbish(self) -> None:
        """Make the device say what its protocol cannot say."""

    def said(self, reading: Reading, word: int) -> bool:
        """Tell whether a reading is what `speak(word)` said."""


class BarrierRig:
    """Three units on one bus; the first one's arming loop speaks. Noise on a bus is passed over."""

    rubbish = b"\x01\x02\xff" * 40
    keeps_rubbish = False

    def __init__(self, folder: Path, **settings: object) -> None:
        self.barriers = {1: Barrier(travel_s=0.05), 2: Barrier(travel_s=0.05), 3: Barrier(travel_s=0.05)}
        self.pty = Pty(folder / "barrier")
        self.wire = ModbusBarrierBus(self.pty, self.barriers, monotonic=time.monotonic)
        table = {
            "port": str(self.pty.link),
            "baud": 115_200,
            "units": {"north": 1, "south": 2, "west": 3},
            **settings,
        }
        self.driver = make_driver("modbus_barrier", "bus", table)
        self.command: Command | None = MoveArm(device="north", move=Move.OPEN)

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.barriers[1].arming_loop(word % 2)

    async def talk_rubbish(self) -> None:
        self.pty.write(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        return (
            isinstance(reading, InputReading)
            and reading.device == "north"
            and reading.closed[Input.ARMING_LOOP] is bool(word % 2)
        )


class ReaderRig:
    """A scanner with CR at the end."""

    command: Command | None = None
    rubbish = b"\xff\xfe\x00"
    keeps_rubbish = True

    def __init__(self, folder: Path) -> None:
        self.pty = Pty(folder / "reader")
        self.wire = SerialReaderWire(self.pty)
        self.driver = make_driver("serial_reader", "north-reader", {"port": str(self.pty.link)})

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        assert self.wire.scan(f"CODE {word} ")

    async def talk_rubbish(self) -> None:
        assert self.wire.rubbish(self.rubbish + b"\r")

    def said(self, reading: Reading, word: int) -> bool:
        return getattr(reading, "text", None) == f"CODE {word} "


class GpioRig:
    """One gate on pins; a contact that chatters and ends as it was says nothing."""

    rubbish = b"chatter"
    keeps_rubbish = False
    ARMING_LOOP, SAFETY_LOOP, FIRE_ALARM, OPEN, CLOSE, LAMP = 17, 27, 22, 5, 6, 13

    def __init__(self, _folder: Path, **settings: object) -> None:
        self.wire = GpioBoardWire()
        gate = {
            "inputs": {"arming_loop": self.ARMING_LOOP, "safety_loop": self.SAFETY_LOOP},
            "relays": {"open": self.OPEN, "close": self.CLOSE},
            "lamps": {"full": self.LAMP},
        }
        house = {"inputs": {"fire_alarm": self.FIRE_ALARM}, "inverted": ["fire_alarm"]}
        table = {"factory": "mock", "look_ms": 20, "units": {"gate": gate, "house": house}, **settings}
        self.driver = make_driver("gpio", "pins", table)
        self.command: Command | None = MoveArm(device="gate", move=Move.OPEN)

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.wire.contact(self.ARMING_LOOP, closed=bool(word % 2))

    async def talk_rubbish(self) -> None:
        self.wire.chatter(self.ARMING_LOOP, times=20)

    def said(self, reading: Reading, word: int) -> bool:
        return (
            isinstance(reading, InputReading)
            and reading.device == "gate"
            and reading.closed[Input.ARMING_LOOP] is bool(word % 2)
        )


class PrinterRig:
    """A printer whose roll runs low and is changed."""

    rubbish = b"\xff\xfe\xee"
    keeps_rubbish = True

    def __init__(self, folder: Path, **settings: object) -> None:
        self.pty = Pty(folder / "printer")
        self.wire = EscposPrinterWire(self.pty, PrinterStyle(str(settings.get("style", "epson"))))
        table = {"port": str(self.pty.link), "baud": 115_200, "ask_every_s": 0.05, **settings}
        self.driver = make_driver("ticket_printer", "north-printer", table)
        self.command: Command | None = PrintSlip(
            device="north-printer", title="Station Yard", lines=("Entry 12:30",), code="NCFOXN"
        )

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.wire.becomes(*([Condition.PAPER_LOW] if word % 2 else []))

    async def talk_rubbish(self) -> None:
        self.wire.rubbish(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        low = frozenset({Condition.PAPER_LOW} if word % 2 else ())
        return isinstance(reading, ConditionReading) and reading.conditions == low


class TerminalRig:
    """A terminal says nothing by itself; its word is a sign of life, and the line that it does not know."""

    rubbish = b"\xff\xfe{]"
    keeps_rubbish = True

    def __init__(self, folder: Path) -> None:
        self.pty = Pty(folder / "terminal")
        self.wire = PaymentTerminalWire(self.pty)
        table = {"port": str(self.pty.link), "ping_every_s": 0.05}
        self.driver = make_driver("payment_terminal", "till", table)
        self.command: Command | None = TakePayment(device="till", key="k", amount_minor=450, currency="EUR")

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.pty.write(f"word {word}\n".encode())

    async def talk_rubbish(self) -> None:
        self.pty.write(self.rubbish + b"\n")

    def said(self, reading: Reading, word: int) -> bool:
        return getattr(reading, "raw", b"") == f"word {word}".encode()


class MqttRig:
    """Plain JSON over a broker of our own."""

    command: Command | None = None
    rubbish = b'{"taken": "perhaps"}'
    keeps_rubbish = True

    def __init__(self, broker: Broker, **settings: object) -> None:
        self.broker = broker
        places: Mapping[str, object] = {"device": "$topic[1]", "occupied": "$.taken", "key": "$.n"}
        table = {
            "host": broker.host,
            "port": broker.port,
            "topics": ["spots/#"],
            "format": "json",
            "json": places,
            "alive_every_s": 0.2,
            **settings,
        }
        self.driver = make_driver("mqtt", "sensors", table)

    def lose(self) -> None:
        self.broker.stop()

    def bring_back(self) -> None:
        self.broker.start()

    async def speak(self, word: int) -> None:
        await self.publish([json.dumps({"taken": True, "n": word}).encode()])

    async def publish(self, bodies: list[bytes], *, qos: int = 1) -> None:
        async with aiomqtt.Client(self.broker.host, self.broker.port) as client:
            client.pending_calls_threshold = len(bodies)
            await asyncio.gather(*(client.publish("spots/7", body, qos=qos) for body in bodies))

    async def talk_rubbish(self) -> None:
        await self.publish([self.rubbish])

    def said(self, reading: Reading, word: int) -> bool:
        return getattr(reading, "key", None) == str(word)
