"""Tells systemd how the agent is: READY, STATUS and WATCHDOG (protocol: sd_notify(3)). When to tell what: edge/heartbeat.py, edge/agent.py."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import structlog

LOG = structlog.stdlib.get_logger("edge.notify")


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

    def reloading(self) -> None:
        """A changed configuration is being taken up; `ready` ends it."""
        self._send("RELOADING=1")

    def stopping(self) -> None:
        """The agent is going down on purpose."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            try:
                channel.sendto(text.encode(), self._address)
            except (
                OSError
            ) as deaf:  # whoever does not listen hears no watchdog either: that is systemd's to judge
                LOG.warning("systemd_deaf", error=str(deaf))
