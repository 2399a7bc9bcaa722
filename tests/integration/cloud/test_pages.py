"""A page of the log: once in effect, in order, whatever is in it (complaints rows 5, 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pytest

from cloud.errors import SessionReplaced
from parking.claims import ClaimState
from parking.stays import StayState
from sync.chain import Envelope, next_hash, pack_envelope
from sync.inbox import read_rows
from sync.messages import LogRow
from sync.rows import claim_row, demand_row, payment_row, stay_row
from tests.integration.cloud.conftest import NOON, Lane1, claim, stay


async def test_a_stay_is_told_from_entry_to_exit(gateway: Lane1) -> None:
    sold = claim()
    car = stay(of=sold)
    gateway.log.claim(sold)
    gateway.log.stay("stay_entered", car)
    applied = await gateway.send()
    assert (applied.seq, applied.new) == (2, 2)
    assert await gateway.one("SELECT state FROM stays") == "inside"
    gateway.log.stay("stay_left", stay(id_=car.id, of=sold, state=StayState.LEFT, version=2))
    gateway.log.claim(claim(id_=sold.id, state=ClaimState.RELEASED, version=2))
    await gateway.send(3, 4)
    assert await gateway.one("SELECT state FROM stays") == "left"
    assert await gateway.one("SELECT state FROM claims") == "released"
    assert await gateway.one("SELECT acknowledged_seq FROM gateways") == 4


async def test_a_page_that_comes_again_is_taken_once(gateway: Lane1) -> None:
    for _ in range(3):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.send()
    again = await gateway.send()
    assert (again.seq, again.new) == (3, 0)
    assert await gateway.one("SELECT events_applied FROM gateways") == 3


async def test_a_page_that_overlaps_what_is_known_takes_only_the_rest(gateway: Lane1) -> None:
    for _ in range(5):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.send(1, 3)
    applied = await gateway.send(2, 5)
    assert (applied.seq, applied.new) == (5, 2)
    assert await gateway.one("SELECT count(*) FROM gateway_inbox") == 5
    assert await gateway.one("SELECT events_applied FROM gateways") == 5


async def test_without_the_inbox_key_a_repeated_page_shows_as_applied_twice(gateway: Lane1) -> None:
    """The inbox's key is the only thing that keeps an event from being applied twice: no other filter hides its absence."""
    gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.rows_do("ALTER TABLE gateway_inbox DROP CONSTRAINT gateway_inbox_pkey")
    await gateway.send()
    await gateway.send()
    assert await gateway.one("SELECT count(*) - count(DISTINCT seq) FROM gateway_inbox") == 1
    assert await gateway.one("SELECT events_applied FROM gateways") == 2


async def test_the_same_row_with_another_hash_is_a_fork_and_changes_nothing(gateway: Lane1) -> None:
    gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.send()
    other = LogRow(seq=1, hash=bytes(32), body=gateway.log.rows[0].body)
    page = gateway.log.page(1, 1)
    forged = read_rows(
        type(page)(epoch=1, session=0, first=1, previous_hash=page.previous_hash, rows=(other,))
    )
    applied = await gateway.cloud.gateways.apply_page(gateway.session, forged)
    assert applied.forked_at == 1
    assert await gateway.one("SELECT events_applied FROM gateways") == 1


async def test_a_newer_session_leaves_the_older_without_effect(gateway: Lane1) -> None:
    gateway.log.add("gate_moved", {"lane": "entry-1"})
    newer = await gateway.reopen()
    with pytest.raises(SessionReplaced):
        await gateway.send()
    assert await gateway.one("SELECT count(*) FROM gateway_inbox") == 0
    gateway.session = newer
    assert (await gateway.send()).new == 1


async def test_a_quarantined_gateway_changes_nothing(gateway: Lane1) -> None:
    gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.cloud.gateways.quarantine(gateway.session, "two machines speak with one key")
    with pytest.raises(SessionReplaced):
        await gateway.send()
    assert await gateway.one("SELECT state FROM gateways") == "quarantined"


async def test_a_gap_is_never_acknowledged(gateway: Lane1) -> None:
    for _ in range(3):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    with pytest.raises(SessionReplaced):
        await gateway.send(2, 3)
    assert await gateway.one("SELECT acknowledged_seq FROM gateways") == 0


async def test_a_kind_from_a_newer_gateway_is_stored_and_acknowledged(gateway: Lane1) -> None:
    gateway.log.add("hovercraft_landed", {"pad": 3})
    applied = await gateway.send()
    assert (applied.seq, applied.quarantined) == (1, 0)
    assert await gateway.one("SELECT kind || ' ' || outcome FROM gateway_inbox") == "hovercraft_landed stored"


GOOD_CLAIM: Mapping[str, object] = claim_row(claim("R-003"))
GOOD_STAY: Mapping[str, object] = stay_row(stay())
DEMAND = {
    "id": str(uuid4()),
    "stay": str(uuid4()),
    "amount_minor": 250,
    "currency": "EUR",
    "from_us": 1,
    "to_us": 2,
    "lines": [],
    "made_us": 3,
}
POISON: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "claim without a body": ("claim_changed", {}),
    "claim that is no map": ("claim_changed", {"claim": 7}),
    "claim with an id that is no UUID": ("claim_changed", {"claim": {**GOOD_CLAIM, "id": "seven"}}),
    "claim that ends before it starts": ("claim_changed", {"claim": {**GOOD_CLAIM, "ends_us": 1}}),
    "claim with a version beyond the column": ("claim_changed", {"claim": {**GOOD_CLAIM, "version": 2**40}}),
    "stay in no state": ("stay_entered", {"stay": {**GOOD_STAY, "state": "parked"}}),
    "stay without a lane": ("stay_left", {"stay": {k: v for k, v in GOOD_STAY.items() if k != "lane"}}),
    "demand below zero, which only the database refuses": (
        "demand_made",
        {"demand": {**DEMAND, "amount_minor": -1}},
    ),
    "demand with bytes in its lines": ("demand_made", {"demand": {**DEMAND, "lines": [{"x": b"\x00"}]}}),
    "demand with a NUL in its lines": ("demand_made", {"demand": {**DEMAND, "lines": [{"x": "a\x00b"}]}}),
    "payment without a body": ("payment_changed", {}),
    "conflict with bytes": ("conflict_found", {"kind": b"\xff"}),
}


@pytest.mark.parametrize("name", POISON)
async def test_a_poison_row_is_kept_aside_and_the_rest_flows(gateway: Lane1, name: str) -> None:
    before, after = claim("R-001"), claim("R-002")
    gateway.log.claim(before)
    gateway.log.add("demand_made", {"demand": DEMAND})
    kind, body = POISON[name]
    gateway.log.add(kind, body)
    gateway.log.claim(after)
    applied = await gateway.send()
    assert (applied.seq, applied.new, applied.quarantined) == (4, 4, 1)
    assert await gateway.one("SELECT count(*) FROM claims") == 2
    assert await gateway.one("SELECT count(*) FROM demands") == 1
    (row,) = await gateway.rows("SELECT seq, field, problem FROM gateway_quarantine")
    assert row["seq"] == 3
    assert row["field"]
    assert row["problem"]
    assert await gateway.one("SELECT outcome FROM gateway_inbox WHERE seq = 3") == "quarantined"
    assert (
        bytes(await gateway.one("SELECT body FROM gateway_inbox WHERE seq = 3")) == gateway.log.rows[2].body
    )


async def test_bytes_that_are_no_row_are_kept_as_they_came(gateway: Lane1) -> None:
    gateway.log.raw(b"\xc1 not MessagePack")
    gateway.log.raw(pack_envelope(Envelope(epoch=9, seq=2, boot="b", since_boot_us=0, kind="boot", body={})))
    gateway.log.claim(claim())
    applied = await gateway.send()
    assert (applied.seq, applied.quarantined) == (3, 2)
    assert await gateway.one("SELECT count(*) FROM claims") == 1


async def test_a_row_whose_hash_is_wrong_is_kept_aside_and_never_jams(gateway: Lane1) -> None:
    good = gateway.log.claim(claim())
    gateway.log.rows[0] = LogRow(seq=1, hash=next_hash(b"", b"flipped bit"), body=good.body)
    gateway.log.claim(claim("R-002"))
    applied = await gateway.send()
    assert (applied.seq, applied.quarantined) == (2, 1)


async def test_a_whole_page_of_poison_is_acknowledged(gateway: Lane1) -> None:
    for number in range(40):
        gateway.log.add(
            "demand_made", {"demand": {**DEMAND, "id": str(uuid4()), "amount_minor": -number - 1}}
        )
    applied = await gateway.send()
    assert (applied.seq, applied.quarantined) == (40, 40)


async def test_money_is_kept_as_its_highest_version_tells(gateway: Lane1) -> None:
    from parking.demands import Demand, Payment, PaymentState
    from parking.ids import DemandId, PaymentId, StayId

    demand = Demand(
        id=DemandId(str(uuid4())),
        stay=StayId(str(uuid4())),
        amount_minor=350,
        currency="EUR",
        from_at=NOON,
        to_at=NOON,
        lines=({"text": "1 hour", "amount_minor": 350},),
        made_at=NOON,
    )
    pending = Payment(
        id=PaymentId(str(uuid4())),
        demand=demand.id,
        amount_minor=350,
        currency="EUR",
        state=PaymentState.PENDING,
        terminal="t1",
        changed_at=NOON,
    )
    done = pending.moved_to(PaymentState.COMPLETED, at=NOON, reference="r-1")
    gateway.log.add("demand_made", {"demand": demand_row(demand)})
    gateway.log.add("payment_changed", {"payment": payment_row(done)})
    gateway.log.add("payment_changed", {"payment": payment_row(pending)})
    await gateway.send()
    assert await gateway.rows("SELECT status, reference, version FROM payments") == [
        {"status": "completed", "reference": "r-1", "version": 2}
    ]
    assert await gateway.one("SELECT lines FROM demands") == [{"text": "1 hour", "amount_minor": 350}]
    assert await gateway.one("SELECT count(*) FROM event_outbox WHERE kind = 'PaymentProcessed'") == 1
