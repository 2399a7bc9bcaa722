"""A barrier whose controller speaks Bluetooth, by the profile in barrier_profile.py. Story "walk-in", next file: edge/translation.py.

Theory. One instance is one controller, called as the driver. The controller notifies its contacts; what it said last is known for `known_ms`, then
nothing is known and the reading says so, once. A controller that stays connected and says nothing for `silent_ms` is left and connected
anew. Before the arm is driven down its state is read once more: a safety loop that is occupied or unknown refuses the command here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakGATTProtocolError
from pydantic import Field, field_validator

from drivers.ble.addresses import read_address
from drivers.ble.barrier_profile import COMMAND, CONTACTS, MOVES, SERVICE, STATE, read_state
from drivers.ble.receiver import WHAT_BLUEZ_RAISES
from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable, MalformedInput
from drivers.ports import (
    Command,
    Done,
    Driver,
    Input,
    InputReading,
    MalformedReading,
    Move,
    MoveArm,
    Sink,
)
from drivers.serial_port.tap import Tap
from drivers.settings import DriverSettings, read_settings

RUBBISH_PER_S = 5
HANG_UP_S = 5.0


class BleBarrierSettings(DriverSettings):
    """The table of one controller."""

    address: str = Field(description='the controller\'s Bluetooth address, "A4:C1:38:8D:18:B2"')
    adapter: str | None = Field(
        default=None, pattern=r"^hci\d{1,2}$", description='"hci0", …; left out: the first that is on'
    )
    known_ms: int = Field(
        default=100, ge=20, le=500, description="milliseconds that a contact counts as known, 20 to 500"
    )
    silent_ms: int = Field(
        default=2_000,
        ge=500,
        le=60_000,
        description="milliseconds of silence after which it is connected anew",
    )
    connect_s: float = Field(
        default=15, ge=1, le=120, description="seconds that finding and connecting it may take"
    )

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        read_address(text)
        return text.upper()


class BleBarrier:
    """The driver of one controller."""

    def __init__(self, name: str, settings: BleBarrierSettings) -> None:
        self._name = name
        self._settings = settings
        self._client: BleakClient | None = None

    async def run(self, sink: Sink) -> None:
        """Connect and listen until cancelled, see `Driver.run`."""
        gone = asyncio.Event()
        ear = _Ear(self._name, self._settings, sink)
        try:
            async with self._connected(gone) as client:
                self._client = client  # before the first word comes: whoever hears it may answer at once
                await self._subscribe(client, ear)
                await ear.listen(gone)
        finally:
            self._client = None
            ear.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Write a move, see `Driver.command`."""
        if not isinstance(command, MoveArm) or command.device != self._name:
            raise CommandRefused(f"this controller cannot do {command}")
        client = self._client
        if client is None:
            raise DeviceUnreachable(f"{self._name} is not connected")
        try:
            async with asyncio.timeout(timeout_s):
                if command.move is Move.CLOSE:
                    await self._refuse_where_occupied(client)
                await client.write_gatt_char(COMMAND, bytes([MOVES[command.move]]), response=True)
        except BleakGATTProtocolError as refused:
            raise CommandRefused(f"{self._name} refused: {refused}") from refused
        except WHAT_BLUEZ_RAISES as lost:
            raise CommandUnanswered(f"{self._name} did not answer: {type(lost).__name__}") from lost
        return Done()

    async def _refuse_where_occupied(self, client: BleakClient) -> None:
        try:
            closed = read_state(bytes(await client.read_gatt_char(STATE)))
        except MalformedInput as wrong:
            raise CommandRefused(f"{self._name} does not tell its safety loop: {wrong}") from wrong
        if closed[Input.SAFETY_LOOP] is not False:
            raise CommandRefused(f"the safety loop of {self._name} is occupied or unknown")

    @asynccontextmanager
    async def _connected(self, gone: asyncio.Event) -> AsyncIterator[BleakClient]:
        """Find the controller and connect.

        Raises:
            DeviceUnreachable: it is not there, or it is no barrier of this profile.
        """
        chosen = {} if self._settings.adapter is None else {"adapter": self._settings.adapter}
        client = BleakClient(
            self._settings.address,
            disconnected_callback=lambda _client: gone.set(),
            services=[SERVICE],
            timeout=self._settings.connect_s,
            bluez=chosen,  # type: ignore[arg-type] # a TypedDict made of what is set
        )
        try:
            async with asyncio.timeout(2 * self._settings.connect_s):
                await client.connect()
        except WHAT_BLUEZ_RAISES as wrong:
            raise DeviceUnreachable(
                f"{self._name} cannot be connected: {type(wrong).__name__}: {wrong}"
            ) from wrong
        try:
            yield client
        finally:
            await _hang_up(client)

    async def _subscribe(self, client: BleakClient, ear: _Ear) -> None:
        try:
            await client.start_notify(STATE, ear.hear)
        except (*WHAT_BLUEZ_RAISES, ValueError) as wrong:
            raise DeviceUnreachable(f"{self._name} has no state to follow: {wrong}") from wrong


async def _hang_up(client: BleakClient) -> None:
    """Disconnect; where BlueZ is gone there is nothing to disconnect from."""
    try:
        async with asyncio.timeout(HANG_UP_S):
            await client.disconnect()
    except (*WHAT_BLUEZ_RAISES, AssertionError):  # bleak asserts that its bus is still there
        return


class _Ear:
    """Hears notifications, and the lack of them. Instants are the loop's monotonic seconds."""

    def __init__(self, name: str, settings: BleBarrierSettings, sink: Sink) -> None:
        self._name = name
        self._settings = settings
        self._sink = sink
        self._tap = Tap(name, sink, RUBBISH_PER_S)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._closed: Mapping[Input, bool | None] = {}

    def hear(self, _characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        """Take a notification; called by bleak, which must not be raised into."""
        try:
            closed = read_state(bytes(data))
        except MalformedInput as wrong:
            raw = bytes(data[:4096])
            self._tap.take(
                MalformedReading(device=self._name, field=wrong.field, problem=wrong.problem, raw=raw)
            )
            return
        self._heard_at = self._loop.time()
        self._sink.alive()
        self._tell(closed)

    async def listen(self, gone: asyncio.Event) -> None:
        """Return never: say when nothing is known any more.

        Raises:
            DeviceUnreachable: the connection is gone, or says nothing.
        """
        leaving = asyncio.ensure_future(gone.wait())
        try:
            while not leaving.done():
                silence_s = self._loop.time() - self._heard_at
                if silence_s >= self._settings.silent_ms / 1_000:
                    raise DeviceUnreachable(f"{self._name} is connected and says nothing")
                left_s = self._settings.known_ms / 1_000 - silence_s
                if left_s <= 0:
                    self._tell(dict.fromkeys(CONTACTS))
                    left_s = self._settings.known_ms / 1_000
                await asyncio.wait({leaving}, timeout=left_s)
        finally:
            leaving.cancel()
        raise DeviceUnreachable(f"{self._name} hung up")

    def close(self) -> None:
        """Nothing is known any more."""
        self._tell(dict.fromkeys(CONTACTS))
        self._tap.close()

    def _tell(self, closed: Mapping[Input, bool | None]) -> None:
        if closed != self._closed:
            self._closed = closed
            reading = InputReading(device=self._name, closed=closed, read_at=self._loop.time())
            self._sink.deliver(reading)


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one controller, see `DriverFactory`."""
    return BleBarrier(name, read_settings(BleBarrierSettings, settings))
