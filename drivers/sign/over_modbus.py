"""A sign or a box of lamps on an RS-485 bus: registers hold numbers, coils switch lamps; both can be read back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from pydantic import Field, model_validator
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, WriteSingleRegisterRequest

from drivers.errors import CommandUnanswered
from drivers.modbus.bus import Bus
from drivers.ports import Sink
from drivers.serial_port.port import LineSettings
from drivers.sign.outputs import Shown
from drivers.sign.settings import SignSettings

PLACE = re.compile(r"(register|coil) ([0-9]{1,5})")
MOST = 0xFFFF


class ModbusSignSettings(SignSettings, LineSettings):
    """The table of a sign with `over = "modbus"`."""

    over: Literal["modbus"] = Field(description='"modbus"')
    unit: int = Field(default=1, ge=1, le=247, description="the sign's unit id on this bus, 1 to 247")
    answer_ms: int = Field(
        default=200, ge=2, le=10_000, description="milliseconds that it may take to answer"
    )
    unknown_register: int = Field(
        default=MOST, ge=0, le=MOST, description="what a register holds where nothing is known, 0 to 65535"
    )
    unknown_coil: bool = Field(default=False, description="what a coil is where nothing is known")

    @model_validator(mode="after")
    def _places_are_places(self) -> ModbusSignSettings:
        for output in self.outputs:
            found = PLACE.fullmatch(output.at)
            if found is None or int(found[2]) > MOST:
                raise ValueError(f'{output.at!r} is neither like "register 10" nor like "coil 3"')
            if found[1] == "coil" and output.shows.startswith("free"):
                raise ValueError(f"{output.at} cannot show a number: use full, or a register")
        return self


class _ModbusWire:
    def __init__(self, settings: ModbusSignSettings, sink: Sink) -> None:
        self._settings = settings
        self._sink = sink
        self._bus = Bus(settings)
        self.lost = self._bus.lost

    async def show(self, at: str, value: Shown) -> None:
        kind, address = _place(at)
        unit = self._settings.unit
        if kind == "coil":
            bit = self._bit(value)
            echo = await self._ask(WriteSingleCoilRequest(address=address, bits=[bit], dev_id=unit))
            same = (echo.address, echo.bits[:1]) == (address, [bit])
        else:
            word = self._word(value)
            echo = await self._ask(WriteSingleRegisterRequest(address=address, registers=[word], dev_id=unit))
            same = (echo.address, echo.registers) == (address, [word])
        if not same:
            raise CommandUnanswered(f"the echo of {at} says something else")

    async def shows(self, at: str, value: Shown) -> bool:
        kind, address = _place(at)
        unit = self._settings.unit
        if kind == "coil":
            coil = await self._ask(ReadCoilsRequest(address=address, count=1, dev_id=unit))
            return coil.bits[:1] == [self._bit(value)]
        register = await self._ask(ReadHoldingRegistersRequest(address=address, count=1, dev_id=unit))
        return register.registers == [self._word(value)]

    def close(self) -> None:
        self._bus.close()

    async def _ask(self, request: ModbusPDU) -> ModbusPDU:
        answer = await self._bus.ask(request, within_s=self._settings.answer_ms / 1_000)
        self._sink.alive()
        return answer

    def _bit(self, value: Shown) -> bool:
        return self._settings.unknown_coil if value is None else bool(value)

    def _word(self, value: Shown) -> int:
        return self._settings.unknown_register if value is None else min(max(int(value), 0), MOST)


def _place(at: str) -> tuple[str, int]:
    kind, _, address = at.partition(" ")
    return kind, int(address)


@asynccontextmanager
async def modbus_sign(settings: ModbusSignSettings, name: str, sink: Sink) -> AsyncIterator[_ModbusWire]:  # noqa: ARG001 - one signature for all wires
    """Open the bus of a sign.

    Raises:
        DeviceUnreachable: it cannot be opened.
    """
    wire = _ModbusWire(settings, sink)
    try:
        yield wire
    finally:
        wire.close()
