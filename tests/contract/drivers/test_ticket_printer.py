"""A ticket printer that prints, runs out, jams and says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.ports import Condition, ConditionReading, Done, MalformedReading, PrintSlip
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import PrinterRig

TICKET = PrintSlip(
    device="north-printer",
    title="Parkhaus Nord",
    lines=("Entry 12:30", "\x10\x14\x08 code 7K3F", "x" * 300),
    code="NCF3.B:% + $TEST",
)


@asynccontextmanager
async def printer(folder: Path, **settings: object) -> AsyncIterator[tuple[PrinterRig, Ears]]:
    rig = PrinterRig(folder, **settings)
    rig.bring_back()
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: bool(states(ears)))
    yield rig, ears
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.lose()


def states(ears: Ears) -> list[frozenset[Condition] | None]:
    return [each.conditions for each in ears.heard if isinstance(each, ConditionReading)]


@pytest.mark.parametrize("style", ["epson", "custom"])
async def test_a_slip_comes_out_with_its_words_and_its_code(tmp_path: Path, style: str) -> None:
    async with printer(tmp_path, style=style) as (rig, ears):
        assert await rig.driver.command(TICKET, timeout_s=5) == Done()
        assert await rig.driver.command(TICKET, timeout_s=5) == Done()
    first, _ = rig.wire.slips
    assert [line for line in first.lines if line][:3] == ["Parkhaus Nord", "Entry 12:30", " code 7K3F"]
    assert len(first.lines[3]) == 64, "a line is no longer than the paper is wide"
    assert first.codes == ["NCF3.B:% + $TEST"]
    assert not [each for each in ears.heard if isinstance(each, MalformedReading)]


@pytest.mark.parametrize(
    "wrong", [Condition.PAPER_OUT, Condition.PAPER_JAM, Condition.COVER_OPEN, Condition.FAULT]
)
@pytest.mark.parametrize("style", ["epson", "custom"])
async def test_a_printer_that_cannot_print_refuses_by_name_and_prints_nothing_later(
    tmp_path: Path, style: str, wrong: Condition
) -> None:
    async with printer(tmp_path, style=style) as (rig, ears):
        rig.wire.becomes(wrong)
        await ears.until(lambda: states(ears)[-1] == frozenset({wrong}))
        with pytest.raises(CommandRefused, match=wrong.value):
            await rig.driver.command(TICKET, timeout_s=5)
        rig.wire.becomes()
        await ears.until(lambda: states(ears)[-1] == frozenset())
        assert rig.wire.slips == []
        assert await rig.driver.command(TICKET, timeout_s=5) == Done()
        assert len(rig.wire.slips) == 1


async def test_paper_that_runs_low_is_told_and_printed_on(tmp_path: Path) -> None:
    async with printer(tmp_path) as (rig, ears):
        rig.wire.becomes(Condition.PAPER_LOW)
        await ears.until(lambda: states(ears)[-1] == frozenset({Condition.PAPER_LOW}))
        assert await rig.driver.command(TICKET, timeout_s=5) == Done()


async def test_paper_that_ends_halfway_refuses_and_leaves_nothing_for_the_next_driver(tmp_path: Path) -> None:
    async with printer(tmp_path) as (rig, ears):
        rig.wire.paper = 2
        with pytest.raises(CommandRefused, match="paper_out while it printed"):
            await rig.driver.command(TICKET, timeout_s=5)
        rig.wire.paper = None
        await asyncio.sleep(0.05)
        rig.wire.becomes()
        await ears.until(lambda: states(ears)[-1] == frozenset())
        assert await rig.driver.command(TICKET, timeout_s=5) == Done()
        assert [slip.codes for slip in rig.wire.slips] == [["NCF3.B:% + $TEST"]]


async def test_a_ticket_that_nobody_takes_is_told_after_its_time(tmp_path: Path) -> None:
    async with printer(tmp_path, style="custom", take_within_s=0.2) as (rig, ears):
        rig.wire.takes_tickets = False
        assert await rig.driver.command(TICKET, timeout_s=5) == Done()
        await ears.until(lambda: states(ears)[-1] == frozenset({Condition.NOT_TAKEN}))
        assert states(ears)[:-1] == [frozenset()]
        rig.wire.becomes()
        await ears.until(lambda: states(ears)[-1] == frozenset())


async def test_a_printer_that_says_nothing_is_not_known_and_is_sent_nothing(tmp_path: Path) -> None:
    async with printer(tmp_path, answer_s=0.05) as (rig, ears):
        rig.wire.mute = True
        await ears.until(lambda: states(ears)[-1] is None)
        with pytest.raises(DeviceUnreachable, match="how it is"):
            await rig.driver.command(TICKET, timeout_s=5)
        assert rig.wire.slips == []


async def test_a_plug_pulled_while_a_slip_is_sent_leaves_it_unanswered(tmp_path: Path) -> None:
    async with printer(tmp_path, baud=1_200) as (rig, _):
        printing = asyncio.create_task(rig.driver.command(TICKET, timeout_s=30))
        await asyncio.sleep(0.3)
        assert not printing.done(), "nearly 300 bytes take two seconds at this rate"
        rig.lose()
        with pytest.raises(CommandUnanswered):
            await printing


async def test_a_printer_gone_mad_is_heard_a_few_times_a_second(tmp_path: Path) -> None:
    async with printer(tmp_path) as (rig, ears):
        for _ in range(300):
            rig.wire.rubbish(b"\xff" * 64)
            await asyncio.sleep(0)
        rig.wire.becomes(Condition.PAPER_LOW)
        await ears.until(lambda: states(ears)[-1] == frozenset({Condition.PAPER_LOW}))
        assert len([each for each in ears.heard if isinstance(each, MalformedReading)]) <= 12


async def test_a_code_that_cannot_stand_on_paper_is_refused(tmp_path: Path) -> None:
    async with printer(tmp_path) as (rig, _):
        wrong = PrintSlip(device="north-printer", title="", code="a\x1bb")
        with pytest.raises(CommandRefused, match="control character"):
            await rig.driver.command(wrong, timeout_s=5)
