"""Words of the commit that a lot cannot take: each is counted by its name and changes nothing in the ledger; what is repeated changes nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from parking.claims import ClaimState
from parking.ids import SpotId
from parking.lot import SpotType
from sync.messages import Answer, Decision, Prepare
from sync.part import ParticipantState
from sync.rows import claim_row
from tests.integration.edge.linked_unit import Unit, linked_unit
from tests.integration.edge.test_commit import COMMITTED, PREPARE, RESERVATION
from tests.unit.sync.two_ends import GATEWAY, KEY

NOWHERE = "ws://127.0.0.1:9/api/v1/link"


@pytest.fixture
async def unit(tmp_path: Path) -> AsyncIterator[Unit]:
    async with linked_unit(tmp_path / "ledger.sqlite", NOWHERE, gateway=GATEWAY, key=KEY) as unit:
        yield unit


def picture(unit: Unit) -> tuple[object, ...]:
    """Everything of the commit that the ledger has."""
    ledger = unit.ledger
    return ledger.last_seq, ledger.last_hash, tuple(ledger.parts()), tuple(ledger.book.claims())


async def hear(unit: Unit, *frames: Prepare | Decision | Answer) -> None:
    for frame in frames:
        unit.commitments.hear(frame)
    await unit.ledger.durable()


async def test_a_decision_whose_claim_is_none_is_counted_as_malformed_and_changes_nothing(unit: Unit) -> None:
    await hear(unit, PREPARE)
    before = picture(unit)
    await hear(unit, replace(COMMITTED, claim={"id": "x"}), replace(COMMITTED, claim={}))
    assert unit.commitments.refused == {"malformed": 2}
    assert picture(unit) == before


async def test_a_decision_on_a_spot_of_another_lot_is_counted_and_changes_nothing(unit: Unit) -> None:
    await hear(unit, PREPARE)
    (held,) = unit.ledger.book.claims()
    before = picture(unit)
    elsewhere = replace(held, spot=SpotId("00000000-0000-4000-8000-0000000000ff"))
    await hear(unit, replace(COMMITTED, claim=claim_row(elsewhere)))
    assert unit.commitments.refused == {"unknown_spot": 1}
    assert picture(unit) == before


async def test_an_answer_that_came_too_early_changes_nothing(unit: Unit) -> None:
    await hear(unit, PREPARE)
    before = picture(unit)
    await hear(unit, Answer(epoch=1, session=0, reservation=RESERVATION, revision=1, outcome="undecided"))
    assert picture(unit) == before
    assert not unit.commitments.refused


@pytest.mark.parametrize("epoch", [0, 2])
async def test_a_prepare_of_another_life_of_the_lot_holds_nothing(unit: Unit, epoch: int) -> None:
    await hear(unit, replace(PREPARE, epoch=epoch))
    assert [claim.state for claim in unit.ledger.book.claims()] == []
    assert list(unit.ledger.parts()) == []


async def test_a_prepare_for_what_the_lot_does_not_have_is_refused_once_and_for_all(unit: Unit) -> None:
    await hear(unit, replace(PREPARE, type=SpotType.EV.value))
    assert not [claim for claim in unit.ledger.book.claims() if claim.state is not ClaimState.RELEASED]
    before = picture(unit)
    await hear(unit, replace(PREPARE, type=SpotType.EV.value), PREPARE)
    assert picture(unit) == before, "what was refused stays refused"


async def test_what_is_repeated_changes_nothing_twice(unit: Unit) -> None:
    await hear(unit, PREPARE)
    prepared = picture(unit)
    await hear(unit, PREPARE, PREPARE)
    assert picture(unit) == prepared
    await hear(unit, COMMITTED)
    committed = picture(unit)
    assert [claim.state for claim in unit.ledger.book.claims()] == [ClaimState.FIRM]
    await hear(unit, COMMITTED, PREPARE, COMMITTED)
    assert picture(unit) == committed
    assert [part.state for part in unit.ledger.parts()] == [ParticipantState.COMM]
