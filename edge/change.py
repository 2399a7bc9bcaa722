"""What one decision writes: rows, and the facts that tell them, in one transaction. Next: edge/ledger.py.

`Change.record` is the way to make one: it adds the fact of every claim, stay, demand and payment, in the order in which they
refer to each other, and then the events that only the caller knows (the arm moved, a token was issued, …).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edge.errors import FactMissing
from parking.claims import Claim
from parking.demands import Demand, Payment
from parking.ids import SpotId, StayId
from parking.stays import Stay, StayState
from sync.events import EventDraft, EventKind
from sync.instants import to_us
from sync.ownership import OwnerChange, TransferRow
from sync.part import Part
from sync.rows import claim_row, demand_row, payment_row, stay_row

STAY_FACTS: Mapping[StayState, EventKind] = {
    StayState.ADMITTED: EventKind.STAY_ADMITTED,
    StayState.INSIDE: EventKind.STAY_ENTERED,
    StayState.LEFT: EventKind.STAY_LEFT,
    StayState.VOID: EventKind.STAY_VOIDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotState:
    """What one writer last said of one spot. `n` counts that writer's updates of the spot, `seen` the others' that it knew.

    `state` is occupied, free or unknown; `source` names the device; `confidence_1e4` is 0 … 10,000.
    """

    spot: SpotId
    writer: str
    n: int
    seen: Mapping[str, int] = field(default_factory=dict)
    state: str
    source: str
    occurred_at: datetime
    confidence_1e4: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingKey:
    """A message that its source numbered, so that a second delivery has no second effect."""

    source: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """Number `n` of what the centre decided; `kind` "tariff" or "keys", `body` MessagePack."""

    n: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRecord:
    """Something that could not be understood, kept aside: `raw` as it came, bounded; `digest` is its SHA-256 in hex."""

    source: str
    field: str
    problem: str
    raw: bytes
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSeen:
    """The highest revision of a token that was presented here."""

    kind: str
    subject: str
    revision: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChanged:
    """How far a transaction of the commit is here, since `at`."""

    part: Part
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two promises that clash: both are on record, the later one outside the rule of no overlap."""

    claim: str
    other: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateOfStay:
    """The plate that a stay was admitted with: personal data, encrypted before it reaches the disk, in no event."""

    stay: StayId
    plate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The centre has applied the log up to and including `seq`, whose hash is `hash`."""

    seq: int
    hash: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidy:
    """What may go: rows of the log up to `log_seq` with the closed rows that they told, and what is older or more than its bound."""

    log_seq: int
    acknowledged_hour: int
    plates_before: datetime
    tokens_before: datetime
    transactions_before: datetime
    keep_reading_keys: int
    keep_quarantine: int
    log_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that one decision writes; it is durable as a whole or not at all. `meta` None as a value deletes the key."""

    claims: tuple[Claim, ...] = ()
    stays: tuple[Stay, ...] = ()
    demands: tuple[Demand, ...] = ()
    payments: tuple[Payment, ...] = ()
    plates: tuple[PlateOfStay, ...] = ()
    events: tuple[EventDraft, ...] = ()
    spot_states: tuple[SpotState, ...] = ()
    reading_keys: tuple[ReadingKey, ...] = ()
    uploaded: tuple[SpotState, ...] = ()
    documents: tuple[StoredDocument, ...] = ()
    quarantine: tuple[QuarantinedRecord, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    tokens_seen: tuple[TokenSeen, ...] = ()
    parts: tuple[PartChanged, ...] = ()
    owners: tuple[OwnerChange, ...] = ()
    transfers: tuple[TransferRow, ...] = ()
    acknowledged: Acknowledgement | None = None
    tidy: Tidy | None = None
    meta: Mapping[str, str | int | bytes | None] = field(default_factory=dict)

    @classmethod
    def record(
        cls,
        *,
        at: datetime,
        claims: Iterable[Claim] = (),
        stays: Iterable[Stay] = (),
        demands: Iterable[Demand] = (),
        payments: Iterable[Payment] = (),
        events: Iterable[EventDraft] = (),
        plates: Iterable[PlateOfStay] = (),
        documents: Iterable[StoredDocument] = (),
        tokens_seen: Iterable[TokenSeen] = (),
        conflicts: Iterable[Conflict] = (),
        parts: Iterable[PartChanged] = (),
    ) -> Change:
        """A change that tells all of its rows; `at` is the civil instant at which it happened, `events` go last."""
        rows = (tuple(claims), tuple(stays), tuple(demands), tuple(payments))
        return cls(
            claims=rows[0],
            stays=rows[1],
            demands=rows[2],
            payments=rows[3],
            events=(*facts_of(*rows, at=at), *events),
            plates=tuple(plates),
            documents=tuple(documents),
            tokens_seen=tuple(tokens_seen),
            conflicts=tuple(conflicts),
            parts=tuple(parts),
        )

    def refuse_untold(self) -> None:
        """A row without its fact would never reach the centre.

        Raises:
            FactMissing: naming the row.
        """
        if not (self.claims or self.stays or self.demands or self.payments):
            return
        told = {
            (name, row["id"], row.get("version"))
            for event in self.events
            for name in ("claim", "stay", "demand", "payment")
            if isinstance(row := event.body.get(name), Mapping)
        }
        rows = (
            *(("claim", claim.id, claim.version) for claim in self.claims),
            *(("stay", stay.id, stay.version) for stay in self.stays),
            *(("demand", demand.id, None) for demand in self.demands),
            *(("payment", payment.id, payment.version) for payment in self.payments),
        )
        for row in rows:
            if row not in told:
                raise FactMissing(
                    f"{row[0]} {row[1]} changes, but no event of the change tells it: use Change.record"
                )

    @property
    def is_telemetry(self) -> bool:
        """Whether this is only what sensors said, which may be coalesced."""
        return bool(self.spot_states) and not (self.events or self.claims or self.stays)


def facts_of(
    claims: Iterable[Claim],
    stays: Iterable[Stay],
    demands: Iterable[Demand],
    payments: Iterable[Payment],
    *,
    at: datetime,
) -> tuple[EventDraft, ...]:
    """The facts that tell these rows, each with the full row, in the order in which rows refer to each other."""
    at_us = to_us(at)
    return (
        *(fact(EventKind.CLAIM_CHANGED, at_us, claim=claim_row(claim)) for claim in claims),
        *(fact(STAY_FACTS[stay.state], at_us, stay=stay_row(stay)) for stay in stays),
        *(fact(EventKind.DEMAND_MADE, at_us, demand=demand_row(demand)) for demand in demands),
        *(fact(EventKind.PAYMENT_CHANGED, at_us, payment=payment_row(payment)) for payment in payments),
    )


def fact(kind: EventKind, at_us: int, /, **body: object) -> EventDraft:
    """An event of `kind` that happened at `at_us`, microseconds since 1970 UTC."""
    return EventDraft(kind=kind, body={"at_us": at_us, **body})
