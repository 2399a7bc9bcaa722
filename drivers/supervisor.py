"""Keeps one driver running and tells how it is.

Theory. A supervisor owns one driver instance. It runs it, and when the driver raises, waits and runs it again: a pulled
plug, a dead broker or a bug stops that driver and nothing else, so this is the one place in the product that catches
every exception. The wait grows and is jittered (`BackOff`). `DriverMisconfigured` ends the attempts: a person must act.

Health follows the data, not the task: a driver whose task runs and whose device says nothing is `silent`, whatever the
task believes of itself. What proves life is a reading that says something, or `Sink.alive()`; rubbish and "the
controller does not answer" prove nothing. Where `restart_after_s` is set, a silence of that length ends the run as
a lost wire would: a port or a session that is open and carries nothing is opened anew.

    starting ──data──▶ running ──no data for silent_after_s──▶ silent ──data──▶ running
    any of these ──error──▶ waiting ──delay──▶ starting        any ──DriverMisconfigured──▶ misconfigured
    any ──cancelled──▶ stopped
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import structlog

from drivers.back_off import BackOff
from drivers.errors import CommandRefused, DeviceUnreachable, DriverError, DriverMisconfigured
from drivers.ports import (
    Command,
    ConditionReading,
    Done,
    Driver,
    InputReading,
    MalformedReading,
    Push,
    PushedDriver,
    Reading,
    Sink,
)

LOG = structlog.stdlib.get_logger("drivers.supervisor")


class DriverState(StrEnum):
    """What a person sees of a driver."""

    STARTING = "starting"
    RUNNING = "running"
    SILENT = "silent"
    WAITING = "waiting"
    MISCONFIGURED = "misconfigured"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverHealth:
    """A driver at one moment. `last_data_at` is monotonic seconds, None before the first data.

    `restarts` counts every new start after the first one, `crashes` those that no `DriverError` explained: bugs.
    """

    name: str
    state: DriverState
    last_data_at: float | None
    restarts: int
    crashes: int
    malformed: int
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a driver may say nothing, in seconds; None: for ever (a reader in a quiet lane is silent for hours)."""

    silent_after_s: float | None = None
    restart_after_s: float | None = None


class WatchedSink:
    """Passes readings on and remembers when the device last proved that it lives."""

    def __init__(self, sink: Sink, monotonic: Callable[[], float]) -> None:
        self._sink = sink
        self._monotonic = monotonic
        self.last_data_at: float | None = None
        self.malformed = 0

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        """Pass the reading on, see `Sink.deliver`."""
        if isinstance(reading, MalformedReading):
            self.malformed += 1
        elif not _says_nothing(reading):
            self.last_data_at = self._monotonic()
        durable = self._sink.deliver(reading)
        durable.add_done_callback(_look_at)
        return durable

    def alive(self) -> None:
        """Pass the sign of life on, see `Sink.alive`."""
        self.last_data_at = self._monotonic()
        self._sink.alive()


def _look_at(durable: asyncio.Future[None]) -> None:
    """Look at a future that a polling driver does not wait for: it fails only when the agent is going down."""
    if not durable.cancelled():
        durable.exception()


def _says_nothing(reading: Reading) -> bool:
    if isinstance(reading, ConditionReading):
        return reading.conditions is None
    return isinstance(reading, InputReading) and all(closed is None for closed in reading.closed.values())


class Supervisor:
    """Runs one driver until cancelled; `health` can be asked at any time."""

    def __init__(
        self,
        name: str,
        driver: Driver,
        sink: Sink,
        *,
        random: Random,
        monotonic: Callable[[], float],
        back_off: BackOff | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self._driver = driver
        self._sink = WatchedSink(sink, monotonic)
        self._random = random
        self._monotonic = monotonic
        self._back_off = back_off or BackOff()
        self._patience = patience or Patience()
        self._phase = DriverState.STOPPED
        self._started_at = 0.0
        self._starts = 0
        self._crashes = 0
        self._failures_in_a_row = 0
        self._last_error: str | None = None

    async def run(self) -> None:
        """Run the driver, again and again; returns only when no restart helps, and ends when cancelled."""
        try:
            while await self._run_once():
                delay_s = self._back_off.delay_s(self._failures_in_a_row - 1, self._random)
                self._phase = DriverState.WAITING
                await asyncio.sleep(delay_s)
        except asyncio.CancelledError:
            self._phase = DriverState.STOPPED
            raise

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Hand a command to the driver, see `Driver.command`."""
        return await self._driver.command(command, timeout_s=timeout_s)

    async def push(self, push: Push) -> None:
        """Hand what a device sent by HTTP to the driver, see `PushedDriver.push`.

        Raises:
            CommandRefused: devices of this kind send nothing by HTTP.
        """
        if not isinstance(self._driver, PushedDriver):
            raise CommandRefused(f"{self.name} takes nothing by HTTP")
        await self._driver.push(push)

    def health(self) -> DriverHealth:
        """Return how the driver is now."""
        return DriverHealth(
            name=self.name,
            state=self._state(),
            last_data_at=self._sink.last_data_at,
            restarts=max(0, self._starts - 1),
            crashes=self._crashes,
            malformed=self._sink.malformed,
            last_error=self._last_error,
        )

    async def _run_once(self) -> bool:
        """Run the driver until it ends; the answer is whether to start it again."""
        self._starts += 1
        self._started_at = self._monotonic()
        self._phase = DriverState.STARTING
        try:
            await self._run_while_not_silent()
        except DriverMisconfigured as wrong:
            self._last_error = str(wrong)
            self._phase = DriverState.MISCONFIGURED
            LOG.error(  # noqa: TRY400 - a person must change a setting: a trace would say nothing
                "driver_misconfigured",
                driver=self.name,
                field=wrong.field,
                problem=wrong.problem,
                fix=wrong.fix,
            )
            return False
        except DriverError as lost:
            self._note_failure(lost)
            LOG.warning("driver_lost", driver=self.name, error=str(lost), failures=self._failures_in_a_row)
        except Exception as bug:  # the one place: a bug in one driver must not stop the lot
            self._crashes += 1
            self._note_failure(bug)
            LOG.exception("driver_crashed", driver=self.name, failures=self._failures_in_a_row)
        return True

    async def _run_while_not_silent(self) -> None:
        """Run the driver.

        Raises:
            DeviceUnreachable: nothing was heard for `restart_after_s`, or the driver returned though nobody asked.
        """
        running = asyncio.ensure_future(self._driver.run(self._sink))
        try:
            while not running.done():
                left_s = self._silence_left_s()
                if left_s is not None and left_s <= 0:
                    raise DeviceUnreachable(f"said nothing for {self._patience.restart_after_s} s")
                await asyncio.wait({running}, timeout=left_s)
            running.result()
            raise DeviceUnreachable("the driver returned though nobody asked it to")
        finally:
            running.cancel()  # or it has ended by itself in the turn in which we are told to stop
            await asyncio.gather(running, return_exceptions=True)

    def _silence_left_s(self) -> float | None:
        """Return the seconds until silence ends this run; None: never."""
        if self._patience.restart_after_s is None:
            return None
        return self._heard_at() + self._patience.restart_after_s - self._monotonic()

    def _heard_at(self) -> float:
        """Return when this run last heard of its device: its start counts as hearing."""
        return max(self._started_at, self._sink.last_data_at or self._started_at)

    def _note_failure(self, error: Exception) -> None:
        self._last_error = f"{type(error).__name__}: {error}"
        heard = self._sink.last_data_at is not None and self._sink.last_data_at >= self._started_at
        settled = heard and self._monotonic() - self._started_at >= self._back_off.settled_s
        self._failures_in_a_row = 1 if settled else self._failures_in_a_row + 1

    def _state(self) -> DriverState:
        if self._phase is not DriverState.STARTING:
            return self._phase
        silent_after_s = self._patience.silent_after_s
        if silent_after_s is not None and self._monotonic() - self._heard_at() >= silent_after_s:
            return DriverState.SILENT
        heard = self._sink.last_data_at is not None and self._sink.last_data_at >= self._started_at
        return DriverState.RUNNING if heard else DriverState.STARTING
