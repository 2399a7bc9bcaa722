"""A barrier over Bluetooth: what is known of it and for how long, and an arm that is not driven down on a car."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble.barrier_profile import CONTACTS, read_state, write_state
from drivers.errors import CommandRefused, DeviceUnreachable, DriverMisconfigured, MalformedInput
from drivers.ports import Input, InputReading, Move, MoveArm
from drivers.registry import make_driver
from tests.contract.drivers.ble_rig import GattBarrierRig
from tests.contract.drivers.ears import Ears


@asynccontextmanager
async def connected(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[tuple[GattBarrierRig, Ears, asyncio.Task[None]]]:
    rig, ears = GattBarrierRig(folder, **settings), Ears()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", rig.bus.address)
    rig.bring_back()
    await rig.there()
    task = asyncio.create_task(rig.driver.run(ears))
    try:
        await ears.until(lambda: contact(ears, Input.ARM_DOWN) is True)
        yield rig, ears, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await rig.gone()


def contact(ears: Ears, name: Input) -> bool | None:
    """What was said last of a contact."""
    said = [reading.closed for reading in ears.heard if isinstance(reading, InputReading)]
    return said[-1].get(name) if said else None


def move(where: Move) -> MoveArm:
    return MoveArm(device="gate", move=where)


async def test_the_arm_moves_and_its_end_positions_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, monkeypatch) as (rig, ears, _):
        await rig.driver.command(move(Move.OPEN), timeout_s=5)
        await ears.until(lambda: contact(ears, Input.ARM_UP) is True)
        await rig.driver.command(move(Move.CLOSE), timeout_s=5)
        await ears.until(lambda: contact(ears, Input.ARM_DOWN) is True)
        assert [record.move for record in rig.barrier.moves] == [Move.OPEN, Move.CLOSE]


async def test_the_arm_is_not_driven_down_on_a_vehicle_that_was_not_told_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, monkeypatch) as (rig, _, _task):
        rig.controller.mute = True
        rig.barrier.safety_loop(1, time.monotonic())
        with pytest.raises(CommandRefused, match="safety loop"):
            await rig.driver.command(move(Move.CLOSE), timeout_s=5)
        assert rig.barrier.moves == []


async def test_a_controller_that_refuses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(tmp_path, monkeypatch) as (rig, _, _task):
        rig.barrier.fault = True
        with pytest.raises(CommandRefused):
            await rig.driver.command(move(Move.OPEN), timeout_s=5)


async def test_what_is_not_said_again_is_unknown_after_its_time_and_known_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, monkeypatch, silent_ms=30_000) as (rig, ears, _):
        rig.controller.mute = True
        await ears.until(lambda: contact(ears, Input.SAFETY_LOOP) is None)
        rig.controller.mute = False
        await ears.until(lambda: contact(ears, Input.SAFETY_LOOP) is False)


async def test_a_controller_that_is_connected_and_says_nothing_is_connected_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, monkeypatch, silent_ms=600) as (rig, ears, task):
        rig.controller.mute = True
        with pytest.raises(DeviceUnreachable, match="says nothing"):
            await asyncio.wait_for(asyncio.shield(task), 10)
        assert contact(ears, Input.SAFETY_LOOP) is None


async def test_a_controller_that_hangs_up_ends_the_run_and_nothing_is_known_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(tmp_path, monkeypatch) as (rig, ears, task):
        rig.controller.hang_up()
        with pytest.raises(DeviceUnreachable, match="hung up"):
            await asyncio.wait_for(asyncio.shield(task), 10)
        assert contact(ears, Input.SAFETY_LOOP) is None
        with pytest.raises(DeviceUnreachable):
            await rig.driver.command(move(Move.OPEN), timeout_s=1)


def test_settings_that_cannot_work_are_refused_before_anything_is_opened() -> None:
    for table, field in (
        ({}, "address"),
        ({"address": "gate"}, "address"),
        ({"address": "A4:C1:38:8D:18:B2", "known_ms": 5_000}, "known_ms"),
    ):
        with pytest.raises(DriverMisconfigured) as refused:
            make_driver("ble_barrier", "gate", table)
        assert refused.value.field == field


@given(st.dictionaries(st.sampled_from(CONTACTS), st.booleans()), st.integers(0, 1_000))
def test_a_state_is_read_as_it_was_written(closed: dict[Input, bool], counter: int) -> None:
    assert read_state(write_state(closed, counter)) == {name: closed.get(name) for name in CONTACTS}


def test_every_state_is_read_or_refused_by_name() -> None:
    for known in range(256):
        for closed in range(256):
            real = not (known | closed) >> 6 and not closed & ~known
            try:
                said = read_state(bytes([known, closed, 0]))
            except MalformedInput:
                assert not real
            else:
                assert real
                assert list(said) == list(CONTACTS)
    for length in (0, 1, 2, 4, 200):
        with pytest.raises(MalformedInput, match="3 bytes expected"):
            read_state(bytes(length))
