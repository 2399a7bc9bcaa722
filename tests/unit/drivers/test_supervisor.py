"""One driver breaks in every way that there is; the others do not notice, and its health says what is so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from drivers.back_off import BackOff
from drivers.errors import DeviceUnreachable, DriverMisconfigured
from drivers.ports import (
    CodeReading,
    Command,
    Done,
    Input,
    InputReading,
    MalformedReading,
    Move,
    MoveArm,
    Reading,
    Sink,
)
from drivers.supervisor import DriverState, Patience, Supervisor

CODE = CodeReading(device="reader", text="A")
SILENT = InputReading(device="north", closed={Input.SAFETY_LOOP: None}, read_at=0.0)
RUBBISH = MalformedReading(device="reader", field="line", problem="none", raw=b"?")
Script = Callable[[Sink], Awaitable[None]]


class ScriptedDriver:
    """Does what the next script says at each start; the last one is repeated."""

    def __init__(self, *scripts: Script) -> None:
        self.starts = 0
        self.commands: list[Command] = []
        self._scripts = scripts

    async def run(self, sink: Sink) -> None:
        self.starts += 1
        await self._scripts[min(self.starts, len(self._scripts)) - 1](sink)

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        self.commands.append(command)
        return Done(reference=str(timeout_s))


class QuickSink:
    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.fail = False

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        self.readings.append(reading)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fail:
            durable.set_exception(RuntimeError("going down"))
        else:
            durable.set_result(None)
        return durable

    def alive(self) -> None:
        pass


class Hand:
    """A clock that a test turns by hand, in monotonic seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def for_ever(_sink: Sink) -> None:
    await asyncio.get_running_loop().create_future()


def says(*readings: Reading) -> Script:
    async def script(sink: Sink) -> None:
        for reading in readings:
            sink.deliver(reading)
        await for_ever(sink)

    return script


def fails(error: Exception) -> Script:
    async def script(_sink: Sink) -> None:
        raise error

    return script


def supervised(driver: ScriptedDriver, clock: Hand, **patience: float) -> Supervisor:
    return Supervisor(
        "it",
        driver,
        QuickSink(),
        random=Random(1),
        monotonic=clock,
        back_off=BackOff(first_s=0.001, ceiling_s=0.002),
        patience=Patience(**patience),
    )


async def run_until(supervisor: Supervisor, holds: Callable[[], bool]) -> None:
    """Run a supervisor until something holds, then cancel it."""
    task = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - health is asked, it does not call
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_driver_that_loses_its_wire_is_started_again() -> None:
    driver = ScriptedDriver(fails(DeviceUnreachable("pulled")), says(CODE))
    supervisor = supervised(driver, Hand())
    await run_until(supervisor, lambda: supervisor.health().state is DriverState.RUNNING)
    health = supervisor.health()
    assert (health.restarts, health.crashes, health.state) == (1, 0, DriverState.STOPPED)
    assert health.last_error == "DeviceUnreachable: pulled"


async def test_a_bug_restarts_that_driver_and_is_counted_as_one() -> None:
    driver = ScriptedDriver(fails(ZeroDivisionError("a bug")), for_ever)
    supervisor = supervised(driver, Hand())
    await run_until(supervisor, lambda: driver.starts == 2)
    assert supervisor.health().crashes == 1


async def test_one_driver_that_crashes_at_every_start_does_not_disturb_another() -> None:
    bad, good = ScriptedDriver(fails(KeyError("x"))), ScriptedDriver(says(CODE))
    theirs, ours = supervised(bad, Hand()), supervised(good, Hand())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(theirs.run()), group.create_task(ours.run())]
        while bad.starts < 5:  # noqa: ASYNC110 - a count is looked at, it does not call
            await asyncio.sleep(0)
        assert good.starts == 1
        assert ours.health().state is DriverState.RUNNING
        for task in tasks:
            task.cancel()


async def test_a_wrong_setting_stops_the_driver_and_says_how_to_put_it_right() -> None:
    driver = ScriptedDriver(fails(DriverMisconfigured("port", "is no port", "name one")))
    supervisor = supervised(driver, Hand())
    await asyncio.wait_for(supervisor.run(), 5)
    assert driver.starts == 1
    assert supervisor.health().state is DriverState.MISCONFIGURED
    assert "Fix: name one" in str(supervisor.health().last_error)


async def test_a_driver_that_returns_though_nobody_asked_is_started_again() -> None:
    async def returns(_sink: Sink) -> None:
        return

    driver = ScriptedDriver(returns, for_ever)
    await run_until(supervised(driver, Hand()), lambda: driver.starts == 2)


@pytest.mark.parametrize("reading", [SILENT, RUBBISH])
async def test_rubbish_and_silence_prove_no_life(reading: Reading) -> None:
    """Complaints row 26: health follows the data, not the task."""
    clock = Hand()
    driver = ScriptedDriver(says(reading))
    supervisor = supervised(driver, clock, silent_after_s=5)
    seen: list[DriverState] = []

    def silent() -> bool:
        seen.append(supervisor.health().state)
        clock.now += 0.5
        return seen[-1] is DriverState.SILENT

    await run_until(supervisor, silent)
    assert DriverState.RUNNING not in seen
    assert supervisor.health().last_data_at is None


async def test_a_device_that_spoke_and_falls_silent_shows_as_silent() -> None:
    clock = Hand()
    driver = ScriptedDriver(says(CODE))
    supervisor = supervised(driver, clock, silent_after_s=5)

    def silent() -> bool:
        state = supervisor.health().state
        clock.now += 1 if state is DriverState.RUNNING else 0
        return state is DriverState.SILENT

    await run_until(supervisor, silent)
    assert clock.now == 105
    assert driver.starts == 1, "silent alone restarts nothing"


async def test_a_silence_that_is_too_long_opens_the_wire_anew() -> None:
    clock = Hand()
    driver = ScriptedDriver(for_ever)
    supervisor = supervised(driver, clock, restart_after_s=0.01)

    def restarted() -> bool:
        clock.now += 0.01
        return driver.starts >= 3

    await run_until(supervisor, restarted)
    assert "said nothing" in str(supervisor.health().last_error)


async def test_a_settled_run_ends_a_series_of_failures() -> None:
    clock = Hand()

    async def settled_then_lost(sink: Sink) -> None:
        sink.alive()
        clock.now += 60
        raise DeviceUnreachable("pulled")

    driver = ScriptedDriver(*[fails(DeviceUnreachable("gone"))] * 5, settled_then_lost, for_ever)
    supervisor = supervised(driver, clock)
    await run_until(supervisor, lambda: driver.starts == 7)
    assert supervisor._failures_in_a_row == 1


async def test_a_reading_that_cannot_become_durable_raises_no_alarm_of_its_own() -> None:
    """The agent is going down; a polling driver does not wait for the future."""
    sink = QuickSink()
    sink.fail = True
    driver = ScriptedDriver(says(CODE))
    supervisor = Supervisor("it", driver, sink, random=Random(1), monotonic=Hand())
    await run_until(supervisor, lambda: bool(sink.readings))


async def test_commands_pass_through() -> None:
    driver = ScriptedDriver(for_ever)
    command = MoveArm(device="north", move=Move.OPEN)
    assert await supervised(driver, Hand()).command(command, timeout_s=2) == Done(reference="2")
    assert driver.commands == [command]
