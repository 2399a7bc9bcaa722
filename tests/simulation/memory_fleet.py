"""Stand-ins for the statements about lots, gateways, their sessions, inbox and documents. Counts for the search are left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg.errors import UniqueViolation

from tests.simulation.memory_database import Answer, MemoryDatabase, answers, as_json, rows_of, uuid_of

LATE = timedelta(seconds=60)


@answers("cloud.reservations.lot_hold", "cloud.parking_lots.lot_lock", "cloud.parking_lots.lot_region")
def lot_hold(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("parking_lots").get(uuid_of(parameters["lot"]))
    return [] if row is None else [row]


@answers("cloud.parking_lots.lot_announce")
def lot_announce(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    row = {
        "id": lot,
        "region": parameters["region"],
        "name": parameters["name"],
        "layout_hash": None,
        "policy": {},
    }
    if lot not in db.table("parking_lots"):
        db.put("parking_lots", lot, row)
    return []


@answers("cloud.parking_lots.lot_lay_out")
def lot_lay_out(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    known = db.table("parking_lots").get(lot)
    if known is None:
        return []
    laid = {
        "name": parameters["name"],
        "layout_hash": parameters["hash"],
        "policy": as_json(parameters["policy"]),
    }
    db.put("parking_lots", lot, {**known, **laid})
    return []


@answers("cloud.parking_lots.zones_lay_out")
def zones_lay_out(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    there = set(parameters["id"])
    for key in [key for key in db.table("zones") if key[0] == lot and key[1] not in there]:
        db.drop("zones", key)
    for row in rows_of(parameters, "id", "level", "kind"):
        db.put("zones", (lot, row["id"]), row)
    return []


@answers("cloud.parking_lots.spots_lay_out")
def spots_lay_out(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot, there = uuid_of(parameters["lot"]), {uuid_of(id_) for id_ in parameters["id"]}
    for spot in db.rows("parking_spots"):
        if spot["lot_id"] == lot and spot["id"] not in there:
            db.drop("parking_spots", spot["id"])
    for ordinal, row in enumerate(rows_of(parameters, "id", "zone_id", "number", "type"), 1):
        id_ = uuid_of(row["id"])
        new = {"number": row["number"], "owner": "edge", "transfer_id": None, "lot_id": lot}
        known = db.table("parking_spots").get(id_, new)
        laid = {"id": id_, "ordinal": ordinal, "zone_id": row["zone_id"], "type": row["type"]}
        db.put("parking_spots", id_, {**known, **laid})
    return []


@answers("cloud.reservations.spot_asked_for")
def spot_asked_for(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    spot = db.table("parking_spots").get(uuid_of(parameters["spot"]))
    if spot is None or spot["lot_id"] != uuid_of(parameters["lot"]):
        return []
    zone = db.table("zones").get((spot["lot_id"], spot["zone_id"]))
    return [] if zone is None else [{**spot, "zone_kind": zone["kind"]}]


@answers(
    "cloud.parking_lots.spots_see",
    "cloud.parking_lots.counts_report",
    "cloud.parking_lots.counts_recompute",
    "cloud.parking_lots.counts_shown",
    "cloud.parking_lots.lots_by_id",
    "cloud.event_publish",
    "cloud.gateways.quarantine_insert",
    "cloud.gateways.commands_of_session_unknown",
)
def nothing(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    return []


# Sessions


@answers("cloud.gateways.gateway_record")
def gateway_record(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is None:
        return []
    held = db.table("gateway_inbox").get((row["id"], row["epoch"], parameters["seq"]))
    lot = db.table("parking_lots")[row["lot_id"]]
    return [
        {**row, "layout_hash": lot["layout_hash"], "hash_at_hello": None if held is None else held["hash"]}
    ]


@answers("cloud.gateways.session_begin")
def session_begin(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is None:
        return []
    begun = {
        **row,
        "session": row["session"] + 1,
        "boot": parameters["boot"],
        "clock_quality": parameters["clock_quality"],
        "connected_at": db.now(),
        "disconnected_at": None,
        "last_heard_at": db.now(),
    }
    db.put("gateways", row["id"], begun)
    return [begun]


@answers("cloud.gateways.clock_changed")
def clock_changed(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is not None:
        db.put("gateways", row["id"], {**row, "clock_quality": parameters["quality"]})
    return []


@answers("cloud.gateways.session_end")
def session_end(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is None or row["session"] != parameters["session"] or row["disconnected_at"] is not None:
        return []
    ended = {**row, "disconnected_at": db.now()}
    db.put("gateways", row["id"], ended)
    return [ended]


@answers("cloud.gateways.session_hold")
def session_hold(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    return [] if row is None else [row]


@answers("cloud.gateways.gateway_set_state")
def gateway_set_state(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is None:
        return []
    changed = {**row, "state": parameters["state"], "state_reason": parameters["reason"]}
    db.put("gateways", row["id"], changed)
    return [changed]


@answers("cloud.gateways.gateway_heard", "cloud.gateways.page_repeated")
def gateway_heard(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is not None:
        db.put("gateways", row["id"], {**row, "last_heard_at": db.now()})
    return []


@answers("cloud.gateways.line_of_lot")
def line_of_lot(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    found = []
    for row in db.table("gateways").values():
        if row["lot_id"] == lot and row["state"] != "replaced":
            is_open = row["connected_at"] is not None and row["disconnected_at"] is None
            is_heard = is_open and row["last_heard_at"] > db.now() - LATE
            found.append({**row, "connected": row["state"] == "ok" and is_heard})
    return found


@answers("cloud.gateways.gateway_of_lot")
def gateway_of_lot(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    return [row for row in db.rows("gateways") if row["lot_id"] == lot and row["state"] != "replaced"]


# The log


@answers("cloud.gateways.inbox_hashes")
def inbox_hashes(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    inbox, scope = db.table("gateway_inbox"), (parameters["gateway"], parameters["epoch"])
    numbers = range(parameters["first"], parameters["last"] + 1)
    return [inbox[(*scope, seq)] for seq in numbers if (*scope, seq) in inbox]


@answers("cloud.gateways.inbox_insert")
def inbox_insert(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    inbox, scope = db.table("gateway_inbox"), (parameters["gateway"], parameters["epoch"])
    new = []
    for row in rows_of(parameters, "seq", "hash", "body", "kind", "occurred_at", "outcome"):
        if (*scope, row["seq"]) not in inbox:
            db.put("gateway_inbox", (*scope, row["seq"]), row)
            new.append(row)
    return new


@answers("cloud.gateways.inbox_quarantined")
def inbox_quarantined(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    inbox, scope = db.table("gateway_inbox"), (parameters["gateway"], parameters["epoch"])
    for seq in parameters["seq"]:
        row = inbox.get((*scope, seq))
        if row is not None:
            db.put("gateway_inbox", (*scope, seq), {**row, "outcome": "quarantined"})
    return []


@answers("cloud.gateways.page_acknowledge")
def page_acknowledge(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("gateways").get(parameters["gateway"])
    if row is not None and row["acknowledged_seq"] < parameters["seq"]:
        heard = {"acknowledged_seq": parameters["seq"], "acknowledged_hash": parameters["hash"]}
        db.put("gateways", row["id"], {**row, **heard, "last_heard_at": db.now()})
    return []


# Documents


@answers("cloud.gateways.document_add")
def document_add(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    gateway = parameters["gateway"]
    numbers = [n for owner, n in db.table("gateway_documents") if owner == gateway]
    n = max(numbers, default=0) + 1
    row = {"n": n, "kind": parameters["kind"], "body": parameters["body"], "acknowledged_at": None}
    db.put("gateway_documents", (gateway, n), row)
    return [row]


@answers("cloud.gateways.documents_after")
def documents_after(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    documents, after, found = db.table("gateway_documents"), parameters["n"], []
    for n in range(after + 1, after + 1 + parameters["limit"]):
        row = documents.get((parameters["gateway"], n))
        found += [] if row is None else [row]
    return found


@answers("cloud.gateways.documents_acknowledge")
def documents_acknowledge(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for key, row in list(db.table("gateway_documents").items()):
        if key[0] == parameters["gateway"] and key[1] <= parameters["n"] and row["acknowledged_at"] is None:
            db.put("gateway_documents", key, {**row, "acknowledged_at": db.now()})
    return []


@answers("cloud.gateways.tariff_keep")
def tariff_keep(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    key = (uuid_of(parameters["lot"]), parameters["version"])
    if key in db.table("tariffs"):
        return []
    row = {"version": parameters["version"], "body": parameters["body"], "created_at": db.now()}
    db.put("tariffs", key, row)
    return [{"version": parameters["version"]}]


@answers("cloud.gateways.tariffs_of_lot")
def tariffs_of_lot(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    found = [row for key, row in db.table("tariffs").items() if key[0] == lot]
    return sorted(found, key=lambda row: (row["created_at"], row["version"]))


# Enrolment


@answers("cloud.gateways.code_keep")
def code_keep(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = {
        "region": parameters["region"],
        "lot_id": uuid_of(parameters["lot"]),
        "gateway_id": None,
        "expires_at": db.now() + timedelta(hours=parameters["hours"]),
    }
    if parameters["code_hash"] in db.table("enrolment_codes"):
        raise UniqueViolation("enrolment_codes_pkey")
    db.put("enrolment_codes", parameters["code_hash"], row)
    return []


@answers("cloud.gateways.code_find")
def code_find(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("enrolment_codes").get(parameters["code_hash"])
    return [] if row is None or row["expires_at"] <= db.now() else [row]


@answers("cloud.gateways.code_use")
def code_use(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("enrolment_codes").get(parameters["code_hash"])
    if row is not None:
        db.put("enrolment_codes", parameters["code_hash"], {**row, "gateway_id": parameters["gateway"]})
    return []


@answers("cloud.gateways.epoch_next")
def epoch_next(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    epochs = [row["epoch"] for row in db.rows("gateways") if row["lot_id"] == lot]
    return [{"epoch": max(epochs, default=0) + 1}]


@answers("cloud.gateways.gateways_replace")
def gateways_replace(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for key, row in list(db.table("gateways").items()):
        if row["lot_id"] == uuid_of(parameters["lot"]) and row["state"] != "replaced":
            over = {"state": "replaced", "state_reason": parameters["reason"], "session": row["session"] + 1}
            db.put("gateways", key, {**row, **over})
    return []


@answers("cloud.gateways.gateway_enrol")
def gateway_enrol(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = {
        "id": parameters["gateway"],
        "region": parameters["region"],
        "lot_id": uuid_of(parameters["lot"]),
        "public_key": parameters["public_key"],
        "epoch": parameters["epoch"],
        "acknowledged_hash": parameters["hash"],
        "acknowledged_seq": 0,
        "session": 0,
        "state": "ok",
        "state_reason": "",
        "boot": None,
        "clock_quality": None,
        "connected_at": None,
        "disconnected_at": None,
        "last_heard_at": None,
    }
    if row["id"] in db.table("gateways"):
        raise UniqueViolation("gateways_pkey")
    db.put("gateways", row["id"], row)
    return []


@answers("cloud.gateways.document_last")
def document_last(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for (gateway, _), row in reversed(db.table("gateway_documents").items()):
        if gateway == parameters["gateway"] and row["kind"] == parameters["kind"]:
            return [row]
    return []


@answers("cloud.gateways.documents_acknowledged_n")
def documents_acknowledged_n(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    numbers = [
        n
        for (gateway, n), row in db.table("gateway_documents").items()
        if gateway == parameters["gateway"] and row["acknowledged_at"] is not None
    ]
    return [{"n": max(numbers, default=0)}]
