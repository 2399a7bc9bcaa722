"""OSDP readers on one RS-485 line behind a pseudo-terminal: libosdp's other half, with cards, a light and a buzzer.

All readers hear all bytes, as on a real bus; each answers for its own address. Source: SIA OSDP 2.1.7; libosdp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import osdp_sys
from osdp import Capability, CardFormat, Channel, Event, LibFlag, LogLevel, PDCapabilities, PDInfo

from simulators.wire.pty import Pty

STEP_S = 0.01
CAPABILITIES = PDCapabilities(
    [
        (Capability.Readers, 1, 1),
        (Capability.CardDataFormat, 1, 1),
        (Capability.LEDControl, 1, 1),
        (Capability.AudibleControl, 1, 1),
    ]
)
COMMAND_NOT_DONE = -1


class SimulatedReader(Channel):  # type: ignore[misc] # libosdp has no types
    """One reader. `key` None: as it left the factory, with the default key, and open for its own.

    `commands` holds what it was told, in libosdp's words; `muted` hears and says nothing, as a reader without power.
    """

    def __init__(self, address: int, key: bytes | None) -> None:
        super().__init__()
        self.address = address
        self.key = key
        self.commands: list[Mapping[str, object]] = []
        self.muted = False
        self.refuses = False
        self._input = bytearray()
        self._line: Pty | None = None
        self._device: osdp_sys.PeripheralDevice | None = None

    def begin(self, line: Pty) -> None:
        """Power on at a line: any session before is forgotten."""
        osdp_sys.set_loglevel(LogLevel.Emergency)
        self._line = line
        self._input.clear()
        flags = [LibFlag.InstallMode] if self.key is None else [LibFlag.EnforceSecure]
        info = PDInfo(self.address, self, scbk=self.key, flags=flags)
        self._device = osdp_sys.PeripheralDevice(info.get(), capabilities=CAPABILITIES.get())
        self._device.set_command_callback(self._told)

    def hear(self, data: bytes) -> None:
        """Take what was sent on the line."""
        if not self.muted:
            self._input += data

    def step(self) -> None:
        """Go on."""
        if self._device is not None:
            self._device.refresh()

    def present(self, word: int, bits: int) -> bool:
        """Hold a card of so many bits to the reader; False where it takes no more."""
        data = (word << (-bits % 8)).to_bytes((bits + 7) // 8, "big")
        if self._device is None:
            return False
        event = {
            "event": Event.CardRead,
            "reader_no": 0,
            "direction": 0,
            "format": CardFormat.Wiegand,
            "length": bits,
            "data": data,
        }
        return bool(self._device.submit_event(event))

    @property
    def is_secure(self) -> bool:
        """Whether its secure channel is up."""
        return self._device is not None and bool(self._device.is_sc_active())

    def _told(self, command: Mapping[str, object]) -> tuple[int, None]:
        self.commands.append(command)
        key = command.get("data")
        if self.key is None and isinstance(key, bytes):
            self.key = key
        return (COMMAND_NOT_DONE if self.refuses else 0), None

    def read(self, max_bytes: int) -> bytes:
        """See `osdp.Channel`."""
        taken = bytes(self._input[:max_bytes])
        del self._input[:max_bytes]
        return taken

    def write(self, data: bytes) -> int:
        """See `osdp.Channel`."""
        if self._line is not None and not self.muted:
            self._line.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        """See `osdp.Channel`."""
        self._input.clear()


class OsdpReaderBus:
    """Readers on one cable."""

    def __init__(self, pty: Pty, readers: Sequence[SimulatedReader]) -> None:
        self._pty = pty
        self._readers = readers
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Plug the cable in and answer; call it on the running loop."""
        if self._timer is not None:
            return
        self._pty.plug(self._received)
        for reader in self._readers:
            reader.begin(self._pty)
        self._tick()

    def stop(self) -> None:
        """Pull the plug."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pty.unplug()

    def rubbish(self, data: bytes) -> int:
        """Put noise on the line; returns how many bytes the cable took."""
        return self._pty.write(data)

    def _received(self, data: bytes) -> None:
        for reader in self._readers:
            reader.hear(data)
            reader.step()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STEP_S, self._tick)
        for reader in self._readers:
            reader.step()
