"""Real processes of the demo: each with its log, started, watched, killed and ended. Nothing is left running, whatever happens.

Each leads a session of its own, so that Ctrl-C reaches the demo alone, which then ends them in order; and each is told by the kernel to end
when the demo dies without a word (prctl(2), PR_SET_PDEATHSIG, by setpriv).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LINE_LIMIT = 1 << 20
END_S = 10.0
ONCE_S = 180.0


class ProgramEnded(Exception):
    """A process ended that should run; the message has the last lines of its log."""


def lotgate(*arguments: str) -> list[str]:
    """The console script of this very environment, as an operator would type it."""
    return [str(Path(sys.executable).with_name("lotgate")), *arguments]


def bound_to_us(command: Sequence[str]) -> list[str]:
    """The command, killed by the kernel when this process is gone (Linux, util-linux); as it is where that cannot be had."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv is not None else list(command)


@dataclass(slots=True, kw_only=True)
class Program:
    """One process. `command` is started again by `start` after a kill; its output goes to `log`, messages on its output to `heard`."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    talks: bool = False
    heard: list[Mapping[str, object]] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None
    _listening: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def status(self) -> int | None:
        """Its exit status once it ended, minus the number of the signal that ended it."""
        return None if self._process is None else self._process.returncode

    async def start(self, more: Mapping[str, str] | None = None) -> None:
        """Start it, with `more` in its environment; its output is appended to the log."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *bound_to_us(self.command),
                stdin=asyncio.subprocess.PIPE if self.talks else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.talks else log,
                stderr=log,
                env={**os.environ, **self.environment, **(more or {})},
                limit=LINE_LIMIT,
                start_new_session=True,
            )
        if self.talks:
            self._listening = asyncio.create_task(self._listen(self._process))

    async def ended(self) -> None:
        """Wait until it ends."""
        if self._process is not None:
            await self._process.wait()

    async def fail_when_it_ends(self) -> None:
        """Watch over a process that is to run as long as the demo.

        Raises:
            ProgramEnded: it ended.
        """
        await self.ended()
        raise ProgramEnded(self.obituary())

    async def wait_for(self, event: str, within_s: float) -> Mapping[str, object]:
        """The first message with this event, of those heard and to come.

        Raises:
            ProgramEnded: the process ended first, or said nothing in time.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    self._news.clear()
                    found = next((said for said in self.heard if said.get("event") == event), None)
                    if found is not None:
                        return found
                    if self.pid is None:
                        raise ProgramEnded(self.obituary())
                    await self._news.wait()
        except TimeoutError:
            raise ProgramEnded(
                f"{self.name} did not say {event!r} in {within_s:g} s; {self.obituary()}"
            ) from None

    async def wait_for_file(self, path: Path, within_s: float) -> str:
        """The text of a file that the process writes once it serves.

        Raises:
            ProgramEnded: it ended first, or did not write it in time.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while not (path.exists() and (text := path.read_text().strip())):
            if self.pid is None or loop.time() > until:
                raise ProgramEnded(f"{path.name} was not written; {self.obituary()}")
            await asyncio.sleep(0.02)
        return text

    def tell(self, **order: object) -> None:
        """Send one order as a JSON line."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it in order; after ten seconds, at once."""
        await self._end(signal.SIGTERM)

    def obituary(self) -> str:
        """Whether it runs, with the last lines of its log."""
        last = self.log.read_text(errors="replace").splitlines()[-6:] if self.log.exists() else []
        status = "still runs" if self.pid is not None else f"ended with {self.status}"
        return f"{self.name} {status}; its log {self.log} ends with: " + " | ".join(last)

    async def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
            try:
                await asyncio.wait_for(process.wait(), END_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._listening is not None:
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        while line := await process.stdout.readline():
            self.heard.append(json.loads(line))
            self._news.set()
        await process.wait()
        self._news.set()


async def run_once(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> str:
    """Run a command to its end; its standard output.

    Raises:
        ProgramEnded: it failed, or did not end in time.
    """
    process = await asyncio.create_subprocess_exec(
        *bound_to_us(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), ONCE_S)
    except TimeoutError:
        raise ProgramEnded(f"{name} did not end in {ONCE_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    log.write_bytes(out + err)
    if process.returncode:
        raise ProgramEnded(f"{name} exited {process.returncode}: {err.decode(errors='replace').strip()}")
    return out.decode().strip()
