"""A stay whose line is cut at any of its instants (complaints row 5): each fact arrives once, in order, with its own time.

The line dies, the unit goes on without it, the power goes, the unit comes back, and the line is cut again while the backlog drains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers.ports import Move
from edge.change import Change, fact
from edge.ledger import Ledger
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, SpotId, StayId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.stays import Credential, CredentialKind, Stay, StayEvent, StayState
from sync.chain import unpack_envelope
from sync.events import EventKind
from sync.instants import to_us
from tests.integration.edge.centre import Centre, listening
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit
from tests.unit.sync.two_ends import GATEWAY, KEY

ENTERED_AT = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
NOWHERE = "ws://127.0.0.1:9/api/v1/link"
Step = Callable[[Ledger, datetime], Change]


def admitted(ledger: Ledger, at: datetime) -> Change:
    spot: SpotId = ledger.lot.spots[0].id
    claim = Claim(
        id=ClaimId("claim"),
        spot=spot,
        type=SpotType.REGULAR,
        window=Interval(at, at + timedelta(hours=4)),
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id="stay",
        state=ClaimState.FIRM,
        sold_by=Tier.EDGE,
        epoch=1,
        version=1,
    )
    stay = Stay(
        id=StayId("stay"),
        credential=Credential(kind=CredentialKind.TICKET, subject="stay"),
        type=SpotType.REGULAR,
        state=StayState.ADMITTED,
        lane="in-1",
        admitted_at=at,
        claim=claim.id,
        tariff_version="t 1",
    )
    return Change.record(at=at, claims=(claim,), stays=(stay,))


def gate(move: Move) -> Step:
    def moved(_: Ledger, at: datetime) -> Change:
        return Change(
            events=(fact(EventKind.GATE_MOVED, to_us(at), lane="in-1", move=move.value, stay="stay"),)
        )

    return moved


def entered(ledger: Ledger, at: datetime) -> Change:
    return Change.record(at=at, stays=(_stay(ledger).after(StayEvent.ENTERED, at),))


def left(ledger: Ledger, at: datetime) -> Change:
    stay = _stay(ledger)
    return Change.record(at=at, claims=ledger.book.release_of(stay), stays=(stay.after(StayEvent.LEFT, at),))


def _stay(ledger: Ledger) -> Stay:
    stay = ledger.stay(StayId("stay"))
    assert stay is not None
    return stay


STEPS: Sequence[Step] = (
    admitted,
    gate(Move.OPEN),
    entered,
    gate(Move.CLOSE),
    gate(Move.OPEN),
    left,
    gate(Move.CLOSE),
)
TOLD = [
    ("claim_changed", 0),
    ("stay_admitted", 0),
    ("gate_moved", 1),
    ("stay_entered", 2),
    ("gate_moved", 3),
    ("gate_moved", 4),
    ("claim_changed", 5),
    ("stay_left", 5),
    ("gate_moved", 6),
]


async def do(unit: Unit, first: int, last: int) -> None:
    """Do these steps, each in its own minute."""
    for number in range(first, last):
        await unit.ledger.commit(STEPS[number](unit.ledger, ENTERED_AT + timedelta(minutes=number)))


@pytest.mark.parametrize("cut_after", range(len(STEPS) + 1))
async def test_a_stay_cut_at_any_instant_is_told_once_in_order_and_with_its_own_times(
    tmp_path: Path, cut_after: int
) -> None:
    centre, ledger = Centre(), tmp_path / "ledger.sqlite"
    async with listening(centre) as url, linked_unit(ledger, url, gateway=GATEWAY, key=KEY) as unit:
        await do(unit, 0, cut_after)
        await eventually(lambda: centre.disk.acknowledged_seq == unit.ledger.last_seq)
    async with linked_unit(ledger, NOWHERE, gateway=GATEWAY, key=KEY) as unit:
        await do(unit, cut_after, len(STEPS))
    centre.hang_up_after = 3
    async with listening(centre) as url, linked_unit(ledger, url, gateway=GATEWAY, key=KEY) as unit:
        await eventually(lambda: centre.connections > 1 and centre.disk.inbox != {})
        centre.hang_up_after = None
        await eventually(lambda: centre.disk.acknowledged_seq == unit.ledger.last_seq)
    assert centre.disk.applied == sorted(set(centre.disk.applied))
    assert told(centre) == TOLD


def told(centre: Centre) -> list[tuple[str, int]]:
    """The facts of the stay as the centre has them: kind, and the minute that the fact itself names."""
    found = []
    for seq in centre.disk.applied:
        envelope = unpack_envelope(centre.disk.inbox[seq].body)
        if envelope.kind in {kind for kind, _ in TOLD}:
            at_us = envelope.body["at_us"]
            assert isinstance(at_us, int)
            found.append((envelope.kind, (at_us - to_us(ENTERED_AT)) // 60_000_000))
    return found
