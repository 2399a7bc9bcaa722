"""Relay boards on an RS-485 bus, wired to the buttons and contacts of whatever barrier stands there. Story "walk-in", next file: edge/translation.py.

A plain relay stays as it is told, and a barrier's button must be let go: the board is told to close the relay for a while and open it by itself
("flash on"), so that a line that is lost meanwhile leaves no button pressed. Before it, the other buttons of that barrier are let go.
Contacts are polled, and lost, as a barrier controller's are (drivers/modbus/barrier.py). Lamps are relays that stay.

Register map of the boards "Modbus RTU Relay 8CH", "… 8CH (D)" and "Modbus RTU IO 8CH" of Waveshare (source: their wiki pages, sections on the
commands): coils 0 to 7 are the relays (functions 01, 05), discrete inputs 0 to 7 the contacts (function 02, boards with inputs), function 05
at 0x0200 + relay with a number of tenths of a second is flash on; 01 05 02 00 00 07 8D B0 closes relay 0 for 700 ms.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from pydantic import Field, model_validator
from pymodbus.pdu.bit_message import WriteSingleCoilRequest

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.modbus.barrier import Address, BarrierSettings, CoilSettings, InputSettings, ModbusBarrier
from drivers.modbus.bus import Turn
from drivers.ports import Command, Done, Driver, SwitchOutput
from drivers.settings import read_settings

FLASH_ON = 0x0200
RELAYS_OF_A_BOARD = 8
A_TENTH_MS = 100


class FlashOn(WriteSingleCoilRequest):
    """Close a relay for a number of tenths of a second: function 05 with a value that the standard does not have."""

    def __init__(self, *, relay: int, tenths: int, dev_id: int) -> None:
        super().__init__(address=FLASH_ON + relay, bits=[True], dev_id=dev_id)
        self._tenths = tenths

    def encode(self) -> bytes:
        """Return the address and the tenths."""
        return struct.pack(">HH", self.address, self._tenths)


class RelayCoils(CoilSettings):
    """Which relay presses which button; one that is not named is not there. A relay board has no watchdog."""

    close: Address | None = None
    stop: Address | None = None
    watchdog: None = None


class RelayInputs(InputSettings):
    """Which of a board's inputs (0 to 7) is which contact; one that is not named is not there."""

    arm_down: Address | None = None
    arm_up: Address | None = None
    arming_loop: Address | None = None
    safety_loop: Address | None = None
    button: Address | None = None
    fault: Address | None = None


class RelaySettings(BarrierSettings):
    """The table of a bus of relay boards: as a barrier bus, with relays for its coils."""

    coils: RelayCoils = Field(
        default=RelayCoils(open=0, close=1, stop=2),
        description="the relays (0 to 7) that press open, close and stop",
    )
    inputs: RelayInputs = Field(
        default=RelayInputs(), description="the inputs (0 to 7) that hang on a contact, by contact"
    )
    lamps: dict[str, Address] = Field(default={}, description="relays that stay as they are told, by name")
    pulse_ms: int = Field(
        default=500, ge=100, le=6_000, description="milliseconds that a button is pressed, in hundreds"
    )

    @model_validator(mode="after")
    def _relays_exist(self) -> RelaySettings:
        presses = [
            relay for relay in (self.coils.open, self.coils.close, self.coils.stop) if relay is not None
        ]
        named = [*presses, *self.lamps.values()]
        beyond = [relay for relay in named if relay >= RELAYS_OF_A_BOARD]
        if beyond:
            raise ValueError(f"a board has relays 0 to {RELAYS_OF_A_BOARD - 1}, there is no {beyond[0]}")
        if len(set(named)) < len(named):
            raise ValueError("two things hang on one relay")
        if self.epoch_register is not None:
            raise ValueError("a relay board has no register for the epoch")
        if self.pulse_ms % A_TENTH_MS:
            raise ValueError(f"pulse_ms is {self.pulse_ms}, the board knows hundreds of milliseconds")
        return self


class RelayBoards(ModbusBarrier):
    """The driver of one bus of relay boards."""

    def __init__(self, settings: RelaySettings) -> None:
        super().__init__(settings)
        self._relays = settings

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Press a button, or switch a lamp, see `Driver.command`."""
        if not isinstance(command, SwitchOutput):
            return await super().command(command, timeout_s=timeout_s)
        if command.device not in self._relays.units or command.output not in self._relays.lamps:
            raise CommandRefused(f"nobody on this bus can do {command}")
        return await self._in_turn(
            timeout_s,
            command.device,
            lambda turn: self._set(turn, command.device, self._relays.lamps[command.output], on=command.on),
        )

    async def _write(self, turn: Turn, device: str, coil: int) -> Done:
        """Press one button, once the others are let go."""
        coils = self._relays.coils
        for other in (coils.open, coils.close, coils.stop):
            if other is not None and other != coil:
                await self._set(turn, device, other, on=False)
        tenths = self._relays.pulse_ms // A_TENTH_MS
        request = FlashOn(relay=coil, tenths=tenths, dev_id=self._relays.units[device])
        echo = await turn.ask(request, within_s=self._relays.command_ms / 1_000)
        if echo.address != request.address:
            raise CommandUnanswered(f"{device} echoed another relay: it is not known what it did")
        return Done()

    async def _set(self, turn: Turn, device: str, relay: int, *, on: bool) -> Done:
        request = WriteSingleCoilRequest(address=relay, bits=[on], dev_id=self._relays.units[device])
        echo = await turn.ask(request, within_s=self._relays.command_ms / 1_000)
        if (echo.address, echo.bits) != (relay, [on]):
            raise CommandUnanswered(f"{device} echoed another relay: it is not known what it did")
        return Done()


def make(name: str, settings: Mapping[str, object]) -> Driver:  # noqa: ARG001 - a factory's signature, ports.py
    """Make the driver of one bus of relay boards, see `DriverFactory`."""
    return RelayBoards(read_settings(RelaySettings, settings))
