"""Stand-ins for the statements about payments, refunds and receivables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.memory_database import (
    Answer,
    MemoryDatabase,
    Row,
    answers,
    rows_of,
    uuid_of,
    uuid_or_none,
)


def _due_at(db: MemoryDatabase, seconds: float | None) -> datetime | None:
    return None if seconds is None else db.now() + timedelta(seconds=seconds)


@answers("cloud.payments.demands_apply")
def demands_apply(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    for row in rows_of(
        parameters, "id", "stay_id", "amount_minor", "currency", "from_at", "to_at", "made_at"
    ):
        id_ = uuid_of(row["id"])
        if id_ not in db.table("demands"):
            db.put("demands", id_, {**row, "id": id_, "stay_id": uuid_of(row["stay_id"])})
    return []


OF_NO_PROVIDER = {
    "reservation_id": None,
    "standing": None,
    "stripe_payment_intent_id": None,
    "create_attempt": 1,
    "captured_minor": 0,
    "lapses_at": None,
    "refusal": "",
    "unanswered": 0,
    "due_at": None,
}
"""A payment at the lot's own terminal."""


@answers("cloud.payments.payments_apply")
def payments_apply(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    names = (
        "id",
        "demand_id",
        "amount_minor",
        "currency",
        "status",
        "terminal",
        "reference",
        "changed_at",
        "version",
    )
    for row in rows_of(parameters, *names):
        id_ = uuid_of(row["id"])
        known = db.table("payments").get(id_)
        owned = {"id": id_, "lot_id": uuid_of(parameters["lot"]), "demand_id": uuid_of(row["demand_id"])}
        fresh = {**row, **owned, **OF_NO_PROVIDER}
        if known is None:
            db.put("payments", id_, fresh)
        elif known["version"] < row["version"]:
            changed = {name: row[name] for name in ("status", "reference", "changed_at", "version")}
            db.put("payments", id_, {**known, **changed})
    return []


@answers("cloud.payments.payment_add")
def payment_add(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["id"])
    row = {
        "id": id_,
        "lot_id": uuid_of(parameters["lot"]),
        "demand_id": uuid_or_none(parameters["demand"]),
        "reservation_id": uuid_or_none(parameters["reservation"]),
        "amount_minor": parameters["amount_minor"],
        "currency": parameters["currency"],
        "status": "pending",
        "standing": "creating",
        "stripe_payment_intent_id": None,
        "create_attempt": 1,
        "captured_minor": 0,
        "lapses_at": None,
        "refusal": "",
        "unanswered": 0,
        "version": 1,
        "changed_at": parameters["at"],
        "due_at": _due_at(db, parameters["due_s"]),
    }
    if id_ not in db.table("payments"):
        db.put("payments", id_, row)
    return []


@answers("cloud.payments.payment_read", "cloud.payments.payment_lock")
def payment_read(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    row = db.table("payments").get(uuid_of(parameters["id"]))
    return [] if row is None or row["standing"] is None else [row]


@answers("cloud.payments.payment_write")
def payment_write(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["id"])
    names = ("standing", "status", "captured_minor", "lapses_at", "refusal", "unanswered", "version")
    changed = {
        **{name: parameters[name] for name in names},
        "stripe_payment_intent_id": parameters["intent"],
        "create_attempt": parameters["attempt"],
        "changed_at": parameters["at"],
        "due_at": _due_at(db, parameters["due_s"]),
    }
    known = db.table("payments").get(id_)
    if known is not None:
        db.put("payments", id_, {**known, **changed})
    return []


@answers("cloud.payments.payments_take_due")
def payments_take_due(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    now = db.now()
    due = [row for row in db.rows("payments") if row["due_at"] is not None and row["due_at"] <= now]
    taken = sorted(due, key=lambda row: (row["due_at"], row["id"]))[: parameters["limit"]]
    for row in taken:
        db.put("payments", row["id"], {**row, "due_at": _due_at(db, parameters["lease_s"])})
    return [{"id": row["id"]} for row in taken]


@answers("cloud.payments.payment_make_due")
def payment_make_due(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    wanted = uuid_or_none(parameters["payment"])
    for row in db.rows("payments"):
        intent = row["stripe_payment_intent_id"]
        is_it = intent == parameters["intent"] if intent is not None else row["id"] == wanted
        if row["standing"] is not None and is_it:
            db.put("payments", row["id"], {**row, "due_at": db.now()})
    return []


@answers("cloud.payments.refunds_read")
def refunds_read(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    payment = uuid_of(parameters["payment"])
    found = [row for row in db.rows("refunds") if row["payment_id"] == payment]
    return sorted(found, key=lambda row: (row["created_at"], row["id"]))


@answers("cloud.payments.refund_write")
def refund_write(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["id"])
    known: Row = db.table("refunds").get(id_) or {
        "id": id_,
        "payment_id": uuid_of(parameters["payment"]),
        "amount_minor": parameters["amount_minor"],
        "created_at": db.now(),
    }
    changed = {
        "state": parameters["state"],
        "reason": parameters["reason"],
        "stripe_refund_id": parameters["provider_id"],
    }
    db.put("refunds", id_, {**known, **changed})
    return []


@answers("cloud.payments.receivable_add")
def receivable_add(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["payment"])
    if id_ not in db.table("receivables"):
        row = {name: parameters[name] for name in ("amount_minor", "currency", "reason")}
        db.put("receivables", id_, {**row, "payment_id": id_, "settled_at": None})
    return []


@answers("cloud.payments.receivable_settle")
def receivable_settle(db: MemoryDatabase, parameters: Mapping[str, Any]) -> Answer:
    id_ = uuid_of(parameters["payment"])
    row = db.table("receivables").get(id_)
    if row is not None and row["settled_at"] is None:
        db.put("receivables", id_, {**row, "settled_at": db.now()})
    return []
