"""Stand-ins for the statements about spots that change hands."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tests.simulation.memory_claims import BINDING, add_conflict
from tests.simulation.memory_database import (
    FOREVER_AT,
    Answer,
    MemoryDatabase,
    Row,
    answers,
    uuid_of,
    uuid_or_none,
)


def _spots(db: MemoryDatabase, parameters: Mapping[str, Any]) -> list[Row]:
    lot = uuid_of(parameters["lot"])
    return [row for row in db.rows("parking_spots") if row["lot_id"] == lot]


def _these_spots(db: MemoryDatabase, parameters: Mapping[str, Any]) -> list[Row]:
    """Those of the lot that are named."""
    here, lot = db.table("parking_spots"), uuid_of(parameters["lot"])
    found = (here.get(id_) for id_ in dict.fromkeys(uuid_of(id_) for id_ in parameters["spots"]))
    return [spot for spot in found if spot is not None and spot["lot_id"] == lot]


def _transfers(db: MemoryDatabase, parameters: Mapping[str, Any], state: str) -> list[Row]:
    """The lot's of a state, the oldest first."""
    lot = uuid_of(parameters["lot"])
    found = [row for row in db.rows("transfers") if row["lot_id"] == lot and row["state"] == state]
    return sorted(found, key=lambda row: (row["created_at"], row["id"]))


@answers("cloud.reservations.spots_to_give")
def spots_to_give(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    claims, passed = db.table("claims"), parameters["passed"]
    used = {stay["claim_id"] for stay in db.rows("stays") if stay["state"] in {"admitted", "inside"}}

    def is_promised(claim: Row) -> bool:
        ends_at = claim["ends_at"] or FOREVER_AT
        return claim["state"] in BINDING and (passed is None or ends_at > passed or claim["id"] in used)

    free = [
        spot
        for spot in _spots(db, parameters)
        if spot["owner"] == "cloud"
        and spot["type"] == parameters["type"]
        and not any(is_promised(claims[id_]) for id_ in db.claims_of_spot.get(spot["id"], ()))
    ]
    return sorted(free, key=lambda spot: -spot["ordinal"])[: parameters["limit"]]


@answers("cloud.reservations.log_has_passed")
def log_has_passed(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    inbox, scope = db.table("gateway_inbox"), (parameters["gateway"], parameters["epoch"])
    # An inbox takes the rows of an epoch in the order of their numbers, so the newest were put in last.
    newest = islice((key for key in reversed(inbox) if key[:2] == scope), 20)
    told = [inbox[key]["occurred_at"] for key in newest if inbox[key]["occurred_at"] is not None]
    return [{"passed": max(told, default=None)}]


@answers("cloud.reservations.owner_set")
def owner_set(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    moved = []
    was = (parameters["was"], uuid_or_none(parameters["was_in"]))
    for spot in _these_spots(db, parameters):
        if (spot["owner"], spot["transfer_id"]) == was:
            change = {"owner": parameters["owner"], "transfer_id": uuid_or_none(parameters["in_transfer"])}
            db.put("parking_spots", spot["id"], {**spot, **change})
            moved.append({"id": spot["id"]})
    return moved


@answers("cloud.reservations.spots_here")
def spots_here(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    return [{"id": spot["id"]} for spot in _these_spots(db, parameters)]


@answers("cloud.reservations.transfer_put")
def transfer_put(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["id"])
    known = db.table("transfers").get(id_)
    if known is not None:
        db.put("transfers", id_, {**known, "state": parameters["state"]})
        return []
    names = ("epoch", "to_tier", "type", "state", "request")
    row = {name: parameters[name] for name in names}
    spots = [uuid_of(spot) for spot in parameters["spots"]]
    lot = uuid_of(parameters["lot"])
    db.put("transfers", id_, {**row, "id": id_, "lot_id": lot, "spots": spots, "created_at": db.now()})
    return []


@answers("cloud.reservations.transfers_known")
def transfers_known(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    known, lot = db.table("transfers"), uuid_of(parameters["lot"])
    found = (known.get(id_) for id_ in dict.fromkeys(uuid_of(id_) for id_ in parameters["ids"]))
    return [row for row in found if row is not None and row["lot_id"] == lot]


@answers("cloud.reservations.transfers_in_flight")
def transfers_in_flight(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    found = _transfers(db, parameters, "in_flight")
    return [row for row in found if row["epoch"] == parameters["epoch"]][:500]


@answers("cloud.reservations.transfers_strand")
def transfers_strand(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for row in _transfers(db, parameters, "in_flight"):
        if row["epoch"] < parameters["epoch"]:
            db.put("transfers", row["id"], {**row, "state": "stranded"})
    return []


@answers("cloud.reservations.transfers_stranded")
def transfers_stranded(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    return _transfers(db, parameters, "stranded")


@answers("cloud.reservations.owners_to_the_lot")
def owners_to_the_lot(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for spot in _spots(db, parameters):
        if spot["owner"] == "cloud":
            db.put("parking_spots", spot["id"], {**spot, "owner": "edge"})
    return []


@answers("cloud.reservations.shares_of_lot")
def shares_of_lot(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    spots = _spots(db, parameters)
    return [
        {
            "type": kind,
            "total": sum(spot["type"] == kind for spot in spots),
            "cloud_owned": sum(spot["type"] == kind and spot["owner"] == "cloud" for spot in spots),
            "in_flight": sum(spot["type"] == kind and spot["owner"] == "in_flight" for spot in spots),
            "share_1e4": None,
        }
        for kind in sorted({spot["type"] for spot in spots})
    ]


@answers("cloud.reservations.ownership_broken")
def ownership_broken(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot, detail = uuid_of(parameters["lot"]), {"problem": parameters["problem"]}
    for row in db.rows("conflicts"):
        known = (row["lot_id"], row["kind"], row["detail"])
        if known == (lot, "ownership_broken", detail) and row["resolved_at"] is None:
            return []
    add_conflict(db, "ownership_broken", lot, detail=detail)
    return [{"id": None}]
