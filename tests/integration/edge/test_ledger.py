"""The ledger over a real file: what is told is what both memory and disk have."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from edge.change import Change, PlateOfStay, SpotState, StoredDocument, TokenSeen, fact
from edge.errors import FactMissing, StoreError
from edge.ledger import Ledger
from edge.store.store import NumberedChange
from edge.writer import ThreadWriter
from parking.claims import ClaimState
from parking.demands import Demand, Payment, PaymentState
from parking.errors import ClaimsOverlap
from parking.ids import ClaimId, DemandId, PaymentId
from parking.lot import SpotType
from parking.stays import StayEvent
from sync.chain import genesis, unpack_envelope, verify
from sync.events import EventKind
from sync.instants import to_us

if TYPE_CHECKING:
    from tests.integration.edge.conftest import Premises


async def test_a_restart_finds_the_same_promises_and_stays(premises: Premises) -> None:
    ledger = premises.start()
    change, stay, claim = premises.admit(ledger)
    await ledger.commit(change, urgent=True)
    before = (ledger.book.claims(), ledger.open_stays(), ledger.counts(), ledger.last_hash)
    await ledger.close()

    again = premises.start()
    assert (again.book.claims(), again.open_stays(), again.counts()) == before[:3]
    assert again.hash_at(again.last_seq - 1) == before[3]
    assert again.open_stay(stay.credential) == stay
    assert again.book.claim(claim.id) == claim
    assert again.losses == ()
    await again.close()


async def test_the_first_fact_of_a_start_names_the_one_before(premises: Premises) -> None:
    await premises.start().close()
    ledger = premises.start()
    rows = ledger.log_page(0, 10)
    boots = [unpack_envelope(row.body).body for row in rows]
    assert [(body["boot"], body["previous_boot"]) for body in boots] == [("boot-1", ""), ("boot-2", "boot-1")]
    await ledger.close()


async def test_claim_stay_and_their_facts_are_one_transaction_and_one_chain(
    premises: Premises, ledger: Ledger
) -> None:
    change, stay, claim = premises.admit(ledger)
    await ledger.commit(change, urgent=True)
    rows = ledger.log_page(0, 100)
    assert [unpack_envelope(row.body).kind for row in rows] == ["boot", "claim_changed", "stay_admitted"]
    assert verify(genesis("gateway-1", 1), rows) == ledger.last_hash
    assert unpack_envelope(rows[1].body).body["claim"]["id"] == claim.id  # type: ignore[index]  # a body is plain data
    assert unpack_envelope(rows[2].body).body["stay"]["id"] == stay.id  # type: ignore[index]  # a body is plain data


async def test_a_row_without_its_fact_is_refused_and_nothing_changes(
    premises: Premises, ledger: Ledger
) -> None:
    change, stay, claim = premises.admit(ledger)
    for untold in (
        replace(change, events=()),
        replace(change, events=change.events[:1]),
        replace(change, stays=(replace(stay, version=2),)),
    ):
        with pytest.raises(FactMissing):
            ledger.commit(untold)
    assert ledger.open_stays() == []
    assert ledger.book.claims() == []
    assert ledger.last_seq == 1
    assert ClaimId(claim.id) not in {c.id for c in ledger.book.claims()}


async def test_a_promise_that_memory_refuses_leaves_no_gap_in_the_log(
    premises: Premises, ledger: Ledger
) -> None:
    change, _, claim = premises.admit(ledger)
    await ledger.commit(change)
    rival = replace(claim, id=ClaimId("rival"))
    with pytest.raises(ClaimsOverlap):
        ledger.commit(Change.record(at=premises.clock.now(), claims=(rival,)))
    second, _, _ = premises.admit(ledger)
    await ledger.commit(second)
    assert [row.seq for row in ledger.log_page(0, 100)] == [1, 2, 3, 4, 5]


async def test_the_file_itself_refuses_an_overlap(premises: Premises, ledger: Ledger) -> None:
    change, _, claim = premises.admit(ledger)
    await ledger.commit(change)
    rival = replace(claim, id=ClaimId("rival"))
    past_memory = NumberedChange(change=Change(claims=(rival,)), epoch=1, entries=(), seq=ledger.last_seq)
    with pytest.raises(StoreError, match="claims overlap"):
        premises.store.commit([past_memory])
    on_record = Change(claims=(replace(rival, clashing=True),))
    premises.store.commit([replace(past_memory, change=on_record)])
    assert premises.store.rows("count_rows")[0]["claims"] == 2


async def test_two_claims_change_their_spots_in_one_change(premises: Premises, ledger: Ledger) -> None:
    first, _, one = premises.admit(ledger)
    await ledger.commit(first)
    second, _, two = premises.admit(ledger)
    await ledger.commit(second)
    swapped = (one.on_spot(two.spot), two.on_spot(one.spot))
    await ledger.commit(Change.record(at=premises.clock.now(), claims=swapped))
    await ledger.close()
    again = premises.start()
    assert again.book.claim(one.id).spot == two.spot
    assert again.book.claim(two.id).spot == one.spot


async def test_an_older_version_never_undoes_a_newer_one(premises: Premises, ledger: Ledger) -> None:
    change, stay, claim = premises.admit(ledger)
    await ledger.commit(change)
    now = premises.clock.now()
    gone = Change.record(
        at=now, claims=(claim.moved_to(ClaimState.RELEASED),), stays=(stay.after(StayEvent.LEFT, now),)
    )
    await ledger.commit(gone)
    await ledger.commit(change)
    assert ledger.open_stays() == []
    assert premises.store.rows("count_rows")[0]["claims"] == 0
    assert ledger.stay(stay.id) == stay.after(StayEvent.LEFT, now)


async def test_money_is_found_again_after_a_restart(premises: Premises, ledger: Ledger) -> None:
    change, stay, _ = premises.admit(ledger)
    await ledger.commit(change)
    now = premises.clock.now()
    demand = Demand(
        id=DemandId("d"),
        stay=stay.id,
        amount_minor=450,
        currency="GBP",
        from_at=now,
        to_at=now + timedelta(hours=1),
        lines=({"label": "1 h", "amount_minor": 450},),
        made_at=now,
    )
    pending = Payment(
        id=PaymentId("p"),
        demand=demand.id,
        amount_minor=450,
        currency="GBP",
        state=PaymentState.PENDING,
        terminal="terminal-1",
        changed_at=now,
    )
    await ledger.commit(Change.record(at=now, demands=(demand,), payments=(pending,)), urgent=True)
    done = pending.moved_to(PaymentState.COMPLETED, at=now, reference="0042")
    await ledger.commit(Change.record(at=now, payments=(done,)), urgent=True)
    await ledger.close()
    again = premises.start()
    assert again.demands_of(stay.id) == [demand]
    assert again.payments_of(demand.id) == [done]


async def test_a_plate_is_encrypted_on_the_card_and_in_no_event(premises: Premises, ledger: Ledger) -> None:
    change, stay, _ = premises.admit(ledger)
    await ledger.commit(replace(change, plates=(PlateOfStay(stay=stay.id, plate="BX19 KLM"),)))
    assert ledger.plate(stay.id) == "BX19 KLM"
    written = b"".join(file.read_bytes() for file in premises.folder.iterdir() if file.is_file())
    assert b"BX19" not in written
    await ledger.close()
    premises.credential = b"another secret, as after a lost key"
    again = premises.start()
    assert again.plate(stay.id) is None


async def test_documents_tokens_and_remembered_values_survive(premises: Premises, ledger: Ledger) -> None:
    documents = tuple(StoredDocument(n=n, kind="tariff", body=bytes([n])) for n in range(1, 6))
    keys = StoredDocument(n=6, kind="keys", body=b"k")
    token = TokenSeen(kind="pass", subject="r", revision=2, at=premises.clock.now())
    await ledger.commit(Change(documents=(*documents, keys), tokens_seen=(token,), meta={"session": 7}))
    await ledger.close()
    again = premises.start()
    tariff = [document for document in again.documents() if document.kind == "tariff"][-1]
    assert (again.document_n, tariff.body) == (6, b"\x05")
    assert again.meta("session") == 7
    assert (again.token_seen("pass", "r"), again.token_seen("pass", "q")) == (2, None)
    assert [row["n"] for row in premises.store.rows("read_documents")] == [3, 4, 5, 6]


async def test_an_acknowledgement_is_remembered_and_never_goes_back(
    premises: Premises, ledger: Ledger
) -> None:
    for _ in range(3):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    row = ledger.log_page(0, 100)[4]
    await ledger.acknowledge(row.seq, row.hash)
    await ledger.acknowledge(2, b"x" * 32)
    assert (ledger.acknowledged_seq, ledger.backlog) == (5, 2)
    await ledger.close()
    again = premises.start()
    assert (again.acknowledged_seq, again.hash_at(5)) == (5, row.hash)


async def test_a_new_epoch_begins_its_own_log(premises: Premises, ledger: Ledger) -> None:
    change, stay, _ = premises.admit(ledger)
    await ledger.commit(change)
    await ledger.acknowledge(3, ledger.last_hash)
    await ledger.close()
    premises.epoch = 2
    again = premises.start()
    assert (again.last_seq, again.acknowledged_seq) == (1, 0)
    assert verify(genesis("gateway-1", 2), again.log_page(0, 10)) == again.last_hash
    assert again.open_stay(stay.credential) == stay


async def test_who_gives_up_waiting_for_the_disk_takes_the_news_from_nobody_else(premises: Premises) -> None:
    """A line that is lost ends its task while a lane waits for the same commit."""
    store = premises.open_file()
    ledger = premises.start(ThreadWriter(store.commit))
    await ledger.durable()
    heard: list[Change] = []
    ledger.subscribe(heard.append)
    change, _, _ = premises.admit(ledger)
    lane = ledger.commit(change, urgent=True)
    for waits in (lane, ledger.durable()):
        line = asyncio.ensure_future(asyncio.wait_for(waits, 30.0))
        await asyncio.sleep(0)
        line.cancel()
        await asyncio.gather(line, return_exceptions=True)
    await ledger.durable()
    await asyncio.sleep(0)
    assert [one.claims for one in heard] == [change.claims]
    await ledger.close()


async def test_subscribers_hear_of_a_change_once_it_is_durable(premises: Premises) -> None:
    store = premises.open_file()
    heard: list[Change] = []
    ledger = premises.start(ThreadWriter(store.commit))
    await ledger.durable()
    ledger.subscribe(heard.append)
    change, _, _ = premises.admit(ledger)
    future = ledger.commit(change, urgent=True)
    assert heard == []
    assert ledger.open_stays() != []
    await future
    await asyncio.sleep(0)
    assert heard == [change]
    await ledger.close()


async def test_what_an_outage_coalesced_is_told_by_one_fact(premises: Premises, ledger: Ledger) -> None:
    spot = premises.lot.spots[0].id

    def word(n: int) -> Change:
        state = SpotState(
            spot=spot, writer="edge:1", n=n, state="free", source="s", occurred_at=premises.clock.now()
        )
        return Change(spot_states=(state,))

    await ledger.commit(word(1))
    await ledger.mark_uploaded(ledger.dirty_spot_states(10))
    ledger.line_lost()
    for n in (2, 3, 4, 5):
        await ledger.commit(word(n))
    await ledger.close()
    premises.clock.at += timedelta(hours=4)

    again = premises.start()
    again.line_lost()
    await again.commit(word(6))
    again.line_back()
    again.line_back()
    told = [unpack_envelope(row.body) for row in again.log_page(0, 100)]
    tombstones = [row.body for row in told if row.kind == EventKind.TELEMETRY_DROPPED]
    assert [(body["count"], body["from_us"], body["to_us"]) for body in tombstones] == [
        (4, to_us(premises.clock.at - timedelta(hours=4)), to_us(premises.clock.at))
    ]
    assert [state.n for state in again.dirty_spot_states(10)] == [6]


async def test_an_outage_in_which_nothing_was_coalesced_tells_nothing(ledger: Ledger) -> None:
    ledger.line_lost()
    ledger.line_back()
    assert ledger.last_seq == 1


async def test_a_fenced_lot_stays_fenced_through_a_restart(premises: Premises, ledger: Ledger) -> None:
    await ledger.fence("an old image")
    assert (ledger.verdict, ledger.may_sell) == ("fenced", False)
    await ledger.close()
    again = premises.start()
    assert (again.verdict, again.fenced_because) == ("fenced", "an old image")


async def test_counts_follow_the_book(premises: Premises, ledger: Ledger) -> None:
    for _ in range(4):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    assert ledger.counts()[SpotType.REGULAR].count == 6


async def test_a_fact_alone_is_a_change(premises: Premises, ledger: Ledger) -> None:
    moved = fact(EventKind.GATE_MOVED, to_us(premises.clock.now()), lane="entry-1", move="open")
    await ledger.commit(Change(events=(moved,)), urgent=True)
    row = unpack_envelope(ledger.log_page(1, 1)[0].body)
    assert (row.kind, row.body["lane"]) == ("gate_moved", "entry-1")
