"""A serial port on the event loop: bytes in by callback, bytes out at once, and one future that tells of its loss.

pyserial opens and sets the line; reading and writing go straight to its non-blocking descriptor. One callback reads at
most one chunk, so a talkative device takes turns with everything else on the loop.
"""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Callable
from typing import Literal

import serial
from pydantic import Field

from drivers.errors import DeviceUnreachable, DriverMisconfigured
from drivers.settings import DriverSettings

CHUNK = 2048


class LineSettings(DriverSettings):
    """How a serial line is set. A pseudo-terminal takes any baud rate and no parity."""

    port: str = Field(min_length=1, description='the device\'s stable name, such as "/dev/lotgate-barrier"')
    baud: int = Field(default=9600, ge=300, le=4_000_000, description="bits per second, as the device is set")
    parity: Literal["none", "even", "odd"] = Field(default="none", description='"none", "even" or "odd"')
    stop_bits: Literal[1, 2] = Field(default=1, description="1 or 2")
    flow_control: Literal["none", "rts_cts", "dsr_dtr"] = Field(
        default="none",
        description='"none", or "rts_cts" or "dsr_dtr" where the adapter has these lines',
    )

    def open(self) -> serial.Serial:
        """Open and set the port, for us alone.

        Raises:
            DeviceUnreachable: it is not there, or another program has it.
            DriverMisconfigured: it is there and cannot be set so.
        """
        try:
            opened = self._opened()
        except termios.error as refused:
            raise self._wrong(str(refused)) from refused
        except OSError as gone:  # SerialException is one
            raise DeviceUnreachable(f"{self.port} cannot be opened: {gone}") from gone
        if not self._took_effect(opened.fileno()):
            opened.close()
            raise self._wrong("parity or stop bits did not take effect")
        return opened

    def _opened(self) -> serial.Serial:
        return serial.Serial(
            self.port,
            self.baud,
            parity=self.parity[0].upper(),
            stopbits=self.stop_bits,
            rtscts=self.flow_control == "rts_cts",
            dsrdtr=self.flow_control == "dsr_dtr",
            timeout=0,
            exclusive=True,
        )

    def _took_effect(self, descriptor: int) -> bool:
        """Look at the line as it is: a driver of the kernel may leave out what it cannot do and report success."""
        flags: int = termios.tcgetattr(descriptor)[2]
        parity = {0: "none", termios.PARENB: "even", termios.PARENB | termios.PARODD: "odd"}
        stop_bits = 2 if flags & termios.CSTOPB else 1
        is_parity = parity.get(flags & (termios.PARENB | termios.PARODD))
        return (is_parity, stop_bits) == (self.parity, self.stop_bits)

    def _wrong(self, problem: str) -> DriverMisconfigured:
        fix = "set baud, parity and stop_bits to what this port can do"
        return DriverMisconfigured("parity", f"{self.port} refuses these line settings ({problem})", fix)


class SerialPort:
    """An open port. `lost` fails with `DeviceUnreachable` once the wire is gone; `close` it in any case."""

    def __init__(self, line: LineSettings, on_bytes: Callable[[bytes], None]) -> None:
        self._name = line.port
        self._on_bytes = on_bytes
        self._loop = asyncio.get_running_loop()
        self._serial = line.open()
        self._descriptor: int = self._serial.fileno()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._serial.reset_input_buffer()
        self._loop.add_reader(self._descriptor, self._readable)

    def write(self, data: bytes) -> None:
        """Write a frame, small enough for the port's own buffer.

        Raises:
            DeviceUnreachable: the port is gone or takes no more.
        """
        if self.lost.done():
            raise DeviceUnreachable(f"{self._name} is gone")
        try:
            written = os.write(self._descriptor, data)
        except OSError as gone:
            self._lose(f"{self._name} cannot be written: {gone}")
            raise DeviceUnreachable(f"{self._name} cannot be written: {gone}") from gone
        if written < len(data):
            self._lose(f"{self._name} takes no more bytes")
            raise DeviceUnreachable(f"{self._name} takes no more bytes")

    def close(self) -> None:
        """Give the port back."""
        if self._serial.is_open:
            self._loop.remove_reader(self._descriptor)
            self._serial.close()
        self._lose(f"{self._name} was closed")
        self.lost.exception()  # whoever waits has it; nobody waiting is no error

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError as gone:
            self._lose(f"{self._name} cannot be read: {gone}")
            return
        if data:
            self._on_bytes(data)
        else:
            self._lose(f"{self._name} hung up")

    def _lose(self, why: str) -> None:
        if not self.lost.done():
            self._loop.remove_reader(self._descriptor)
            self.lost.set_exception(DeviceUnreachable(why))
