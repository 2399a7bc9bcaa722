"""What both tiers, the provider and the people have on record of a town, compared: every sentence of the answer is something wrong.

Read from outside: the gateway's file, the centre's tables, the provider's own books. Pairs of claims are sought by brute force (simulators/differences.py).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg.rows import dict_row

from edge.store.reader import StoreReader
from edge.store.rows import part_out
from simulators.differences import log_differences, places_sold_twice
from simulators.evidence import count_log, read_cloud, read_edge
from sync.part import ParticipantState
from tests.integration.edge.agent_site import LOT_ID
from tests.proof.kiosk_people import KioskPeople, pending_payments, till_wrongs
from tests.proof.rivals import Buyer, Cars
from tests.proof.town import Town

REST_WITHIN_S = 120.0
LOOK_EVERY_S = 0.2
BOOKINGS = b"""
SELECT DISTINCT ON (r.id) r.id::text AS id, r.state, r.status, r.reason, p.standing, p.captured_minor, p.amount_minor,
    p.stripe_payment_intent_id AS intent,
    (SELECT count(*) FROM claims c WHERE c.holder_id = r.id::text AND c.state = 'firm') AS firm,
    EXISTS (SELECT 1 FROM receivables o WHERE o.payment_id = p.id) AS owed
FROM reservations r LEFT JOIN payments p ON p.id = r.payment_id ORDER BY r.id, r.revision DESC
"""
UNFINISHED = b"""
SELECT (SELECT count(*) FROM reservations WHERE state = 'preparing') AS preparing,
    (SELECT count(*) FROM reservations WHERE untold) AS untold,
    (SELECT count(*) FROM reservations WHERE status = 'cancel_pending') AS cancelling,
    (SELECT count(*) FROM payments WHERE standing IN ('authorised', 'capturing', 'voiding', 'refunding')) AS moving,
    (SELECT acknowledged_seq FROM gateways WHERE lot_id = %s) AS applied
"""
HURRY = b"UPDATE payments SET due_at = now() WHERE due_at > now() + interval '2 s'"
TAKEN = frozenset({"captured", "refunding", "refunded"})
LET_GO = frozenset({None, "none", "void", "abandoned", "declined"})
NOT_ASKED = frozenset({"creating", "awaiting"})
"""Of a draft whose process died before its driver heard of it: no money is held, and it lapses after twenty minutes."""


def rows_of(database_url: str, sql: bytes, *values: object) -> list[dict[str, Any]]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return connection.execute(sql, values).fetchall()


def doubts_of(town: Town) -> int:
    """Transactions of which the lot does not know the end."""
    with closing(StoreReader(town.ledger)) as reader:
        parts = [part_out(row) for row in reader.rows("read_transactions")]
    return sum(part.state is ParticipantState.PREP for part in parts)


def unfinished(town: Town) -> dict[str, int]:
    """What is still under way, by its name."""
    (row,) = rows_of(town.database_url, UNFINISHED, LOT_ID)
    applied = row.pop("applied") or 0
    left = {
        **row,
        "rows": count_log(town.ledger) - applied,
        "doubts": doubts_of(town),
        "till": pending_payments(town),
    }
    return {name: number for name, number in left.items() if number}


async def come_to_rest(town: Town) -> None:
    """Wait until nothing is under way any more; the payments' pauses are cut short, no other clock is touched.

    Raises:
        AssertionError: something stays; it is named.
    """
    left: dict[str, int] = {"asked": 1}
    with suppress(TimeoutError):
        async with asyncio.timeout(REST_WITHIN_S):
            while left:
                await asyncio.sleep(LOOK_EVERY_S)
                with psycopg.connect(town.database_url) as connection:
                    connection.execute(HURRY)
                left = unfinished(town)
    assert left == {}, f"never came to rest: {left}"


def wrongs(
    town: Town, buyers: Iterable[Buyer], cars: Cars | None = None, people: KioskPeople | None = None
) -> list[str]:
    """Everything that is not as it must be, at rest; empty where all is well."""
    edge, centre = read_edge(town.ledger), read_cloud(town.database_url, LOT_ID)
    logs = log_differences(edge.log, centre.inbox)
    found = [
        f"{name}: {number}"
        for name, number in {
            "facts lost": logs.lost,
            "facts applied twice": logs.duplicated,
            "places sold twice": places_sold_twice(edge, centre),
            "conflicts at the centre": centre.conflicts,
            "conflicts at the lot": edge.conflicts,
            "quarantined": centre.outcomes.get("quarantined", 0),
        }.items()
        if number
    ]
    promised = {(claim.id, claim.spot) for claim in edge.claims} ^ {(c.id, c.spot) for c in centre.claims}
    found += [f"claim {claim} stands on one side only" for claim in sorted(map(str, promised))]
    bookings = {row["id"]: row for row in rows_of(town.database_url, BOOKINGS)}
    truths = town.provider.truths()
    found += [wrong for row in bookings.values() for wrong in _money(row, truths)]
    paid_for = {row["intent"] for row in bookings.values()}
    found += [
        f"the provider has money for {intent}, and nobody knows of it"
        for intent, truth in truths.items()
        if truth["received"] > truth["refunded"] and intent not in paid_for
    ]
    found += [wrong for buyer in buyers for wrong in _kept(buyer, bookings)]
    if people is not None:
        found += till_wrongs(town, people)
        found += [
            f"sold at the kiosk, and not at the centre: {id_}" for id_ in people.sold if id_ not in bookings
        ]
    return found + ([] if cars is None else _tickets(town, cars.tickets))


def _money(row: dict[str, Any], truths: dict[str, dict[str, Any]]) -> list[str]:
    """Captured exactly when it is booked, at the provider too."""
    booked, standing, intent = row["state"] == "committed", row["standing"], row["intent"]
    stands = booked and row["status"] in {"active", "in_use"}
    found = []
    if stands and standing not in TAKEN and not row["owed"] and intent is not None:
        found.append(f"booked without capture: {row}")
    lapses = row["state"] == "draft" and standing in NOT_ASKED and not row["captured_minor"]
    if not booked and standing not in LET_GO and not lapses:
        found.append(f"captured without a booking: {row}")
    if stands and row["firm"] != 1:
        found.append(f"booked and not on one place: {row}")
    if not booked and row["firm"]:
        found.append(f"on a place and not booked: {row}")
    if intent is not None:
        truth = truths[intent]
        kept = truth["received"] - truth["refunded"]
        due = row["amount_minor"] if stands else 0
        if kept != due and not row["owed"]:
            found.append(f"the provider has {kept} of {due}: {row}")
        if truth["did"].count("captured") > 1:
            found.append(f"captured twice: {row}")
    return found


def _kept(buyer: Buyer, bookings: dict[str, dict[str, Any]]) -> list[str]:
    """What a driver was told is so."""
    found = [f"a strange answer: {text}" for text in buyer.strange]
    row = bookings.get(buyer.reservation)
    if buyer.told == 200:
        if row is None:
            found.append(f"acknowledged and missing: {buyer.reservation}")
        elif row["state"] != "committed":
            found.append(f"acknowledged and not booked: {row}")
        elif (row["status"] == "cancelled") is not buyer.called_off:
            found.append(f"cancelled and not asked for, or the other way round: {row}")
    elif row is not None and row["state"] == "committed":
        found.append(f"refused with {buyer.told} {buyer.reason}, and booked: {row}")
    return found


def _tickets(town: Town, tickets: Sequence[str]) -> list[str]:
    """Every ticket that a screen showed is a stay at the lot."""
    with closing(sqlite3.connect(f"file:{town.ledger}?mode=ro", uri=True)) as connection:
        (known,) = connection.execute("SELECT count(*) FROM stays WHERE state <> 'voided'").fetchone()
    missing = len(set(tickets)) - known
    return [f"{missing} tickets of no stay"] if missing > 0 else []
