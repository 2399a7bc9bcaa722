"""A reader on a real pseudo-terminal, quiet for hours or gone mad."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from drivers.ports import CodeReading, MalformedReading
from drivers.registry import make_driver
from simulators.wire.pty import Pty
from simulators.wire.serial_reader import SerialReaderWire
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import ReaderRig


async def listening(rig: ReaderRig, ears: Ears) -> asyncio.Task[None]:
    rig.bring_back()
    task = asyncio.create_task(rig.driver.run(ears))
    while not ears.heard:
        await rig.speak(0)
        await asyncio.sleep(0.01)
    ears.heard.clear()
    return task


async def finish(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_spaces_belong_to_the_code(tmp_path: Path) -> None:
    rig, ears = ReaderRig(tmp_path), Ears()
    task = await listening(rig, ears)
    assert rig.wire.scan("  A B ")
    await ears.hear(lambda reading: isinstance(reading, CodeReading) and reading.text == "  A B ")
    await finish(task)
    rig.lose()


async def test_a_line_that_is_never_ended_is_given_up_and_the_next_one_is_whole(tmp_path: Path) -> None:
    rig, ears = ReaderRig(tmp_path), Ears()
    task = await listening(rig, ears)
    rig.wire.rubbish(b"half a co")
    await ears.hear(lambda reading: isinstance(reading, MalformedReading) and reading.raw == b"half a co")
    assert rig.wire.scan("WHOLE")
    await ears.hear(lambda reading: isinstance(reading, CodeReading) and reading.text == "WHOLE")
    await finish(task)
    rig.lose()


async def test_a_card_reader_tells_the_card(tmp_path: Path) -> None:
    pty = Pty(tmp_path / "cards")
    wire = SerialReaderWire(pty)
    wire.start()
    ears = Ears()
    driver = make_driver("serial_reader", "cards", {"port": str(pty.link), "style": "em4100"})
    task = asyncio.create_task(driver.run(ears))
    while not ears.heard:
        assert wire.card(bytes.fromhex("010063E9AE"))
        await asyncio.sleep(0.02)
    reading = ears.heard[0]
    assert isinstance(reading, CodeReading)
    assert reading.text == "010063E9AE"
    assert reading.attributes["printed"] == "0006547886"
    await finish(task)
    wire.stop()


async def test_a_reader_gone_mad_starves_nobody_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    """Ten thousand lines in about a second."""
    rig, ears = ReaderRig(tmp_path), Ears()
    task = await listening(rig, ears)
    longest_s, sent, began_at = 0.0, 0, time.monotonic()
    while sent < 10_000:
        turn_at = time.monotonic()
        for _ in range(100):
            sent += rig.wire.scan(f"MAD {sent:05d}")
        await asyncio.sleep(0.001)
        longest_s = max(longest_s, time.monotonic() - turn_at)
    assert longest_s < 0.5, "the loop had its turns"
    assert time.monotonic() - began_at < 30
    await asyncio.sleep(1.1)
    assert rig.wire.scan("SANE")
    await ears.hear(lambda reading: isinstance(reading, CodeReading) and reading.text == "SANE")
    codes = [reading for reading in ears.heard if isinstance(reading, CodeReading)]
    told = [reading for reading in ears.heard if isinstance(reading, MalformedReading)]
    left_out = sum(int(reading.problem.split()[0]) for reading in told)
    assert len(codes) - 1 + left_out == 10_000, "nothing vanished"
    assert len(codes) < 50 * (time.monotonic() - began_at + 2)
    await finish(task)
    rig.lose()
