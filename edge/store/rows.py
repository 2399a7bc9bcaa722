"""Our records as rows of the ledger's file, and back. Claims, stays, demands and payments are the maps of `sync.rows`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.change import QuarantinedRecord, SpotState, TokenSeen
from parking.claims import Claim
from parking.demands import Demand, Payment
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import InFlight, Owner, SpotType, Tier
from parking.stays import Stay
from sync.instants import from_us, to_us
from sync.ownership import OwnerChange, TransferRow, TransferState
from sync.part import Part, ParticipantState
from sync.rows import (
    claim_from_row,
    claim_row,
    demand_from_row,
    demand_row,
    payment_from_row,
    payment_row,
    stay_from_row,
    stay_row,
)
from sync.transaction import TransactionId

Parameters = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One fact, numbered and chained: `body` is the very bytes that were hashed."""

    epoch: int
    seq: int
    previous_hash: bytes
    hash: bytes
    boot: str
    monotonic_us: int
    kind: str
    body: bytes

    def parameters(self) -> Parameters:
        """As a row."""
        return {
            "epoch": self.epoch,
            "seq": self.seq,
            "previous_hash": self.previous_hash,
            "hash": self.hash,
            "boot": self.boot,
            "monotonic_us": self.monotonic_us,
            "kind": self.kind,
            "body": self.body,
        }


def claims_in(claims: Iterable[Claim], seq: int) -> list[Parameters]:
    """Claims as rows; `seq` is the log row that tells them."""
    return [{**claim_row(claim), "seq": seq} for claim in claims]


def claim_out(row: sqlite3.Row) -> Claim:
    """A claim from its row."""
    return claim_from_row({**row, "clashing": bool(row["clashing"])})


def stays_in(stays: Iterable[Stay], seq: int) -> list[Parameters]:
    """Stays as rows."""
    return [{**stay_row(stay), "seq": seq} for stay in stays]


def stay_out(row: sqlite3.Row) -> Stay:
    """A stay from its row."""
    return stay_from_row({**row, "over_count": bool(row["over_count"])})


def demands_in(demands: Iterable[Demand], seq: int) -> list[Parameters]:
    """Demands as rows; their lines as JSON."""
    return [
        {**(row := demand_row(demand)), "lines": json.dumps(row["lines"]), "seq": seq} for demand in demands
    ]


def demand_out(row: sqlite3.Row) -> Demand:
    """A demand from its row."""
    return demand_from_row({**row, "lines": json.loads(row["lines"])})


def payments_in(payments: Iterable[Payment], seq: int) -> list[Parameters]:
    """Payments as rows."""
    return [{**payment_row(payment), "seq": seq} for payment in payments]


def payment_out(row: sqlite3.Row) -> Payment:
    """A payment from its row."""
    return payment_from_row(dict(row))


def spot_state_in(state: SpotState) -> Parameters:
    """A spot's state as a row."""
    return {
        "spot": state.spot,
        "writer": state.writer,
        "n": state.n,
        "seen": json.dumps(dict(state.seen)) if state.seen else "{}",
        "state": state.state,
        "source": state.source,
        "occurred_us": to_us(state.occurred_at),
        "confidence_1e4": state.confidence_1e4,
    }


def spot_state_out(row: sqlite3.Row) -> SpotState:
    """A spot's state from its row."""
    return SpotState(
        spot=SpotId(row["spot"]),
        writer=row["writer"],
        n=row["n"],
        seen=json.loads(row["seen"]),
        state=row["state"],
        source=row["source"],
        occurred_at=from_us(row["occurred_us"]),
        confidence_1e4=row["confidence_1e4"],
    )


def quarantined_in(record: QuarantinedRecord) -> Parameters:
    """Something kept aside as a row."""
    return {
        "source": record.source,
        "field": record.field,
        "problem": record.problem,
        "digest": record.digest,
        "at_us": to_us(record.at),
        "raw": record.raw,
    }


def token_in(token: TokenSeen) -> Parameters:
    """A presented token as a row."""
    return {
        "kind": token.kind,
        "subject": token.subject,
        "revision": token.revision,
        "at_us": to_us(token.at),
    }


def parts_in(parts: Iterable[Part], seq: int, changed_us: int) -> list[Parameters]:
    """Transactions of the commit as rows."""
    return [
        {
            "reservation": part.id.reservation,
            "revision": part.id.revision,
            "state": str(part.state),
            "claim": part.claim,
            "type": None if part.type is None else str(part.type),
            "starts_us": None if part.window is None else to_us(part.window.starts_at),
            "ends_us": None
            if part.window is None or part.window.ends_at is None
            else to_us(part.window.ends_at),
            "epoch": part.epoch,
            "prepared_us": None if part.prepared_at is None else to_us(part.prepared_at),
            "log_seq_before": part.log_seq_before,
            "ended_by": part.by,
            "reason": part.reason,
            "seq": seq,
            "changed_us": changed_us,
        }
        for part in parts
    ]


def part_out(row: sqlite3.Row) -> Part:
    """A transaction from its row."""
    starts_us, ends_us, prepared_us = row["starts_us"], row["ends_us"], row["prepared_us"]
    ends_at = None if ends_us is None else from_us(ends_us)
    return Part(
        id=TransactionId(reservation=row["reservation"], revision=row["revision"]),
        state=ParticipantState(row["state"]),
        claim=None if row["claim"] is None else ClaimId(row["claim"]),
        type=None if row["type"] is None else SpotType(row["type"]),
        window=None if starts_us is None else Interval(from_us(starts_us), ends_at),
        epoch=row["epoch"],
        prepared_at=None if prepared_us is None else from_us(prepared_us),
        log_seq_before=row["log_seq_before"],
        by=row["ended_by"],
        reason=row["reason"],
    )


def owner_in(owner: Owner) -> str:
    """An owner as text."""
    return f"in_flight:{owner.transfer}" if isinstance(owner, InFlight) else str(owner)


def owner_out(text: str) -> Owner:
    """An owner from its text."""
    tier, colon, transfer = text.partition(":")
    return InFlight(transfer=transfer) if colon else Tier(tier)


def owners_in(changes: Iterable[OwnerChange]) -> list[Parameters]:
    """Spots that change hands, as rows."""
    return [{"spot": spot, "owner": owner_in(change.owner)} for change in changes for spot in change.spots]


def transfers_in(rows: Iterable[TransferRow], seq: int) -> list[Parameters]:
    """Transfers as rows."""
    return [
        {
            "id": row.id,
            "epoch": row.epoch,
            "to_tier": str(row.to),
            "type": str(row.type),
            "spots": json.dumps(row.spots),
            "state": str(row.state),
            "seq": seq,
        }
        for row in rows
    ]


def transfer_out(row: sqlite3.Row) -> TransferRow:
    """A transfer from its row."""
    return TransferRow(
        id=row["id"],
        epoch=row["epoch"],
        to=Tier(row["to_tier"]),
        type=SpotType(row["type"]),
        spots=tuple(SpotId(spot) for spot in json.loads(row["spots"])),
        state=TransferState(row["state"]),
    )


def meta_out(rows: Iterable[sqlite3.Row]) -> Mapping[str, str | int | bytes]:
    """Remembered values by key."""
    return {row["key"]: row["value"] for row in rows}
