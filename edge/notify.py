"""Tells systemd how the agent is: READY, STATUS and WATCHDOG (protocol: sd_notify(3)).

The watchdog is fed from the event loop, and only while the lanes step: a loop that stalls or a lane that hangs gets the agent restarted. A
disk that cannot be written is a degraded state, told in STATUS, and no reason to restart.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping


class ServiceNotifier:
    """Sends datagrams to the socket that systemd named; does nothing where no systemd asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ is systemd's way to write an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        self.watchdog_interval_s = int(watchdog_us) / 2_000_000 if watchdog_us.isdigit() else None

    def ready(self, status: str) -> None:
        """The agent serves: its lanes were read and its store is open."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line that `systemctl status` shows."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent is going down on purpose."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(text.encode(), self._address)
