"""A payment terminal whose answers can be lost: money moves once, and what became of it can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.errors import CommandRefused, CommandUnanswered, NeverHeardOf
from drivers.ports import Done, LookupPayment, TakePayment
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import TerminalRig

LOOKUP = LookupPayment(device="till", key="k")


def pay(amount_minor: int = 450) -> TakePayment:
    return TakePayment(device="till", key="k", amount_minor=amount_minor, currency="EUR")


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[TerminalRig]:
    rig = TerminalRig(tmp_path)
    rig.bring_back()
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: ears.alive_count > 0)
    yield rig
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.lose()


async def test_a_payment_has_the_terminals_own_reference(till: TerminalRig) -> None:
    assert await till.driver.command(pay(), timeout_s=1) == Done(reference="T-000001")
    assert till.wire.taken_minor == 450


async def test_a_payment_that_is_asked_for_twice_is_taken_once(till: TerminalRig) -> None:
    first = await till.driver.command(pay(), timeout_s=1)
    assert await till.driver.command(pay(), timeout_s=1) == first
    assert till.wire.taken_minor == 450


async def test_a_lost_answer_is_unanswered_and_can_be_looked_up(till: TerminalRig) -> None:
    till.wire.lose_answers = 1
    with pytest.raises(CommandUnanswered):
        await till.driver.command(pay(), timeout_s=0.1)
    assert await till.driver.command(LOOKUP, timeout_s=1) == Done(reference="T-000001")


async def test_a_payment_under_way_is_not_known_until_it_ended(till: TerminalRig) -> None:
    till.wire.think_s = 0.2
    with pytest.raises(CommandUnanswered):
        await till.driver.command(pay(), timeout_s=0.05)
    with pytest.raises(CommandUnanswered, match="under way"):
        await till.driver.command(LOOKUP, timeout_s=1)
    assert await till.driver.command(pay(), timeout_s=1) == Done(reference="T-000001")
    assert till.wire.taken_minor == 450


async def test_a_key_that_the_terminal_never_heard_of_moved_no_money(till: TerminalRig) -> None:
    with pytest.raises(NeverHeardOf):
        await till.driver.command(LOOKUP, timeout_s=1)


async def test_a_declined_payment_stays_declined(till: TerminalRig) -> None:
    till.wire.decline = True
    for command in (pay(), LOOKUP):
        with pytest.raises(CommandRefused, match="card refused"):
            await till.driver.command(command, timeout_s=1)
    assert till.wire.taken_minor == 0


async def test_one_key_cannot_mean_two_amounts(till: TerminalRig) -> None:
    await till.driver.command(pay(450), timeout_s=1)
    with pytest.raises(CommandRefused, match="another amount"):
        await till.driver.command(pay(500), timeout_s=1)


@pytest.mark.parametrize("amount_minor", [0, -1])
async def test_an_amount_that_is_none_never_reaches_the_wire(till: TerminalRig, amount_minor: int) -> None:
    with pytest.raises(CommandRefused):
        await till.driver.command(pay(amount_minor), timeout_s=1)
    assert not till.wire.records


async def test_a_plug_pulled_while_a_customer_pays_leaves_the_payment_unanswered(till: TerminalRig) -> None:
    till.wire.think_s = 5
    paying = asyncio.create_task(till.driver.command(pay(), timeout_s=5))
    while not till.wire.customers:  # noqa: ASYNC110 - a simulated device is looked at, it does not call
        await asyncio.sleep(0.001)
    till.lose()
    with pytest.raises(CommandUnanswered, match="look it up"):
        await paying
