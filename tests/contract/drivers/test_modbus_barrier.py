"""A bus with three barrier controllers on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.errors import CommandRefused, CommandUnanswered, DriverMisconfigured
from drivers.ports import Input, InputReading, Move, MoveArm, RememberEpoch
from drivers.registry import make_driver
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import BarrierRig

UNITS = ("north", "south", "west")


@asynccontextmanager
async def bus(folder: Path, **settings: object) -> AsyncIterator[tuple[BarrierRig, Ears]]:
    rig = BarrierRig(folder, **settings)
    rig.bring_back()
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: {name for name, _ in contacts(ears)} == set(UNITS))
    yield rig, ears
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.lose()


def contacts(ears: Ears) -> list[tuple[str, dict[Input, bool | None]]]:
    return [(each.device, dict(each.closed)) for each in ears.heard if isinstance(each, InputReading)]


def unknown(ears: Ears, device: str) -> bool:
    """Tell whether the last that was heard of a unit is that nothing is known."""
    told = [closed for name, closed in contacts(ears) if name == device]
    return bool(told) and all(closed is None for closed in told[-1].values())


async def test_each_unit_is_told_once_at_first_and_then_when_it_changes(tmp_path: Path) -> None:
    async with bus(tmp_path, known_ms=3_000) as (rig, ears):  # a busy machine's pauses are not the subject
        alive = ears.alive_count
        await ears.until(lambda: ears.alive_count > alive + 12)
        assert len(contacts(ears)) == 3, "three polls of each unit changed nothing, so nothing is told"
        rig.barriers[2].safety_loop(1, time.monotonic())
        await ears.until(lambda: len(contacts(ears)) == 4)
        device, closed = contacts(ears)[-1]
        assert device == "south"
        assert closed[Input.SAFETY_LOOP] is True
        assert closed[Input.ARM_DOWN] is True


async def test_one_dead_unit_becomes_unknown_and_the_others_go_on(tmp_path: Path) -> None:
    """Complaints row 23."""
    async with bus(tmp_path) as (rig, ears):
        rig.wire.mute.add(2)
        muted_at = time.monotonic()
        await ears.until(lambda: unknown(ears, "south"))
        assert time.monotonic() - muted_at < 0.5, "known for 100 ms, a turn of the others, and a busy machine"
        before = dict(rig.wire.polls)
        await asyncio.sleep(0.5)
        assert rig.wire.polls[1] - before[1] > 4
        assert rig.wire.polls[3] - before[3] > 4
        assert not unknown(ears, "north")
        assert not unknown(ears, "west")
        rig.wire.mute.clear()
        await ears.until(lambda: not unknown(ears, "south"))


async def test_nothing_is_known_of_any_unit_once_the_plug_is_pulled(tmp_path: Path) -> None:
    async with bus(tmp_path) as (rig, ears):
        rig.lose()
        await ears.until(lambda: all(unknown(ears, name) for name in UNITS))


async def test_the_arm_moves_and_its_end_positions_are_seen(tmp_path: Path) -> None:
    async with bus(tmp_path) as (rig, ears):
        for move, end in ((Move.OPEN, Input.ARM_UP), (Move.CLOSE, Input.ARM_DOWN)):
            await rig.driver.command(MoveArm(device="west", move=move), timeout_s=1)
            await ears.until(lambda end=end: contacts(ears)[-1][1][end] is True)  # type: ignore[misc] # a lambda's default
        assert [record.move for record in rig.barriers[3].moves] == [Move.OPEN, Move.CLOSE]


async def test_the_arm_is_not_driven_down_on_a_vehicle_that_no_poll_has_seen_yet(tmp_path: Path) -> None:
    async with bus(tmp_path, poll_ms=1_000, known_ms=5_000) as (rig, _):
        rig.barriers[1].safety_loop(1, time.monotonic())
        with pytest.raises(CommandRefused, match="safety loop"):
            await rig.driver.command(MoveArm(device="north", move=Move.CLOSE), timeout_s=1)
        await rig.driver.command(MoveArm(device="north", move=Move.OPEN), timeout_s=1)
        assert [record.move for record in rig.barriers[1].moves] == [Move.OPEN]


async def test_a_controller_that_refuses_and_one_that_is_silent_are_told_apart(tmp_path: Path) -> None:
    async with bus(tmp_path) as (rig, _):
        rig.barriers[1].fault = True
        with pytest.raises(CommandRefused, match="failed to do it"):
            await rig.driver.command(MoveArm(device="north", move=Move.OPEN), timeout_s=1)
        rig.wire.mute.add(2)
        with pytest.raises(CommandUnanswered):
            await rig.driver.command(MoveArm(device="south", move=Move.OPEN), timeout_s=1)


async def test_a_command_waits_for_one_transaction_and_not_for_a_round(tmp_path: Path) -> None:
    """With two dead units a round takes two time-outs of 200 ms; a command meets at most one of them."""
    async with bus(tmp_path, answer_ms=200, probe_ms=50) as (rig, ears):
        rig.wire.mute.update({2, 3})
        await ears.until(lambda: unknown(ears, "south") and unknown(ears, "west"))
        for _ in range(4):
            asked_at = time.monotonic()
            await rig.driver.command(MoveArm(device="north", move=Move.OPEN), timeout_s=2)
            assert time.monotonic() - asked_at < 0.39


async def test_the_watchdog_is_fed_at_each_unit(tmp_path: Path) -> None:
    async with bus(tmp_path, watchdog_ms=50) as (rig, ears):
        await ears.until(lambda: all(count >= 3 for count in rig.wire.watchdogs.values()))


async def test_a_controller_remembers_the_highest_epoch_that_it_was_told(tmp_path: Path) -> None:
    async with bus(tmp_path, epoch_register=0) as (rig, _):
        for epoch, before, after in ((3, 0, 3), (3, 3, 3), (2, 3, 3), (7, 3, 7)):
            told = await rig.driver.command(RememberEpoch(device="south", epoch=epoch), timeout_s=5)
            assert (told.reference, rig.wire.epochs) == (str(before), {1: 0, 2: after, 3: 0})
        with pytest.raises(CommandRefused):
            await rig.driver.command(RememberEpoch(device="south", epoch=70_000), timeout_s=5)
    async with bus(tmp_path) as (rig, _):
        with pytest.raises(CommandRefused):
            await rig.driver.command(RememberEpoch(device="south", epoch=1), timeout_s=5)


async def test_a_contact_that_opens_where_others_close_is_turned_round(tmp_path: Path) -> None:
    async with bus(tmp_path, known_ms=3_000, inverted=["safety_loop"]) as (_, ears):
        assert contacts(ears)[0][1][Input.SAFETY_LOOP] is True
        assert contacts(ears)[0][1][Input.ARMING_LOOP] is False


async def test_parity_that_a_port_cannot_do_is_a_wrong_setting(tmp_path: Path) -> None:
    rig = BarrierRig(tmp_path, parity="even")
    rig.bring_back()
    with pytest.raises(DriverMisconfigured, match="parity"):
        await rig.driver.run(Ears())
    rig.lose()


def test_a_bus_too_slow_for_its_units_is_refused_before_it_runs() -> None:
    table = {
        "port": "/dev/none",
        "baud": 9_600,
        "units": {f"lane {number}": number for number in range(1, 9)},
    }
    with pytest.raises(DriverMisconfigured, match="raise baud"):
        make_driver("modbus_barrier", "bus", table)


async def test_answers_that_came_while_our_own_loop_was_busy_are_no_silence(tmp_path: Path) -> None:
    """The loop stalls for longer than a unit may take, again and again; the answers lie in the port's buffer all the while."""
    async with bus(tmp_path, known_ms=3_000) as (rig, ears):
        alive = ears.alive_count
        for _ in range(12):
            await asyncio.sleep(0.02)
            time.sleep(0.04)  # noqa: ASYNC251 - the stall is the subject
        await ears.until(lambda: ears.alive_count > alive + 12)
        assert not any(unknown(ears, device) for device in UNITS)
        assert rig.wire.polls[1] > 0
