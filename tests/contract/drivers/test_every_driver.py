"""What the agent may rely on, whichever hardware is behind the port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from drivers.back_off import BackOff
from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.ports import Done, Driver, MalformedReading, TakePayment
from drivers.supervisor import DriverState, Patience, Supervisor
from tests.contract.drivers.ears import PATIENCE_S, Ears
from tests.contract.drivers.rigs import Rig

STRANGE = TakePayment(device="nobody", key="k", amount_minor=1, currency="EUR")


@asynccontextmanager
async def running(driver: Driver, ears: Ears) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(driver.run(ears))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def heard(rig: Rig, ears: Ears, word: int) -> None:
    """Make the device say a word until it is heard: what is said to a closed port is lost, as it is with hardware."""
    while not any(rig.said(reading, word) for reading in ears.heard):
        await rig.speak(word)
        with suppress(TimeoutError):
            await ears.hear(lambda reading: rig.said(reading, word), within_s=0.3)


async def test_what_the_device_says_is_delivered(rig: Rig) -> None:
    ears = Ears()
    async with running(rig.driver, ears):
        await heard(rig, ears, 1)


async def test_a_device_that_is_not_there_is_unreachable(rig: Rig) -> None:
    rig.lose()
    with pytest.raises(DeviceUnreachable):
        await asyncio.wait_for(rig.driver.run(Ears()), PATIENCE_S)


async def test_a_wire_that_is_pulled_ends_the_run(rig: Rig) -> None:
    ears = Ears()
    async with running(rig.driver, ears) as task:
        await heard(rig, ears, 1)
        rig.lose()
        with pytest.raises(DeviceUnreachable):
            await asyncio.wait_for(asyncio.shield(task), PATIENCE_S)


async def test_under_its_supervisor_a_driver_comes_back_with_its_wire(rig: Rig) -> None:
    ears = Ears()
    supervisor = Supervisor(
        "it",
        rig.driver,
        ears,
        random=Random(1),
        monotonic=time.monotonic,
        back_off=BackOff(first_s=0.01, ceiling_s=0.05),
        patience=Patience(),
    )
    task = asyncio.create_task(supervisor.run())
    await heard(rig, ears, 1)
    rig.lose()
    while supervisor.health().restarts < 2:  # noqa: ASYNC110 - health is asked, it does not call
        await asyncio.sleep(0.005)
    assert supervisor.health().state in {DriverState.WAITING, DriverState.STARTING}
    assert supervisor.health().last_error is not None
    rig.bring_back()
    await heard(rig, ears, 2)
    await heard(rig, ears, 3)
    assert supervisor.health().crashes == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert supervisor.health().state is DriverState.STOPPED


async def test_a_driver_that_is_cancelled_gives_its_wire_back(rig: Rig) -> None:
    ears = Ears()
    async with running(rig.driver, ears):
        await heard(rig, ears, 1)
    again = Ears()
    async with running(rig.driver, again):
        await heard(rig, again, 5)


async def test_a_command_is_carried_out_or_refused(rig: Rig) -> None:
    ears = Ears()
    async with running(rig.driver, ears):
        await heard(rig, ears, 1)
        if rig.command is None:
            with pytest.raises(CommandRefused):
                await rig.driver.command(STRANGE, timeout_s=1)
            return
        assert isinstance(await rig.driver.command(rig.command, timeout_s=1), Done)


async def test_a_command_without_a_wire_was_not_told(rig: Rig) -> None:
    with pytest.raises(DeviceUnreachable if rig.command else CommandRefused):
        await rig.driver.command(rig.command or STRANGE, timeout_s=1)


async def test_a_command_for_another_kind_of_device_is_refused(rig: Rig) -> None:
    ears = Ears()
    async with running(rig.driver, ears):
        await heard(rig, ears, 1)
        with pytest.raises(CommandRefused):
            await rig.driver.command(STRANGE, timeout_s=1)


async def test_rubbish_is_told_or_passed_over_and_what_follows_is_understood(rig: Rig) -> None:
    ears = Ears()
    async with running(rig.driver, ears) as task:
        await heard(rig, ears, 1)
        await rig.talk_rubbish()
        await heard(rig, ears, 8)
        assert not task.done()
    malformed = [reading for reading in ears.heard if isinstance(reading, MalformedReading)]
    assert any(rig.rubbish in reading.raw for reading in malformed) is rig.keeps_rubbish
    assert all(reading.field and reading.problem for reading in malformed)
