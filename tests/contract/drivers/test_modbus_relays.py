"""Relay boards: a button is pressed and let go by the board itself; one silent board stops nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.modbus.relays import FlashOn
from drivers.ports import InputReading, Move, MoveArm, SwitchOutput
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.relay_rig import SAFETY_LOOP, RelayRig

UNITS = {"north", "south", "west"}


@asynccontextmanager
async def boards(folder: Path, **settings: object) -> AsyncIterator[tuple[RelayRig, Ears]]:
    rig = RelayRig(folder, **settings)
    rig.bring_back()
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: {each.device for each in ears.heard if isinstance(each, InputReading)} == UNITS)
    yield rig, ears
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.lose()


def unknown(ears: Ears, device: str) -> bool:
    told = [each for each in ears.heard if isinstance(each, InputReading) and each.device == device]
    return all(closed is None for closed in told[-1].closed.values())


def test_the_frame_is_the_one_that_the_maker_publishes() -> None:
    """The wiki's example: relay 0 of board 1 for 700 ms."""
    frame = FramerRTU(DecodePDU(is_server=False)).buildFrame(FlashOn(relay=0, tenths=7, dev_id=1))
    assert frame == bytes.fromhex("01 05 02 00 00 07 8D B0")


async def test_a_button_is_pressed_for_its_time_and_the_others_are_let_go(tmp_path: Path) -> None:
    async with boards(tmp_path, pulse_ms=700) as (rig, _):
        board = rig.wire.boards[1]
        board.relays[1] = True
        await rig.driver.command(MoveArm(device="north", move=Move.OPEN), timeout_s=2)
        assert board.pulses == [(0, 700)]
        assert board.relays == [False] * 8
        assert rig.wire.boards[2].pulses == []


async def test_the_arm_is_not_driven_down_on_a_vehicle(tmp_path: Path) -> None:
    async with boards(tmp_path, poll_ms=1_000, known_ms=5_000) as (rig, _):
        rig.wire.boards[1].inputs[SAFETY_LOOP] = True
        with pytest.raises(CommandRefused, match="safety loop"):
            await rig.driver.command(MoveArm(device="north", move=Move.CLOSE), timeout_s=2)
        assert rig.wire.boards[1].pulses == []


async def test_a_lamp_stays_as_it_was_told(tmp_path: Path) -> None:
    async with boards(tmp_path) as (rig, _):
        for on in (True, False):
            await rig.driver.command(SwitchOutput(device="south", output="full", on=on), timeout_s=2)
            assert rig.wire.boards[2].relays[7] is on
        with pytest.raises(CommandRefused):
            await rig.driver.command(SwitchOutput(device="south", output="party", on=True), timeout_s=2)


async def test_one_silent_slave_of_three_stops_nobody_and_comes_back(tmp_path: Path) -> None:
    """Complaints row 23: what the silent one costs the others is one time-out of `answer_ms` each `probe_ms`."""
    async with boards(tmp_path, known_ms=3_000, answer_ms=30, probe_ms=200) as (rig, ears):
        rig.wire.mute.add(2)
        await ears.until(lambda: unknown(ears, "south"))
        before, since = dict(rig.wire.polls), time.monotonic()
        alive = ears.alive_count
        await ears.until(lambda: ears.alive_count > alive + 20)
        took_s = time.monotonic() - since
        assert rig.wire.polls[1] - before[1] >= 8
        assert rig.wire.polls[3] - before[3] >= 8
        assert took_s < 5, "twenty polls, every 40 ms at two boards, and at most five probes of 30 ms"
        assert not unknown(ears, "north")
        assert not unknown(ears, "west")
        asked_at = time.monotonic()
        await rig.driver.command(MoveArm(device="west", move=Move.OPEN), timeout_s=5)
        assert time.monotonic() - asked_at < 2
        with pytest.raises(CommandUnanswered):
            await rig.driver.command(MoveArm(device="south", move=Move.OPEN), timeout_s=5)
        rig.wire.mute.clear()
        await ears.until(lambda: not unknown(ears, "south"))
