"""Calls of the statements that have a stand-in, drawn from few ids and few instants, so that they meet each other.

A call is a statement's name and its parameters. What PostgreSQL refuses as nonsense (an empty window, a state that is none) is not drawn; that a row
belongs to nothing is, and both sides may tell it apart by then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from psycopg.types.json import Jsonb

Parameters = dict[str, Any]
Drawn = st.SearchStrategy[Any]

FIRST_AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
LOTS = [UUID(int=1), UUID(int=2)]
SPOTS = {LOTS[0]: [UUID(int=11), UUID(int=12), UUID(int=13)], LOTS[1]: [UUID(int=21), UUID(int=22)]}
ALL_SPOTS = [spot for spots in SPOTS.values() for spot in spots]
GATEWAYS = {"gw-1": (LOTS[0], 1), "gw-2": (LOTS[0], 2), "gw-3": (LOTS[1], 1)}
CLAIMS = [UUID(int=100 + n) for n in range(5)]
BOOKINGS = [UUID(int=200 + n) for n in range(3)]
PAYMENTS = [UUID(int=300 + n) for n in range(3)]
STAYS = [UUID(int=400 + n) for n in range(3)]
TRANSFERS = [UUID(int=500 + n) for n in range(3)]
HOLDERS = [str(booking) for booking in BOOKINGS]
PARAMETER = re.compile(r"%\((\w+)\)s")

one_of = st.sampled_from
counts = st.integers(1, 3)
small = st.integers(0, 3)
lots = one_of(LOTS)
spots = one_of(ALL_SPOTS)
types = one_of(["regular", "ev"])
texts = one_of(["", "a", "b"])
hashes = one_of([b"x" * 32, b"y" * 32])
instants = st.integers(0, 8).map(lambda n: FIRST_AT + n * HALF_HOUR)
windows = st.lists(st.integers(0, 8), min_size=2, max_size=2, unique=True).map(
    lambda pair: tuple(FIRST_AT + n * HALF_HOUR for n in sorted(pair))
)


def or_none(values: Drawn) -> Drawn:
    """These, or null."""
    return st.none() | values


def some_of(values: list[Any]) -> Drawn:
    """A few, perhaps none, perhaps one twice."""
    return st.lists(one_of(values), max_size=4)


@st.composite
def records(
    draw: st.DrawFn, /, unique: str | None = None, window: bool = False, **columns: Drawn
) -> Parameters:
    """Rows as a statement takes them: an array for each column. `unique`: no two of a statement have the same of this."""
    one = st.fixed_dictionaries(columns)
    rows = draw(st.lists(one, max_size=3, unique_by=None if unique is None else lambda row: row[unique]))
    named: Parameters = {name: [row[name] for row in rows] for name in columns}
    if window:
        drawn = [draw(windows) for _ in rows]
        named["starts_at"] = [starts_at for starts_at, _ in drawn]
        named["ends_at"] = [draw(or_none(st.just(ends_at))) for _, ends_at in drawn]
    return named


@st.composite
def booking_rows(draw: st.DrawFn) -> Parameters:
    """A row of reservations, whole. No two have the same deadline: which of two comes first is nobody's promise."""
    number, revision = draw(st.integers(0, 2)), draw(counts)
    deadline_at = draw(instants) + timedelta(seconds=10 * number + revision)
    starts_at, ends_at = draw(windows)
    is_known = draw(st.booleans())
    return {
        "id": BOOKINGS[number],
        "revision": revision,
        "lot": draw(lots) if is_known else None,
        "user": draw(or_none(texts)),
        "type": draw(or_none(types)),
        "spot": draw(or_none(spots)),
        "starts_at": starts_at if is_known else None,
        "ends_at": ends_at if is_known else None,
        "guarantee": draw(one_of(["type", "spot"])),
        "state": draw(one_of(["draft", "preparing", "committed", "aborted", "withheld"])),
        "status": draw(or_none(one_of(["draft", "active", "in_use", "cancel_pending", "cancelled"]))),
        "reason": draw(texts),
        "deadline_at": deadline_at,
        "lease_holder": draw(texts),
        "lease_token": draw(small),
        "lease_until": draw(or_none(instants)),
        "ballots": Jsonb([{"lot": str(draw(lots))}]),
        "own_claims": Jsonb(draw(one_of([[], [{"id": str(CLAIMS[0])}]]))),
        "untold": draw(st.booleans()),
        "told_n": draw(or_none(small)),
        "link_session": draw(or_none(small)),
        "superseded": draw(st.booleans()),
        "quote": draw(one_of([None, Jsonb({"id": "q", "factor_1e4": 10_000})])),
        "amount_minor": draw(or_none(small)),
        "currency": draw(one_of([None, "EUR"])),
        "payment": draw(or_none(one_of(PAYMENTS))),
        "request_hash": draw(or_none(hashes)),
        "booked_from": starts_at if is_known and draw(st.booleans()) else None,
        "booked_until": ends_at if is_known and draw(st.booleans()) else None,
        "cuts": draw(st.booleans()),
        "cut_n": draw(or_none(small)),
        "give_back_minor": draw(small),
    }


@st.composite
def layouts_of_spots(draw: st.DrawFn) -> Parameters:
    """A lot's own spots or fewer, in some order."""
    lot = draw(lots)
    there = draw(st.permutations(SPOTS[lot]))[: draw(st.integers(1, 3))]
    return {
        "region": "default",
        "lot": lot,
        "id": there,
        "zone_id": [draw(one_of(["P", "Q"])) for _ in there],
        "number": [str(spot.int) for spot in there],
        "type": [draw(types) for _ in there],
        "level": ["0" for _ in there],
    }


zones = records(
    unique="id", id=one_of(["P", "Q"]), level=texts, kind=one_of(["free_choice", "assigned"])
).map(lambda rows: {**rows, "enforced_by": ["post" if kind == "assigned" else None for kind in rows["kind"]]})
owners: Drawn = one_of([("edge", None), ("cloud", None), *(("in_flight", id_) for id_ in TRANSFERS)])
claims = records(
    window=True,
    id=one_of(CLAIMS),
    spot_id=or_none(spots),
    type=types,
    kind=one_of(["booking", "walk_in", "block"]),
    holder_kind=one_of(["reservation", "stay"]),
    holder_id=one_of(HOLDERS),
    state=one_of(["held", "firm", "released"]),
    sold_by=one_of(["edge", "cloud"]),
    epoch=counts,
    revision=counts,
    version=counts,
    clashing=st.booleans(),
    created_at=or_none(instants),
)
stays = records(
    unique="id",
    id=one_of(STAYS),
    credential_kind=one_of(["ticket", "pass"]),
    credential_subject=texts,
    type=types,
    state=one_of(["admitted", "inside", "left", "void"]),
    lane=texts,
    admitted_at=instants,
    entered_at=or_none(instants),
    left_at=or_none(instants),
    claim_id=or_none(one_of(CLAIMS)),
    over_count=st.booleans(),
    tariff_version=texts,
    factor_1e4=small,
    paid_until=or_none(instants),
    version=counts,
)
demands = records(
    id=one_of(PAYMENTS),
    stay_id=one_of(STAYS),
    amount_minor=small,
    currency=st.just("EUR"),
    from_at=instants,
    to_at=instants,
    lines=st.just(Jsonb([])),
    made_at=instants,
)
payments = records(
    unique="id",
    id=one_of(PAYMENTS),
    demand_id=one_of(STAYS),
    amount_minor=small,
    currency=st.just("EUR"),
    status=one_of(["pending", "completed"]),
    terminal=texts,
    reference=texts,
    changed_at=instants,
    version=counts,
)
inbox = records(
    seq=st.integers(1, 9),
    hash=hashes,
    body=hashes,
    kind=texts,
    occurred_at=or_none(instants),
    outcome=one_of(["applied", "stored"]),
)
log_of_gateway = one_of([{"gateway": name, "epoch": epoch} for name, (_, epoch) in GATEWAYS.items()])
refunds = one_of(
    [
        {"id": UUID(int=600 + n), "payment": payment, "provider_id": f"re-{n}"}
        for n, payment in enumerate(PAYMENTS)
    ]
)


@st.composite
def transfer_rows(draw: st.DrawFn) -> Parameters:
    """A question of the lot has one answer; the last transfer is to the centre."""
    n = draw(st.integers(0, 2))
    to_tier = "edge" if n < 2 else "cloud"
    state = draw(one_of(["in_flight", "stranded", "credited"])) if n < 2 else "credited"
    asked = draw(one_of(["", f"asked-{n}"]))
    there = draw(st.lists(spots, min_size=1, max_size=3))
    return {"id": TRANSFERS[n], "request": asked, "spots": there, "to_tier": to_tier, "state": state}


ONE = {
    "region": st.just("default"),
    "lot": lots,
    "gateway": one_of(list(GATEWAYS)),
    "epoch": counts,
    "session": small,
    "type": types,
    "spot": or_none(spots),
    "spot_id": or_none(spots),
    "claim": one_of(CLAIMS),
    "holder": one_of(HOLDERS),
    "revision": counts,
    "version": counts,
    "limit": st.integers(3, 9),
    "n": small,
    "now": instants,
    "until": instants,
    "passed": or_none(instants),
    "at": instants,
    "reason": or_none(texts),
    "ids": some_of(CLAIMS),
    "spots": some_of(ALL_SPOTS),
    "holders": some_of(HOLDERS),
    "payment": one_of(PAYMENTS),
    "code_hash": hashes,
    "hash": hashes,
    "body": hashes,
    "amount_minor": counts,
    "currency": st.just("EUR"),
    "applied": small,
    "quarantined": small,
    "seq": st.integers(1, 9),
    "problem": texts,
    "detail": texts,
    "word": texts,
}
"""A parameter by its name, where a statement below says nothing else."""

R, G, P, L = "cloud.reservations.", "cloud.gateways.", "cloud.payments.", "cloud.parking_lots."
PARTS: Mapping[str, list[Drawn]] = {
    R + "booking_add": [booking_rows()],
    R + "booking_write": [
        booking_rows(),
        st.fixed_dictionaries({"was": one_of(["draft", "preparing", "committed", "aborted", "withheld"])}),
    ],
    R + "claims_put_on": [claims],
    R + "undecided_in_the_way": [records(window=True, spot_id=or_none(spots))],
    R + "stays_apply": [stays],
    R + "own_spot_take": [windows.map(lambda pair: {"starts_at": pair[0], "ends_at": pair[1]})],
    R + "own_spots_left": [windows.map(lambda pair: {"starts_at": pair[0], "ends_at": pair[1]})],
    R + "claim_make_firm": [
        st.tuples(windows, st.booleans()).map(
            lambda drawn: {"starts_at": drawn[0][0], "ends_at": drawn[0][1] if drawn[1] else None}
        )
    ],
    R + "owner_set": [
        owners.map(lambda pair: {"owner": pair[0], "in_transfer": pair[1]}),
        owners.map(lambda pair: {"was": pair[0], "was_in": pair[1]}),
    ],
    R + "transfer_put": [transfer_rows()],
    R + "log_has_passed": [log_of_gateway],
    G + "inbox_insert": [log_of_gateway, inbox],
    G + "inbox_quarantined": [
        log_of_gateway,
        st.fixed_dictionaries({"seq": st.lists(st.integers(1, 9), max_size=3)}),
    ],
    G + "inbox_hashes": [log_of_gateway],
    G + "quarantine_insert": [log_of_gateway, records(seq=st.integers(1, 9), field=texts, problem=texts)],
    G + "gateway_enrol": [
        one_of([{"gateway": g, "lot": lot, "epoch": epoch} for g, (lot, epoch) in GATEWAYS.items()])
    ],
    P + "demands_apply": [demands],
    P + "payments_apply": [payments],
    P + "refund_write": [refunds],
    P + "payment_write": [
        one_of([{"id": id_, "intent": intent} for id_ in PAYMENTS for intent in (None, f"pi-{id_.int}")])
    ],
    L + "zones_lay_out": [zones],
    L + "spots_lay_out": [layouts_of_spots()],
    "cloud.event_publish": [records(lot=lots, kind=texts, body=st.just(Jsonb({})))],
}
"""Parameters that depend on each other."""

OWN: Mapping[str, Mapping[str, Drawn]] = {
    R + "booking_at_risk": {"id": one_of(BOOKINGS)},
    R + "bookings_told": {"ids": some_of(BOOKINGS)},
    R + "bookings_due": {"limit": st.just(50)},
    R + "booking_status": {"status": one_of(["active", "cancelled", None])},
    R + "claim_make_firm": {
        "id": one_of(CLAIMS),
        "kind": one_of(["booking", "burn"]),
        "holder_kind": one_of(["reservation", "stay"]),
        "holder_id": one_of(HOLDERS),
        "sold_by": one_of(["edge", "cloud"]),
    },
    R + "claim_release": {"id": one_of(CLAIMS)},
    R + "claim_settle": {"id": one_of(CLAIMS)},
    R + "conflict_of_booking": {
        "kind": one_of(["booking_met_by_fact", "pass_without_commit"]),
        "detail": texts.map(lambda text: Jsonb({"why": text})),
    },
    R + "conflicts_report": {
        "detail": st.lists(texts.map(lambda text: json.dumps({"what": text})), max_size=2)
    },
    R + "holds_give_back": {"holds_s": one_of([0, 600, 3600]), "ids": some_of(HOLDERS)},
    R + "lock_within": {"ms": one_of(["500", "1000"])},
    R + "spot_asked_for": {"spot": spots},
    R + "transfers_known": {"ids": some_of(TRANSFERS)},
    G + "clock_changed": {"quality": texts},
    G + "code_keep": {"hours": st.integers(1, 2)},
    G + "document_add": {"kind": one_of(["tariff", "decision"])},
    G + "document_last": {"kind": one_of(["tariff", "decision"])},
    G + "gateway_enrol": {"public_key": st.just(b"k" * 32)},
    G + "gateway_heard": {"backlog": small, "unexplained": small, "lanes": st.just(Jsonb({}))},
    G + "gateway_set_state": {"state": one_of(["ok", "fenced", "quarantined"]), "reason": texts},
    G + "gateways_replace": {"reason": texts},
    G + "inbox_hashes": {"first": st.integers(1, 5), "last": st.integers(3, 9)},
    G + "session_begin": {
        "boot": texts,
        "software": texts,
        "clock_quality": texts,
        "last_seq": small,
        "holder": st.just(0),
    },
    G + "tariff_keep": {"version": texts, "valid_from": instants},
    P + "payment_add": {
        "id": one_of(PAYMENTS),
        "demand": or_none(one_of(STAYS)),
        "reservation": one_of(BOOKINGS),
        "user": st.none(),
        "due_s": st.integers(0, 3600),
    },
    P + "payment_lock": {"id": one_of(PAYMENTS)},
    P + "payment_read": {"id": one_of(PAYMENTS)},
    P + "payment_make_due": {"intent": one_of([None, *(f"pi-{id_.int}" for id_ in PAYMENTS)])},
    P + "payment_write": {
        "standing": one_of(["creating", "authorised", "captured"]),
        "status": one_of(["pending", "authorised", "completed"]),
        "attempt": counts,
        "captured_minor": small,
        "lapses_at": or_none(instants),
        "refusal": texts,
        "unanswered": small,
        "due_s": or_none(st.integers(0, 3600)),
    },
    P + "payments_take_due": {"limit": st.just(50), "lease_s": st.integers(1, 60)},
    P + "receivable_add": {"reason": texts},
    P + "refund_write": {"state": one_of(["asked", "succeeded"]), "reason": texts},
    L + "lot_announce": {"name": texts},
    L + "lot_lay_out": {
        "name": texts,
        "address": texts,
        "timezone": st.just("UTC"),
        "total_spots": small,
        "longitude": st.just(8.0),
        "latitude": st.just(47.0),
        "policy": one_of([Jsonb({"turnover_buffer_s": s}) for s in (0, 900)]),
        "lanes": st.just(Jsonb([])),
        "operating_hours": st.none(),
    },
}
"""A statement's own."""

OF_BOOKING = ("booking_before", "booking_hold", "booking_latest", "booking_standing", "booking_status")
OWN = {
    **OWN,
    **{
        R + name: {**OWN.get(R + name, {}), "id": one_of(BOOKINGS)}
        for name in (*OF_BOOKING, "bookings_before_settle", "payments_of_booking")
    },
}


def parameters_of(name: str, sql: bytes) -> Drawn:
    """What the statement of this name may be called with."""
    parts = PARTS.get(name, [])
    own = OWN.get(name, {})
    wanted = dict.fromkeys(PARAMETER.findall(sql.decode()))
    if not parts and (unsaid := wanted.keys() - own.keys() - ONE.keys()):
        raise LookupError(f"say in {__name__} with which {unsaid} {name} may be called")
    ones = {each: own[each] if each in own else ONE[each] for each in wanted if each in own or each in ONE}
    return st.tuples(st.fixed_dictionaries(ones), *parts).map(
        lambda drawn: {key: value for part in drawn for key, value in part.items()}
    )
