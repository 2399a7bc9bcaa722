"""Barrier controllers on one RS-485 bus. Story "walk-in", next file: edge/translation.py.

Theory. One instance is one serial port with one or more units. Units are polled in turn, each `poll_ms`; their turns are
spread over the period. A reading goes out when a unit's contacts changed or it answered for the first time. A contact is
known for `known_ms` after the answer that told it: then the reading says None for all contacts, once, and the unit is
only probed each `probe_ms`, so that one dead controller costs the others one time-out per probe and not one per
poll. A command takes the next turn on the bus: it waits for the one transaction that is under way, never for a round.
Before an arm is driven down its safety loop is read once more, in the same turn: occupied, the command is refused here.
When the driver ends, for whatever reason, nothing is known any more, and it says so.

Register map (each setting can be changed): coils 0 open, 1 close, 2 stop, 3 watchdog; discrete inputs 0 arm down, 1 arm
up, 2 arming loop, 3 safety loop, 4 button, 5 fault. A controller with a register to spare remembers the highest epoch of a gateway in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, model_validator
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, WriteSingleRegisterRequest

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.modbus.bus import BITS_PER_CHARACTER, Bus, Turn, silence_s
from drivers.ports import Command, Done, Driver, Input, InputReading, Move, MoveArm, RememberEpoch, Sink
from drivers.serial_port.port import LineSettings
from drivers.settings import DriverSettings, read_settings

MOST_EPOCHS = 0xFFFF
POLL_CHARACTERS = 8 + 6  # a read request of 8 bytes and its answer of 6, for up to 8 contacts

UnitId = Annotated[int, Field(ge=1, le=247)]
Address = Annotated[int, Field(ge=0, le=65_535)]


class CoilSettings(DriverSettings):
    """Where the controller takes its commands; None: it has no such coil."""

    open: Address = 0
    close: Address | None = 1
    stop: Address | None = 2
    watchdog: Address | None = 3


class InputSettings(DriverSettings):
    """Where the controller shows its contacts; None: it has no such contact."""

    arm_down: Address | None = 0
    arm_up: Address | None = 1
    arming_loop: Address | None = 2
    safety_loop: Address | None = 3
    button: Address | None = 4
    fault: Address | None = 5
    call_button: Address | None = None
    fire_alarm: Address | None = None
    mains_failure: Address | None = None

    def addresses(self) -> dict[Input, int]:
        """Return the contacts that exist."""
        found = {name: getattr(self, name.value) for name in Input}
        return {name: address for name, address in found.items() if address is not None}


class BarrierSettings(LineSettings):
    """The table of a Modbus barrier bus."""

    units: dict[str, UnitId] = Field(
        min_length=1, description="each controller's name and its unit id (1 to 247) on this bus"
    )
    poll_ms: int = Field(
        default=40, ge=5, le=1_000, description="milliseconds between two polls of a unit, 5 to 1000"
    )
    answer_ms: int = Field(
        default=30, ge=2, le=1_000, description="milliseconds that a unit may take to answer a poll"
    )
    command_ms: int = Field(
        default=60, ge=2, le=1_000, description="milliseconds that a unit may take to answer a command"
    )
    known_ms: int = Field(
        default=100, ge=20, le=5_000, description="milliseconds for which an answer counts as known"
    )
    probe_ms: int = Field(
        default=500, ge=50, le=60_000, description="milliseconds between probes of a silent unit"
    )
    watchdog_ms: int = Field(
        default=1_000, ge=50, le=60_000, description="milliseconds between toggles of the watchdog"
    )
    coils: CoilSettings = Field(
        default=CoilSettings(), description="coil addresses of open, close, stop, watchdog"
    )
    inputs: InputSettings = Field(default=InputSettings(), description="discrete input addresses, by contact")
    epoch_register: Address | None = Field(
        default=None,
        description="a holding register, 0 when new, in which each controller remembers the gateway's epoch",
    )
    inverted: frozenset[Input] = Field(
        default=frozenset(), description="contacts that are open where others close"
    )

    @model_validator(mode="after")
    def _the_bus_is_fast_enough(self) -> BarrierSettings:
        needed_ms = (
            1_000
            * len(self.units)
            * (POLL_CHARACTERS * BITS_PER_CHARACTER / self.baud + 2 * silence_s(self.baud))
        )
        if needed_ms > self.known_ms:
            raise ValueError(
                f"{len(self.units)} units at {self.baud} baud need {needed_ms:.0f} ms a round, an answer counts for "
                f"{self.known_ms} ms: raise baud or use another bus"
            )
        if len(set(self.units.values())) < len(self.units):
            raise ValueError("two units share one unit id")
        return self


@dataclass(slots=True)
class _Unit:
    """What is known of one controller; instants in the loop's monotonic seconds.

    `known_until` is None once it was said that nothing is known; a unit that has not answered yet has its time, too.
    """

    name: str
    unit_id: int
    due_at: float
    watchdog_at: float
    known_until: float | None
    watchdog: bool = False
    closed: dict[Input, bool | None] = field(default_factory=dict)


class ModbusBarrier:
    """The driver of one bus."""

    def __init__(self, settings: BarrierSettings) -> None:
        self._settings = settings
        self._addresses = settings.inputs.addresses()
        self._first = min(self._addresses.values(), default=0)
        self._count = max(self._addresses.values(), default=0) - self._first + 1
        self._bus: Bus | None = None

    async def run(self, sink: Sink) -> None:
        """Poll until cancelled, see `Driver.run`."""
        bus = Bus(self._settings)
        units = self._units(asyncio.get_running_loop().time())
        self._bus = bus
        try:
            while True:
                await self._next_turn(bus, units, sink)
        finally:
            self._bus = None
            bus.close()
            now = asyncio.get_running_loop().time()
            for unit in units:
                self._tell_unknown(unit, sink, now)

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Write the coil of a move and verify its echo, or the epoch's register, see `Driver.command`."""
        if isinstance(command, RememberEpoch):
            return await self._remember(command, timeout_s)
        if not isinstance(command, MoveArm) or command.device not in self._settings.units:
            raise CommandRefused(f"nobody on this bus can do {command}")
        coil = self._coil(command.move)
        return await self._in_turn(
            timeout_s, command.device, lambda turn: self._move(turn, command.device, command.move, coil)
        )

    async def _remember(self, command: RememberEpoch, timeout_s: float) -> Done:
        register, device = self._settings.epoch_register, command.device
        if register is None or device not in self._settings.units or not 0 <= command.epoch <= MOST_EPOCHS:
            raise CommandRefused(f"nobody on this bus can do {command}")
        unit, within_s = self._settings.units[device], self._settings.command_ms / 1_000

        async def work(turn: Turn) -> Done:
            read = ReadHoldingRegistersRequest(address=register, count=1, dev_id=unit)
            remembered = (await turn.ask(read, within_s=within_s)).registers[0]
            if remembered < command.epoch:
                write = WriteSingleRegisterRequest(address=register, registers=[command.epoch], dev_id=unit)
                echo = await turn.ask(write, within_s=within_s)
                if (echo.address, echo.registers) != (register, [command.epoch]):
                    raise CommandUnanswered(f"{device} echoed another register: who knows what it keeps")
            return Done(reference=str(remembered))

        return await self._in_turn(timeout_s, device, work)

    async def _in_turn(self, timeout_s: float, device: str, work: Callable[[Turn], Awaitable[Done]]) -> Done:
        """Do something that belongs together in one turn on the bus.

        Raises:
            DeviceUnreachable: the bus is not open.
            CommandUnanswered: nothing came back in time.
        """
        if self._bus is None:
            raise DeviceUnreachable(f"{self._settings.port} is not open")
        try:
            async with asyncio.timeout(timeout_s), self._bus.turn() as turn:
                return await work(turn)
        except TimeoutError:
            raise CommandUnanswered(f"{device} did not answer within {timeout_s} s") from None

    async def _move(self, turn: Turn, device: str, move: Move, coil: int) -> Done:
        if move is Move.CLOSE:
            await self._refuse_where_occupied(turn, device)
        return await self._write(turn, device, coil)

    async def _refuse_where_occupied(self, turn: Turn, device: str) -> None:
        """Read the safety loop once more, in the turn of the command: the last poll may be `poll_ms` old."""
        request = self._read_request(self._settings.units[device])
        answer = await turn.ask(request, within_s=self._settings.command_ms / 1_000)
        if self._closed(answer).get(Input.SAFETY_LOOP):
            raise CommandRefused(f"the safety loop of {device} is occupied")

    async def _write(self, turn: Turn, device: str, coil: int) -> Done:
        request = WriteSingleCoilRequest(address=coil, bits=[True], dev_id=self._settings.units[device])
        echo = await turn.ask(request, within_s=self._settings.command_ms / 1_000)
        if (echo.address, echo.bits) != (coil, [True]):
            raise CommandUnanswered(f"{device} echoed another coil: it is not known what it did")
        return Done()

    def _read_request(self, unit_id: int) -> ModbusPDU:
        return ReadDiscreteInputsRequest(address=self._first, count=self._count, dev_id=unit_id)

    def _closed(self, answer: ModbusPDU) -> dict[Input, bool | None]:
        """Return the contacts in an answer.

        Raises:
            CommandUnanswered: it tells fewer contacts than were asked for.
        """
        if len(answer.bits) < self._count:
            raise CommandUnanswered(f"unit {answer.dev_id} told fewer contacts than asked")
        inverted = self._settings.inverted
        return {
            name: answer.bits[address - self._first] is not (name in inverted)
            for name, address in self._addresses.items()
        }

    def _coil(self, move: Move) -> int:
        coils = self._settings.coils
        coil = {Move.OPEN: coils.open, Move.CLOSE: coils.close, Move.STOP: coils.stop}[move]
        if coil is None:
            raise CommandRefused(f"this controller has no coil to {move}")
        return coil

    def _units(self, now: float) -> list[_Unit]:
        """Return the units with their first turns spread over one period."""
        step_s = self._settings.poll_ms / 1_000 / len(self._settings.units)
        known_until = now + self._settings.known_ms / 1_000
        return [
            _Unit(
                name=name,
                unit_id=unit_id,
                due_at=now + place * step_s,
                watchdog_at=now,
                known_until=known_until,
            )
            for place, (name, unit_id) in enumerate(self._settings.units.items())
        ]

    async def _next_turn(self, bus: Bus, units: list[_Unit], sink: Sink) -> None:
        """Tell what is no longer known, then poll the unit whose turn it is, or wait for one."""
        now = asyncio.get_running_loop().time()
        for unit in units:
            if unit.known_until is not None and unit.known_until <= now:
                self._tell_unknown(unit, sink, now)
        unit = min(units, key=lambda each: each.due_at)
        if unit.due_at <= now:
            await self._poll(bus, unit, sink)
            return
        known = [each.known_until for each in units if each.known_until is not None]
        next_at = min(unit.due_at, min(known, default=unit.due_at))
        await asyncio.wait({bus.lost}, timeout=next_at - now)
        if bus.lost.done():
            bus.lost.result()

    async def _poll(self, bus: Bus, unit: _Unit, sink: Sink) -> None:
        try:
            request = self._read_request(unit.unit_id)
            closed = self._closed(await bus.ask(request, within_s=self._settings.answer_ms / 1_000))
        except (CommandUnanswered, CommandRefused):
            self._schedule(unit, asyncio.get_running_loop().time())
            return
        now = asyncio.get_running_loop().time()
        unit.known_until = now + self._settings.known_ms / 1_000
        sink.alive()
        if closed != unit.closed:
            unit.closed = closed
            sink.deliver(InputReading(device=unit.name, closed=closed, read_at=now))
        await self._pat(bus, unit, now)
        self._schedule(unit, now)

    def _schedule(self, unit: _Unit, now: float) -> None:
        if unit.known_until is None:
            unit.due_at = now + self._settings.probe_ms / 1_000
        else:  # where the round took longer than its period: go on from here, do not catch up
            unit.due_at = max(now, unit.due_at + self._settings.poll_ms / 1_000)

    def _tell_unknown(self, unit: _Unit, sink: Sink, now: float) -> None:
        """Say once that nothing of this unit is known."""
        if unit.known_until is None:
            return
        unit.known_until = None
        unit.closed = dict.fromkeys(self._addresses)
        sink.deliver(InputReading(device=unit.name, closed=unit.closed, read_at=now))

    async def _pat(self, bus: Bus, unit: _Unit, now: float) -> None:
        """Toggle the watchdog: a controller that no longer sees it change raises its arm, or does what it is set to."""
        coil = self._settings.coils.watchdog
        if coil is None or now < unit.watchdog_at:
            return
        unit.watchdog_at = now + self._settings.watchdog_ms / 1_000
        unit.watchdog = not unit.watchdog
        try:
            request = WriteSingleCoilRequest(address=coil, bits=[unit.watchdog], dev_id=unit.unit_id)
            await bus.ask(request, within_s=self._settings.answer_ms / 1_000)
        except (CommandUnanswered, CommandRefused):
            unit.watchdog_at = now  # again after the next poll that is answered


def make(name: str, settings: Mapping[str, object]) -> Driver:  # noqa: ARG001 - a factory's signature, ports.py
    """Make the driver of one bus, see `DriverFactory`."""
    return ModbusBarrier(read_settings(BarrierSettings, settings))
