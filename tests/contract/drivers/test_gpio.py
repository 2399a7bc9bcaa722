"""A gate and the house's alarm on simulated pins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.errors import CommandRefused, DriverMisconfigured
from drivers.ports import Input, InputReading, Move, MoveArm, SwitchOutput
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import GpioRig


@asynccontextmanager
async def board(folder: Path, **settings: object) -> AsyncIterator[tuple[GpioRig, Ears]]:
    rig = GpioRig(folder, **settings)
    rig.bring_back()
    rig.wire.contact(rig.FIRE_ALARM, closed=True)  # its loop is whole: no alarm
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(
        lambda: {each.device for each in ears.heard if isinstance(each, InputReading)} >= {"gate", "house"}
    )
    yield rig, ears
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.lose()


def told(ears: Ears, device: str, contact: Input) -> list[bool | None]:
    readings = [each for each in ears.heard if isinstance(each, InputReading) and each.device == device]
    return [reading.closed[contact] for reading in readings]


async def drives(rig: GpioRig, pin: int, *, high: bool) -> None:
    while rig.wire.drives(pin) is not high:  # noqa: ASYNC110 - a simulated pin is looked at, it does not call
        await asyncio.sleep(0.002)


async def test_a_contact_that_bounces_is_told_once(tmp_path: Path) -> None:
    async with board(tmp_path) as (rig, ears):
        rig.wire.chatter(rig.SAFETY_LOOP, times=5)
        rig.wire.contact(rig.SAFETY_LOOP, closed=True)
        await ears.until(lambda: told(ears, "gate", Input.SAFETY_LOOP)[-1] is True)
        assert told(ears, "gate", Input.SAFETY_LOOP) == [False, True]


async def test_a_cut_wire_to_an_alarm_that_opens_is_an_alarm(tmp_path: Path) -> None:
    async with board(tmp_path) as (rig, ears):
        assert told(ears, "house", Input.FIRE_ALARM) == [False]
        rig.wire.contact(rig.FIRE_ALARM, closed=False)
        await ears.until(lambda: told(ears, "house", Input.FIRE_ALARM) == [False, True])


async def test_a_relay_presses_a_button_and_lets_go_and_only_one_at_a_time(tmp_path: Path) -> None:
    async with board(tmp_path, pulse_ms=60) as (rig, _):
        await rig.driver.command(MoveArm(device="gate", move=Move.OPEN), timeout_s=1)
        assert rig.wire.drives(rig.OPEN)
        await rig.driver.command(MoveArm(device="gate", move=Move.CLOSE), timeout_s=1)
        assert (rig.wire.drives(rig.OPEN), rig.wire.drives(rig.CLOSE)) == (False, True)
        await drives(rig, rig.CLOSE, high=False)


async def test_the_arm_is_not_driven_down_on_a_loop_that_has_not_settled_yet(tmp_path: Path) -> None:
    async with board(tmp_path, debounce_ms=200, look_ms=20, restless_ms=5_000) as (rig, _):
        rig.wire.contact(rig.SAFETY_LOOP, closed=True)
        with pytest.raises(CommandRefused, match="occupied"):
            await rig.driver.command(MoveArm(device="gate", move=Move.CLOSE), timeout_s=1)
        await rig.driver.command(MoveArm(device="gate", move=Move.OPEN), timeout_s=1)


async def test_a_loop_that_finds_no_rest_is_not_known_and_the_arm_stays_up(tmp_path: Path) -> None:
    async with board(tmp_path, restless_ms=60, debounce_ms=40) as (rig, ears):
        while None not in told(ears, "gate", Input.SAFETY_LOOP):
            rig.wire.chatter(rig.SAFETY_LOOP, times=1)
            await asyncio.sleep(0.005)
        rig.wire.chatter(rig.SAFETY_LOOP, times=1)
        with pytest.raises(CommandRefused, match="not known"):
            await rig.driver.command(MoveArm(device="gate", move=Move.CLOSE), timeout_s=1)
        await ears.until(lambda: told(ears, "gate", Input.SAFETY_LOOP)[-1] is False)


async def test_a_lamp_stays_as_it_was_told_and_goes_out_with_the_driver(tmp_path: Path) -> None:
    async with board(tmp_path) as (rig, _):
        await rig.driver.command(SwitchOutput(device="gate", output="full", on=True), timeout_s=1)
        assert rig.wire.drives(rig.LAMP)
        await rig.driver.command(SwitchOutput(device="gate", output="full", on=False), timeout_s=1)
        assert not rig.wire.drives(rig.LAMP)
        with pytest.raises(CommandRefused, match="no lamp"):
            await rig.driver.command(SwitchOutput(device="gate", output="party", on=True), timeout_s=1)


async def test_a_pin_that_this_computer_does_not_have_is_a_wrong_setting(tmp_path: Path) -> None:
    rig = GpioRig(tmp_path, units={"gate": {"lamps": {"full": 99}}})
    rig.bring_back()
    with pytest.raises(DriverMisconfigured, match="99"):
        await rig.driver.run(Ears())
    rig.lose()


async def test_nothing_is_known_once_the_chip_is_gone(tmp_path: Path) -> None:
    async with board(tmp_path) as (rig, ears):
        rig.lose()
        await ears.until(lambda: None in told(ears, "gate", Input.SAFETY_LOOP))
        assert told(ears, "house", Input.FIRE_ALARM)[-1] is None
