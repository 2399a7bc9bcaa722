"""A serial cable without hardware: a pseudo-terminal whose device name stays the same when it is plugged out and in.

The product opens `link` as it would open /dev/lotgate-barrier; the simulated device holds the other end. Pulling the plug
closes our end, so that the product's open port reads an error as from a USB adapter that was pulled; plugging in again
makes a new pseudo-terminal and lets `link` point to it.

A pseudo-terminal knows neither parity nor modem lines nor the time that a byte takes on a wire.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path

CHUNK = 4096


class Pty:
    """One cable. `link` is the stable device name; its folder must exist."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._master: int | None = None
        self._slave: int | None = None
        self._on_bytes: Callable[[bytes], None] | None = None

    @property
    def plugged(self) -> bool:
        """Tell whether the product could open the device."""
        return self._master is not None

    def plug(self, on_bytes: Callable[[bytes], None] | None = None) -> None:
        """Connect the cable; `on_bytes` is called on the running loop with what the product wrote.

        Both ends stay open here: a master whose slave nobody holds reads as an endless hang-up.
        """
        if self.plugged:
            return
        self._on_bytes = on_bytes or self._on_bytes
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        fresh = self.link.with_name(self.link.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.link)
        if self._on_bytes is not None:
            asyncio.get_running_loop().add_reader(self._master, self._readable)

    def unplug(self) -> None:
        """Pull the plug: the device name disappears and whoever has it open reads an error."""
        if self._master is None or self._slave is None:
            return
        if self._on_bytes is not None:
            asyncio.get_running_loop().remove_reader(self._master)
        self.link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = None

    def write(self, data: bytes) -> int:
        """Write to the product's side and return how many bytes the cable took; 0 where unplugged or full."""
        if self._master is None:
            return 0
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def _readable(self) -> None:
        if self._master is None or self._on_bytes is None:
            return
        try:
            data = os.read(self._master, CHUNK)
        except BlockingIOError:
            return
        if data:
            self._on_bytes(data)
