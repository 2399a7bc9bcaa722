"""A barrier's controller on the air: the GATT server of drivers/ble/barrier_profile.py, as BlueZ shows it on D-Bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dbus_fast import Message, Variant

from drivers.ble.barrier_profile import COMMAND, MOVES, SERVICE, STATE, write_state
from simulators.barrier import BarrierHardware
from simulators.wire.bluez import DEVICE, Peripheral, Properties, Refused, Signal

HEARTBEAT_S = 0.04
SERVICE_INTERFACE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
FAILED = "org.bluez.Error.Failed"
REFUSED_WORDS = "Operation failed with ATT error: 0x80"
BY_CODE = {code: move for move, code in MOVES.items()}


class GattBarrier(Peripheral):
    """One controller in reach. `mute` stays connected and says nothing."""

    def __init__(self, address: str, barrier: BarrierHardware, *, monotonic: Callable[[], float]) -> None:
        super().__init__(address)
        self.mute = False
        self.barrier = barrier
        self._monotonic = monotonic
        self._signal: Signal | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._counter = 0

    def objects(self) -> dict[str, dict[str, Properties]]:
        """The service and its characteristics."""
        service = {
            "UUID": Variant("s", SERVICE),
            "Device": Variant("o", self.path),
            "Primary": Variant("b", True),
        }
        command, state = (
            self._characteristic(COMMAND, ["write"]),
            self._characteristic(STATE, ["read", "notify"]),
        )
        return {
            self._service: {SERVICE_INTERFACE: service},
            f"{self._service}/char0002": {CHARACTERISTIC: command},
            self._state_path: {CHARACTERISTIC: state},
        }

    def call(self, message: Message, signal: Signal) -> Message | None:
        """Answer a method call on the device or its characteristics."""
        self._signal = signal
        match message.member:
            case "Connect":
                self.connected = True
                signal(
                    self.path,
                    DEVICE,
                    {"Connected": Variant("b", True), "ServicesResolved": Variant("b", True)},
                )
            case "Disconnect":
                self.hang_up()
            case "WriteValue":
                self._command(bytes(message.body[0]))
            case "ReadValue":
                return Message.new_method_return(message, "ay", [self._state()])
            case "StartNotify":
                self._beat()
            case "StopNotify":
                self._stop()
            case _:
                return None
        return Message.new_method_return(message)

    def hang_up(self) -> None:
        """The connection ends."""
        self._stop()
        if self.connected and self._signal is not None:
            self.connected = False
            values = {"Connected": Variant("b", False), "ServicesResolved": Variant("b", False)}
            self._signal(self.path, DEVICE, values)

    def notify(self, data: bytes | None = None) -> None:
        """Send a notification: the contacts, or anything."""
        if self._signal is not None and self.connected:
            value = self._state() if data is None else data
            self._signal(self._state_path, CHARACTERISTIC, {"Value": Variant("ay", value)})

    def _command(self, data: bytes) -> None:
        move = BY_CODE.get(data[0]) if data else None
        if move is None or not self.barrier.command(move, self._monotonic()):
            raise Refused(FAILED, REFUSED_WORDS)

    def _state(self) -> bytes:
        self._counter += 1
        return write_state(self.barrier.inputs(self._monotonic()), self._counter)

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)
        if not self.mute:
            self.notify()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _service(self) -> str:
        return f"{self.path}/service0001"

    @property
    def _state_path(self) -> str:
        return f"{self._service}/char0004"

    def _characteristic(self, uuid: str, flags: list[str]) -> Properties:
        return {
            "UUID": Variant("s", uuid),
            "Service": Variant("o", self._service),
            "Flags": Variant("as", flags),
            "MTU": Variant("q", 64),
        }
