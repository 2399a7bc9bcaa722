"""A private Mosquitto with the configuration that we ship, for tests and the demo.

Readiness is Mosquitto's own word for it (sd_notify, as under systemd), not a sleep and not a probe.
"""

from __future__ import annotations

import getpass
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import drivers.mqtt

LIMITS = Path(drivers.mqtt.__file__).with_name("mosquitto.conf")
HOST = "127.0.0.1"
TRIES = 5
SIGNAL_AGAIN_S = 0.5


class BrokerFailed(RuntimeError):
    """Mosquitto is not installed, or ended before it was ready."""


class Broker:
    """One broker whose store, log and configuration live in `folder`; its port stays the same over restarts.

    `extra` are further lines of its listener: a certificate, a password file. `prefix` stands before the program's name in the command.
    """

    def __init__(
        self, folder: Path, *, limits: Path = LIMITS, extra: Sequence[str] = (), prefix: Sequence[str] = ()
    ) -> None:
        self.host = HOST
        self.port = 0
        self.log = folder / "broker.log"
        self._folder = folder
        self._limits = limits
        self._extra = extra
        self._prefix = tuple(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Tell whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, within_s: float = 10.0) -> None:
        """Start on a free port, or on the port of the last start; one that runs is left alone.

        Raises:
            BrokerFailed: it did not become ready in `within_s` seconds.
        """
        if self.running:
            return
        for _ in range(TRIES):
            fresh = not self.port
            self.port = self.port or _free_port()
            if self._became_ready(within_s):
                return
            self._end(subprocess.Popen.kill)
            self.port = 0 if fresh else self.port
        raise BrokerFailed(f"mosquitto did not start, see {self.log}")

    def stop(self) -> None:
        """End it in order: it saves its store."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL)."""
        self._end(subprocess.Popen.kill)

    def freeze(self) -> None:
        """Stop it where it stands: connections stay open and carry nothing, until `thaw`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start, on the same port with the same store."""
        self.stop()
        self.start()

    def _became_ready(self, within_s: float) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, self.log.open("ab") as log:
            ready.bind(b"")  # Linux then gives it a name of its own that needs no file and no permission
            ready.settimeout(within_s)
            name = "@" + ready.getsockname()[1:].decode()
            try:
                self._process = subprocess.Popen(
                    [*self._prefix, "mosquitto", "-c", str(self._configuration())],
                    env={"NOTIFY_SOCKET": name, "PATH": "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except FileNotFoundError as missing:
                raise BrokerFailed("mosquitto is not installed (Debian package mosquitto)") from missing
            return self._said_ready(ready)

    def _said_ready(self, ready: socket.socket) -> bool:
        """Wait for READY; a process that ends closes nothing that we could see, so look at it now and then."""
        left = ready.gettimeout() or 1.0
        ready.settimeout(0.1)
        while left > 0 and self.running:
            try:
                if b"READY=1" in ready.recv(256):
                    return True
            except TimeoutError:
                left -= 0.1
        return False

    def _configuration(self) -> Path:
        """Write the shipped limits and what is this broker's own.

        It stays the user who started it: Mosquitto would drop from root to a user who cannot write `folder`.
        """
        own = (
            f"listener {self.port} {HOST}",
            "allow_anonymous true",
            f"user {getpass.getuser()}",
            f"persistence_location {self._folder}/",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "log_type information",
            *self._extra,
        )
        path = self._folder / "mosquitto.conf"
        path.write_text(self._limits.read_text(encoding="utf-8") + "\n".join(own) + "\n", encoding="utf-8")
        return path

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        """Signal until it is gone: Mosquitto forgets a signal that comes between its READY and its main loop."""
        while self._process is not None:
            how(self._process)
            try:
                self._process.wait(SIGNAL_AGAIN_S)
            except subprocess.TimeoutExpired:
                continue
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
