"""Stand-ins for the statements about reservations' rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg.errors import CheckViolation

from tests.simulation.memory_claims import add_conflict
from tests.simulation.memory_database import (
    Answer,
    MemoryDatabase,
    Row,
    answers,
    as_json,
    uuid_of,
    uuid_or_none,
)

RENAMED = {"lot": "lot_id", "user": "user_name", "spot": "spot_id", "payment": "payment_id"}
JSON = frozenset({"ballots", "own_claims", "quote", "cuts"})
DECIDED = frozenset({"committed", "aborted"})
IDS = frozenset({"id", "lot_id", "spot_id", "payment_id"})
WRITTEN = (
    "lot_id", "state", "status", "reason", "deadline_at", "lease_holder", "lease_token", "lease_until", "ballots",
    "own_claims", "untold", "told_n", "link_session", "superseded", "payment_id", "cut_n",
)  # fmt: skip


def _row(parameters: Mapping[str, Any]) -> Row:
    row = {RENAMED.get(name, name): value for name, value in parameters.items() if name != "was"}
    row |= {name: as_json(row[name]) for name in JSON}
    row |= {name: uuid_or_none(row[name]) for name in IDS}
    return row


def _key(row: Row) -> tuple[Any, int]:
    return row["id"], row["revision"]


def _change(db: MemoryDatabase, row: Row, **values: Any) -> None:
    db.put("reservations", _key(row), {**row, **values, "updated_at": db.now()})


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["id"], row["revision"]))


@answers("cloud.reservations.protocol_now", "cloud.real_now")
def protocol_now(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    return [{"now": db.now()}]


@answers("cloud.reservations.booking_latest")
def booking_latest(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["id"])
    mine = [key for key in db.table("reservations") if key[0] == id_]
    return [db.table("reservations")[max(mine)]] if mine else []


@answers("cloud.reservations.booking_hold")
def booking_hold(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("reservations").get((uuid_of(parameters["id"]), parameters["revision"]))
    return [] if row is None else [row]


@answers("cloud.reservations.bookings_preparing")
def bookings_preparing(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    return _sorted([r for r in db.rows("reservations") if r["state"] == "preparing" and r["lot_id"] == lot])


@answers("cloud.reservations.bookings_untold")
def bookings_untold(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    lot = uuid_of(parameters["lot"])
    return _sorted(
        [
            row
            for row in db.table("reservations").values()
            if row["untold"]
            and row["told_n"] is not None
            and row["told_n"] <= parameters["n"]
            and row["lot_id"] == lot
        ]
    )


def due(db: MemoryDatabase) -> list[Row]:
    now = db.now()
    return sorted(
        (
            row
            for row in db.rows("reservations")
            if row["state"] in {"draft", "preparing"}
            and (
                (row["deadline_at"] is not None and row["deadline_at"] <= now)
                or (
                    row["state"] == "preparing"
                    and row["lease_until"] is not None
                    and row["lease_until"] <= now
                )
            )
        ),
        key=lambda row: (row["deadline_at"], row["id"]),
    )


@answers("cloud.reservations.bookings_due")
def bookings_due(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    return due(db)[: parameters["limit"]]


@answers("cloud.reservations.booking_add")
def booking_add(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = {
        **_row(parameters),
        "created_at": db.now(),
        "updated_at": db.now(),
        "at_risk": None,
        "risk_told": False,
    }
    if _key(row) in db.table("reservations"):
        return []
    db.put("reservations", _key(row), row)
    return [{"id": row["id"]}]


@answers("cloud.reservations.booking_write")
def booking_write(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = _row(parameters)
    known = db.table("reservations").get(_key(row))
    if known is None or known["state"] != parameters["was"]:
        return []
    decides = parameters["was"] == "preparing" and row["state"] == "committed"
    if decides and not (known["deadline_at"] is not None and db.now() < known["deadline_at"]):
        return []
    if known["state"] in DECIDED and row["state"] != known["state"]:
        raise CheckViolation("reservations_decided_once")
    _change(db, known, **{name: row[name] for name in WRITTEN})
    return [{"id": row["id"]}]


@answers("cloud.reservations.booking_status")
def booking_status(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("reservations").get((uuid_of(parameters["id"]), parameters["revision"]))
    if row is not None:
        _change(db, row, status=parameters["status"])
    return []


@answers("cloud.reservations.bookings_told")
def bookings_told(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    ids = {uuid_of(id_) for id_ in parameters["ids"]}
    committed = [r for r in db.table("reservations").values() if r["id"] in ids and r["state"] == "committed"]
    newest = {row["id"]: row for row in _sorted(committed)}
    lot = uuid_of(parameters["lot"])
    return [row for row in newest.values() if row["lot_id"] == lot]


@answers("cloud.reservations.bookings_ended")
def bookings_ended(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    until, lot = parameters["until"], uuid_of(parameters["lot"])
    return _sorted(
        [
            row
            for row in db.table("reservations").values()
            if row["status"] in {"active", "cancel_pending"}
            and row["lot_id"] == lot
            and (ends_at := row["booked_until"] or row["ends_at"]) is not None
            and ends_at <= until
        ]
    )[:200]


@answers("cloud.reservations.conflict_of_booking")
def conflict_of_booking(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    add_conflict(db, parameters["kind"], uuid_of(parameters["lot"]), detail=as_json(parameters["detail"]))
    return []


@answers("cloud.reservations.tell_processes")
def tell_processes(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    db.say(parameters["word"])
    return [{"pg_notify": ""}]


@answers("cloud.reservations.holds_give_back")
def holds_give_back(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    before = db.now() - timedelta(seconds=parameters["holds_s"])
    back = []
    holding = [row for row in db.rows("reservations") if row["state"] == "draft" and row["own_claims"]]
    for row in holding:
        if row["created_at"] > before and str(row["id"]) not in parameters["ids"]:
            continue
        _change(db, row, own_claims=[])
        for key, claim in list(db.table("claims").items()):
            mine = claim["holder_kind"] == "reservation" and claim["holder_id"] == str(row["id"])
            if mine and claim["state"] == "held" and claim["sold_by"] == "cloud":
                db.put("claims", key, {**claim, "state": "released", "version": claim["version"] + 1})
                region = db.table("parking_lots")[claim["lot_id"]]["region"]
                back.append({"region": region, "lot_id": claim["lot_id"]})
    return back


@answers("cloud.reservations.lock_within")
def lock_within(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    return [{"set_config": parameters["ms"]}]


def _revisions(db: MemoryDatabase, id_: Any) -> list[Row]:
    return [row for key, row in db.table("reservations").items() if key[0] == uuid_of(id_)]


@answers("cloud.reservations.booking_standing")
def booking_standing(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    rows = _revisions(db, parameters["id"])
    return sorted(rows, key=lambda row: (row["state"] == "committed", row["revision"]))[-1:]


@answers("cloud.reservations.booking_before")
def booking_before(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    rows = [
        row
        for row in _revisions(db, parameters["id"])
        if row["revision"] < parameters["revision"] and row["state"] == "committed"
    ]
    return sorted(rows, key=lambda row: row["revision"])[-1:]


@answers("cloud.reservations.bookings_before_settle")
def bookings_before_settle(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for row in _revisions(db, parameters["id"]):
        if (
            row["revision"] < parameters["revision"]
            and row["state"] == "committed"
            and row["status"] is not None
        ):
            _change(db, row, status=None)
    return []


@answers("cloud.reservations.payments_of_booking")
def payments_of_booking(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    rows = [row for row in _revisions(db, parameters["id"]) if row["state"] == "committed"]
    newest = sorted(rows, key=lambda row: -row["revision"])
    return [{"payment_id": row["payment_id"]} for row in newest if row["payment_id"] is not None]


@answers("cloud.reservations.booking_at_risk")
def booking_at_risk(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    changed, lot = [], uuid_of(parameters["lot"])
    for row in _revisions(db, parameters["id"]):
        stands = row["state"] == "committed" and row["status"] in {"active", "in_use"}
        if stands and row["lot_id"] == lot and row["at_risk"] != parameters["reason"]:
            _change(db, row, at_risk=parameters["reason"], risk_told=False)
            changed.append({"id": row["id"]})
    return changed
