"""A private PostgreSQL with PostGIS for demo and tests: own folder, own socket, nothing shared with the system's.

It listens on a Unix socket in its own folder and on no port, so that two of them never meet. The server runs as a child of
this process; PostgreSQL refuses to run as root, so there it runs as the user `postgres`.

`durable=False` is for tests about logic: no fsync, which is quicker and loses everything in a crash of the machine.
Crash tests and published figures take `durable=True`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psutil

SERVER_USER = "postgres"
POLL_S = 0.05

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "jit": "off",
    "deadlock_timeout": "200ms",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_min_messages": "warning",
}
FAST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


class DatabaseDidNotStart(Exception):
    """PostgreSQL ended or did not answer in time; the end of its log is in the message."""


def server_programs() -> Path:
    """The folder of the newest installed PostgreSQL server's programs.

    Raises:
        DatabaseDidNotStart: none is installed.
    """
    named = os.environ.get("LOTGATE_POSTGRES_PROGRAMS")
    if named:
        return Path(named)
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name)
    )
    if not found:
        raise DatabaseDidNotStart("no PostgreSQL server found: install postgresql-15-postgis-3")
    return found[-1].parent


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """As whom the server's programs run: arguments for `subprocess`, empty where we are no root."""

    arguments: dict[str, Any]

    @classmethod
    def of_this_process(cls) -> ServerIdentity:
        """The user `postgres` where we are root, ourselves otherwise."""
        if os.geteuid() != 0:
            return cls(arguments={})
        entry = pwd.getpwnam(SERVER_USER)
        return cls(arguments={"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []})

    def give(self, folder: Path) -> None:
        """Make `folder` the server's own."""
        if self.arguments:
            os.chown(folder, self.arguments["user"], self.arguments["group"])


class DatabaseCluster:
    """One private server. `start` makes it, `stop` ends it and removes its folder unless it was given one."""

    def __init__(self, *, folder: Path | None = None, durable: bool = False) -> None:
        self._given = folder
        self._durable = durable
        self._identity = ServerIdentity.of_this_process()
        self._programs = server_programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="lotgate-pg-"))

    @property
    def pid(self) -> int:
        """The process id of the running server.

        Raises:
            DatabaseDidNotStart: it does not run.
        """
        if self._process is None:
            raise DatabaseDidNotStart("the server does not run")
        return self._process.pid

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _socket_folder(self) -> Path:
        return self.folder / "s"

    def url(self, database: str) -> str:
        """The address of `database`, for psycopg."""
        return f"postgresql://{SERVER_USER}@/{database}?host={quote(str(self._socket_folder), safe='')}"

    def start(self, *, timeout_s: float = 30.0) -> None:
        """Create the cluster where there is none yet, start the server and wait until it answers.

        The server ends with the thread that calls this, should that be killed: call it from one that lives as long as is needed.

        Raises:
            DatabaseDidNotStart: it ended, or did not answer in `timeout_s` seconds.
        """
        self._create()
        # A server killed with -9 leaves its socket's lock behind; the folder is ours alone.
        for left_over in self._socket_folder.glob(".s.PGSQL.*"):
            left_over.unlink()
        self._log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            # Whoever started the server may be killed with -9: then it ends too.
            ["setpriv", "--pdeathsig", "INT", "--", self._programs / "postgres", "-D", self._data],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **self._identity.arguments,
        )
        self._await_answer(time.monotonic() + timeout_s)

    def _create(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        self._socket_folder.mkdir(parents=True, exist_ok=True)
        self._data.mkdir(exist_ok=True)
        self.folder.chmod(0o711)
        for folder in (self._data, self._socket_folder):
            self._identity.give(folder)
        self._run(
            "initdb",
            "-D",
            str(self._data),
            "-U",
            SERVER_USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
        )
        settings = {**SETTINGS, "unix_socket_directories": str(self._socket_folder)}
        if not self._durable:
            settings |= FAST_SETTINGS
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _await_answer(self, deadline: float) -> None:
        # pg_isready has no way to be told of readiness: it is asked until it says yes.
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if self._run("pg_isready", "-q", "-h", str(self._socket_folder), check=False) == 0:
                return
            time.sleep(POLL_S)
        ending = (self.folder / "log").read_text(errors="replace")[-2000:]
        raise DatabaseDidNotStart(f"PostgreSQL did not answer; its log ends:\n{ending}")

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database, empty or as a copy of `template` (to which nobody may be connected); its address."""
        arguments = ["-T", template, "--strategy=file_copy"] if template else []
        self._run("createdb", "-h", str(self._socket_folder), "-U", SERVER_USER, *arguments, name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and cut whoever is still connected."""
        self._run("dropdb", "-h", str(self._socket_folder), "-U", SERVER_USER, "--force", "--if-exists", name)

    def kill(self) -> None:
        """End the server as a power cut would: SIGKILL to it and its backends; the folder stays."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server in order; a folder of our own making goes too."""
        self._end(signal.SIGINT)
        if self._given is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                # Backends lead sessions of their own and outlive a killed server for a moment, in which it can't start again.
                backends = psutil.Process(self._process.pid).children() if how is signal.SIGKILL else []
                self._process.send_signal(how)
                for backend in backends:
                    with suppress(psutil.NoSuchProcess):
                        backend.kill()
                psutil.wait_procs(backends, timeout=30)
            self._process.wait(timeout=30)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        done = subprocess.run(
            [self._programs / program, *arguments],
            check=False,
            capture_output=True,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            cwd="/",
            **self._identity.arguments,
        )
        if check and done.returncode != 0:
            raise DatabaseDidNotStart(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")
        return done.returncode
