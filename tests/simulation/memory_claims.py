"""Stand-ins for the statements about claims and stays: the exclusion constraint, and what a lot's log tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.errors import ExclusionViolation

from tests.simulation.memory_database import (
    FOREVER_AT,
    Answer,
    MemoryDatabase,
    Row,
    answers,
    rows_of,
    uuid_of,
    uuid_or_none,
)

BINDING = frozenset({"held", "firm"})
CLAIM_COLUMNS = (
    "id", "spot_id", "type", "starts_at", "ends_at", "kind", "holder_kind", "holder_id", "state", "sold_by",
    "epoch", "revision", "version", "clashing", "created_at",
)  # fmt: skip
STAY_COLUMNS = (
    "id", "credential_kind", "credential_subject", "type", "state", "lane", "admitted_at", "entered_at", "left_at",
    "claim_id", "over_count", "tariff_version", "factor_1e4", "paid_until", "version",
)  # fmt: skip


def _overlaps(one: Row, starts_at: datetime, ends_at: datetime | None) -> bool:
    return bool(one["starts_at"] < (ends_at or FOREVER_AT) and starts_at < (one["ends_at"] or FOREVER_AT))


def in_the_way(db: MemoryDatabase, claim: Row) -> list[Row]:
    """Claims under the constraint that overlap this one on its spot."""
    if claim["spot_id"] is None:
        return []
    claims = db.table("claims")
    others = (claims[id_] for id_ in db.claims_of_spot.get(claim["spot_id"], ()))
    return [
        other
        for other in others
        if other["id"] != claim["id"]
        and other["state"] in BINDING
        and not other["clashing"]
        and _overlaps(other, claim["starts_at"], claim["ends_at"])
    ]


def is_under_constraint(claim: Row) -> bool:
    return claim["state"] in BINDING and not claim["clashing"]


def write_claim(db: MemoryDatabase, claim: Row) -> bool:
    """Keep it where the constraint lets it."""
    if is_under_constraint(claim) and in_the_way(db, claim):
        return False
    db.put("claims", claim["id"], claim)
    return True


def _ids(parameters: Mapping[str, Any]) -> list[UUID]:
    return list(dict.fromkeys(uuid_of(id_) for id_ in parameters["ids"]))


@answers("cloud.reservations.claims_known")
def claims_known(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    claims = db.table("claims")
    return [claims[id_] for id_ in _ids(parameters) if id_ in claims]


@answers("cloud.reservations.claims_take_off")
def claims_take_off(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for id_ in _ids(parameters):
        db.drop("claims", id_)
    return []


@answers("cloud.reservations.claims_put_on")
def claims_put_on(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    put_on = []
    for row in rows_of(parameters, *CLAIM_COLUMNS):
        claim = {
            **row,
            "id": uuid_of(row["id"]),
            "spot_id": uuid_or_none(row["spot_id"]),
            "lot_id": uuid_of(parameters["lot"]),
            "created_at": row["created_at"] or db.now(),
        }
        if claim["id"] not in db.table("claims") and write_claim(db, claim):
            put_on.append({"id": claim["id"]})
    return put_on


@answers("cloud.reservations.conflicts_record")
def conflicts_record(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    found = []
    claims = db.table("claims")
    for id_ in _ids(parameters):
        claim = claims.get(id_)
        if claim is None or not claim["clashing"] or claim["state"] not in BINDING:
            continue
        for other in in_the_way(db, claim):
            pair = (claim["id"], other["id"])
            known = [
                row
                for row in db.rows("conflicts")
                if (row["claim_id"], row["other_id"]) == pair and row["resolved_at"] is None
            ]
            if not known:
                add_conflict(db, "claims_overlap", claim["lot_id"], claim_id=pair[0], other_id=pair[1])
                found.append({"claim_id": pair[0], "other_id": pair[1], "spot_id": claim["spot_id"]})
    return found


def add_conflict(db: MemoryDatabase, kind: str, lot: UUID, **columns: Any) -> None:
    row: Row = {"claim_id": None, "other_id": None, "detail": {}, "resolved_at": None, "created_at": db.now()}
    db.put("conflicts", db.next_number(), {**row, "kind": kind, "lot_id": lot, **columns})


@answers("cloud.reservations.claims_clashing")
def claims_clashing(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    found = [
        claim
        for claim in db.table("claims").values()
        if claim["clashing"] and claim["state"] in BINDING and claim["lot_id"] == lot
    ]
    return sorted(found, key=lambda claim: (claim["created_at"], claim["id"]))


@answers("cloud.reservations.claim_settle")
def claim_settle(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    claim = db.table("claims").get(uuid_of(parameters["id"]))
    if claim is not None and claim["clashing"] and not in_the_way(db, claim):
        db.put("claims", claim["id"], {**claim, "clashing": False})
    return []


@answers("cloud.reservations.conflicts_settle")
def conflicts_settle(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    claims, lot = db.table("claims"), uuid_of(parameters["lot"])
    for key, row in list(db.table("conflicts").items()):
        if row["kind"] != "claims_overlap" or row["resolved_at"] is not None or row["lot_id"] != lot:
            continue
        claim = claims.get(row["claim_id"])
        clashes = (
            claim is not None
            and claim["clashing"]
            and claim["state"] in BINDING
            and any(other["id"] == row["other_id"] for other in _overlapping(db, claim))
        )
        if not clashes:
            db.put("conflicts", key, {**row, "resolved_at": db.now()})
    return []


def _overlapping(db: MemoryDatabase, claim: Row) -> list[Row]:
    claims = db.table("claims")
    others = (claims[id_] for id_ in db.claims_of_spot.get(claim["spot_id"], ()))
    return [o for o in others if o["state"] in BINDING and _overlaps(o, claim["starts_at"], claim["ends_at"])]


@answers("cloud.reservations.conflicts_report")
def conflicts_report(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for detail in parameters["detail"]:
        add_conflict(db, "reported_by_gateway", uuid_of(parameters["lot"]), detail=json.loads(detail))
    return []


@answers("cloud.reservations.stays_apply")
def stays_apply(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for row in rows_of(parameters, *STAY_COLUMNS):
        stay = {**row, "id": uuid_of(row["id"]), "claim_id": uuid_or_none(row["claim_id"])}
        known = db.table("stays").get(stay["id"])
        if known is None:
            db.put("stays", stay["id"], {**stay, "lot_id": uuid_of(parameters["lot"])})
        elif known["version"] < stay["version"]:
            names = (
                "state",
                "type",
                "lane",
                "entered_at",
                "left_at",
                "claim_id",
                "over_count",
                "paid_until",
                "version",
            )
            db.put("stays", stay["id"], {**known, **{name: stay[name] for name in names}})
    return []


@answers("cloud.reservations.undecided_in_the_way")
def undecided_in_the_way(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    holders: dict[str, None] = {}
    claims = db.table("claims")
    for fact in rows_of(parameters, "spot_id", "starts_at", "ends_at"):
        for id_ in db.claims_of_spot.get(uuid_or_none(fact["spot_id"]), ()):  # type: ignore[arg-type]  # None is no spot
            held = claims[id_]
            if (
                held["state"] == "held"
                and held["holder_kind"] == "reservation"
                and _overlaps(held, fact["starts_at"], fact["ends_at"])
            ):
                holders[held["holder_id"]] = None
    return [{"holder_id": holder} for holder in holders]


@answers("cloud.reservations.holders_of_claims")
def holders_of_claims(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    claims = db.table("claims")
    found = (claims[id_] for id_ in _ids(parameters) if id_ in claims)
    return [
        {"id": claim["id"], "holder_id": claim["holder_id"]}
        for claim in found
        if claim["holder_kind"] == "reservation"
    ]


@answers("cloud.reservations.claim_make_firm")
def claim_make_firm(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["id"])
    known = db.table("claims").get(id_)
    if known is not None and known["version"] >= parameters["version"]:
        return []
    names = (
        "type",
        "starts_at",
        "ends_at",
        "kind",
        "holder_kind",
        "holder_id",
        "sold_by",
        "epoch",
        "revision",
    )
    fresh = {name: parameters[name] for name in names}
    claim = {
        "id": id_,
        "lot_id": uuid_of(parameters["lot"]),
        "created_at": db.now(),
        "clashing": False,
        **fresh,
        **(known or {}),
        "spot_id": uuid_or_none(parameters["spot_id"]),
        "state": "firm",
        "version": parameters["version"],
    }
    if not write_claim(db, claim):
        raise ExclusionViolation("claims_no_overlap")
    return []


@answers("cloud.reservations.claim_release")
def claim_release(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    claim = db.table("claims").get(uuid_of(parameters["id"]))
    if claim is not None and claim["state"] != "released":
        db.put("claims", claim["id"], {**claim, "state": "released", "version": parameters["version"]})
    return []


# Places of the cloud's own


def _window_with_turnover(db: MemoryDatabase, parameters: Mapping[str, Any]) -> tuple[datetime, datetime]:
    lot = db.table("parking_lots").get(uuid_of(parameters["lot"]))
    buffer = timedelta(seconds=lot["policy"]["turnover_buffer_s"] if lot is not None else 0)
    starts_at, ends_at = parameters["starts_at"], parameters["ends_at"]
    return max(starts_at - buffer, min(parameters["now"], starts_at)), ends_at + buffer


def _own_spots(db: MemoryDatabase, parameters: Mapping[str, Any]) -> list[Row]:
    lot, wanted = uuid_of(parameters["lot"]), uuid_or_none(parameters["spot"])
    return [
        spot
        for spot in db.rows("parking_spots")
        if spot["lot_id"] == lot
        and spot["owner"] == "cloud"
        and spot["type"] == parameters["type"]
        and wanted in {None, spot["id"]}
    ]


def _is_free(
    db: MemoryDatabase, spot: Row, parameters: Mapping[str, Any], window: tuple[datetime, datetime]
) -> bool:
    """Between two windows of one booking no turnover time is kept."""
    claims = db.table("claims")
    for id_ in db.claims_of_spot.get(spot["id"], ()):
        taken = claims[id_]
        own = taken["holder_id"] == parameters["holder"]
        starts_at, ends_at = (parameters["starts_at"], parameters["ends_at"]) if own else window
        if taken["state"] in BINDING and _overlaps(taken, starts_at, ends_at):
            return False
    return True


@answers("cloud.reservations.own_spots_left")
def own_spots_left(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    own = _own_spots(db, parameters)
    window = _window_with_turnover(db, parameters)
    return [{"total": len(own), "free": sum(_is_free(db, spot, parameters, window) for spot in own)}]


@answers("cloud.reservations.own_spot_take")
def own_spot_take(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    window = _window_with_turnover(db, parameters)
    free = [spot for spot in _own_spots(db, parameters) if _is_free(db, spot, parameters, window)]
    if not free:
        return []
    claims = db.table("claims")

    def rank(spot: Row) -> tuple[bool, bool, int]:
        here = [claims[id_] for id_ in db.claims_of_spot.get(spot["id"], ())]
        holders = [claim["holder_id"] for claim in here if claim["state"] in BINDING]
        return parameters["holder"] not in holders, not holders, spot["ordinal"]

    if uuid_of(parameters["claim"]) in claims:
        return []
    chosen = min(free, key=rank)
    names = ("type", "starts_at", "ends_at", "epoch", "revision")
    claim = {
        **{name: parameters[name] for name in names},
        "id": uuid_of(parameters["claim"]),
        "lot_id": uuid_of(parameters["lot"]),
        "spot_id": chosen["id"],
        "kind": "booking",
        "holder_kind": "reservation",
        "holder_id": parameters["holder"],
        "state": "held",
        "sold_by": "cloud",
        "version": 1,
        "clashing": False,
        "created_at": db.now(),
    }
    return [{"spot_id": chosen["id"]}] if write_claim(db, claim) else []


@answers("cloud.reservations.holders_that_hold")
def holders_that_hold(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    wanted, lot = set(parameters["holders"]), uuid_of(parameters["lot"])
    holders = {
        claim["holder_id"]: None
        for claim in db.rows("claims")
        if claim["state"] in BINDING
        and claim["holder_id"] in wanted
        and claim["holder_kind"] == "reservation"
        and claim["lot_id"] == lot
    }
    return [{"holder_id": holder} for holder in holders]
