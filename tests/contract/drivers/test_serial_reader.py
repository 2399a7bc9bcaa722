"""A reader on a real pseudo-terminal, quiet for hours or gone mad."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

from drivers.back_off import BackOff
from drivers.ports import CodeReading, MalformedReading
from drivers.registry import make_driver
from drivers.supervisor import Supervisor
from simulators.wire.pty import Pty
from simulators.wire.serial_reader import SerialReaderWire
from tests.contract.drivers.ears import PATIENCE_S, Ears
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


async def test_beyond_its_lines_a_second_a_reader_is_counted_and_nothing_vanishes(tmp_path: Path) -> None:
    rig, ears = ReaderRig(tmp_path), Ears()
    task = await listening(rig, ears)
    said = [f"BUSY {number:03d}" for number in range(120)]
    for text in said:
        assert rig.wire.scan(text)

    def accounted() -> int:
        codes = [one.text for one in ears.heard if isinstance(one, CodeReading)]
        left_out = [int(one.problem.split()[0]) for one in ears.heard if isinstance(one, MalformedReading)]
        return len(set(codes) & set(said)) + sum(left_out)

    await ears.until(lambda: accounted() == len(said))
    assert not task.done(), "busy is not mad"
    await finish(task)
    rig.lose()


async def test_a_reader_gone_mad_is_left_alone_says_so_and_the_others_hear_everything(tmp_path: Path) -> None:
    """Lines as fast as the cable takes them, a plug that is pulled, and a third reader that nobody must notice a thing at."""
    mad, pulled, calm = [ReaderRig(_folder(tmp_path, name)) for name in ("mad", "pulled", "calm")]
    ears = {rig: Ears() for rig in (mad, pulled, calm)}
    supervisors = {rig: supervised(rig, ears[rig]) for rig in (mad, pulled, calm)}
    for rig in supervisors:
        rig.bring_back()
    tasks = [asyncio.create_task(one.run()) for one in supervisors.values()]
    for rig in supervisors:
        await say(rig, ears[rig], "FIRST")
    pulled.lose()
    for turn in range(200):
        while mad.wire.rubbish(b"MAD 12345\r" * 100) == 1_000:
            pass
        if turn % 10 == 0:
            assert calm.wire.scan(f"CALM {turn}")
        await asyncio.sleep(0.005)
    health = supervisors[mad].health()
    assert health.restarts >= 1
    assert str(health.last_error).startswith("DeviceGoneMad: ")
    assert health.crashes == 0
    await ears[calm].until(lambda: codes(ears[calm]) >= {f"CALM {turn}" for turn in range(0, 200, 10)})
    assert supervisors[calm].health().restarts == 0
    assert "DeviceUnreachable" in str(supervisors[pulled].health().last_error)
    pulled.bring_back()
    for rig in (pulled, mad):
        await say(rig, ears[rig], "AGAIN")
    for task in tasks:
        await finish(task)
    for rig in supervisors:
        rig.lose()


def _folder(path: Path, name: str) -> Path:
    (path / name).mkdir()
    return path / name


def supervised(rig: ReaderRig, ears: Ears) -> Supervisor:
    back_off = BackOff(first_s=0.01, ceiling_s=0.2)
    return Supervisor("it", rig.driver, ears, random=Random(1), monotonic=time.monotonic, back_off=back_off)


def codes(ears: Ears) -> set[str]:
    return {reading.text for reading in ears.heard if isinstance(reading, CodeReading)}


async def say(rig: ReaderRig, ears: Ears, text: str) -> None:
    """Scan until it is heard: what is said to a closed port is lost, as it is with hardware."""
    async with asyncio.timeout(PATIENCE_S):
        while text not in codes(ears):
            rig.wire.scan(text)
            await asyncio.sleep(0.02)
