"""Our records as rows of the ledger's file, and back. Claims, stays, demands and payments are the maps of `sync.rows`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.change import QuarantinedRecord, SpotState, TokenSeen
from parking.claims import Claim
from parking.demands import Demand, Payment
from parking.ids import SpotId
from parking.lot import InFlight, Owner, Tier
from parking.stays import Stay
from sync.instants import from_us, to_us
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


def owner_in(owner: Owner) -> str:
    """An owner as text."""
    return f"in_flight:{owner.transfer}" if isinstance(owner, InFlight) else str(owner)


def owner_out(text: str) -> Owner:
    """An owner from its text."""
    tier, colon, transfer = text.partition(":")
    return InFlight(transfer=transfer) if colon else Tier(tier)


def meta_out(rows: Iterable[sqlite3.Row]) -> Mapping[str, str | int | bytes]:
    """Remembered values by key."""
    return {row["key"]: row["value"] for row in rows}
