"""What a ledger says, read from its file while the agent runs: nothing is stopped and nothing is written."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.lot_clock import ClockReading
from edge.owners import owned_by
from edge.settings import Settings
from edge.store.opening import read_witness
from edge.store.reader import StoreReader
from edge.store.recovery import LogEnds, Recovered, read_everything, rebuilt_book, whole_ends
from edge.store.rows import meta_out
from parking.book import Book
from parking.claims import ClaimKind
from parking.conflicts import LONG_AGO
from parking.lot import SpotType, Tier
from sync.chain import unpack_envelope
from sync.errors import MalformedFrame
from sync.instants import from_us
from sync.messages import LogRow
from sync.ownership import transferable
from sync.part import DOUBTS, Moment, Part

LAST_EVENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeLine:
    """One type of space. `taken` counts vehicles on record, `seen` what sensors see occupied, `booked` promises to others."""

    type: SpotType
    total: int
    taken: int
    booked: int
    seen: int
    sellable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One fact of the log."""

    seq: int
    kind: str
    at: datetime | None
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtLine:
    """A transaction of the commit whose decision is not known here: since when, for which place and window."""

    id: str
    state: str
    type: str
    starts_at: datetime | None
    ends_at: datetime | None
    since_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything that is shown."""

    settings: Settings
    now: datetime
    clock: ClockReading | None
    types: tuple[TypeLine, ...]
    open_stays: int
    over_count: int
    oldest_stay_at: datetime | None
    ends: LogEnds
    chain_whole: bool
    oldest_waiting_at: datetime | None
    epoch: int
    boot: str
    fenced: str | None
    outage_since: datetime | None
    quarantine_rows: int
    quarantine: tuple[str, ...]
    conflicts: int
    transactions: Mapping[str, int]
    doubts: tuple[DoubtLine, ...]
    owned: Mapping[str, int]
    transferable: int
    documents: tuple[str, ...]
    events: tuple[EventLine, ...]
    used_bytes: int
    disk_free_bytes: int
    losses: tuple[str, ...]
    witnessed_seq: int | None

    @property
    def backlog(self) -> int:
        """Rows that the centre has not acknowledged."""
        return self.ends.last_seq - self.ends.acknowledged_seq


def look(
    reader: StoreReader, settings: Settings, now: datetime, clock: ClockReading | None = None
) -> Inspection:
    """Read the file. `now` and `clock` are the lot's own, as the last commit left them.

    Raises:
        StoreError: it cannot be read.
    """
    meta = meta_out(reader.rows("read_meta"))
    ends, whole = whole_ends(reader, meta)
    losses: list[str] = []
    everything = read_everything(reader, meta=meta, ends=ends, losses=losses, now=now)
    book = rebuilt_book(settings.lot, everything)
    epoch = meta.get("epoch")
    number = epoch if isinstance(epoch, int) else 0
    waiting = _events(reader.log_page(epoch=number, after_seq=ends.acknowledged_seq, limit=1))
    kept = reader.rows("count_quarantine")[0]
    outage = meta.get("outage_since_us")
    witness = read_witness(settings.store.path)
    stays = book.open_stays()
    at = Moment(at=now, lower_at=now, real_s=0.0)
    return Inspection(
        settings=settings,
        now=now,
        clock=clock,
        types=_types(book, everything, settings, now),
        open_stays=len(stays),
        over_count=sum(1 for stay in stays if stay.claim is None),
        oldest_stay_at=min((stay.admitted_at for stay in stays), default=None),
        ends=ends,
        chain_whole=whole,
        oldest_waiting_at=waiting[0].at if waiting else None,
        epoch=number,
        boot=str(meta.get("boot", "")),
        fenced=None if (reason := meta.get("fenced")) is None else str(reason),
        outage_since=from_us(outage) if isinstance(outage, int) else None,
        quarantine_rows=kept["rows"],
        quarantine=tuple(
            f"{row['source']} {row['field']}: {row['problem']}"
            for row in reader.rows("last_quarantine", limit=3)
        ),
        conflicts=reader.rows("count_rows")[0]["conflicts"],
        transactions=Counter(str(part.state) for part in everything.parts),
        doubts=_doubts(everything.parts),
        owned=owned_by(settings.lot, book, everything.transfers),
        transferable=sum(len(transferable(book, kind, Tier.EDGE, at)) for kind in book.types()),
        documents=tuple(f"{d.kind} {d.n}" for d in {d.kind: d for d in everything.documents}.values()),
        events=_events(
            reader.log_page(epoch=number, after_seq=ends.last_seq - LAST_EVENTS, limit=LAST_EVENTS)
        ),
        used_bytes=reader.used_bytes(),
        disk_free_bytes=shutil.disk_usage(os.fspath(settings.store.path.parent)).free,
        losses=tuple(losses),
        witnessed_seq=None if witness is None or witness.epoch != number else witness.seq,
    )


def as_map(seen: Inspection) -> Mapping[str, object]:
    """For machines: instants in ISO 8601, hashes in hex."""
    return {
        "lot": seen.settings.lot.name,
        "lot_id": seen.settings.lot.id,
        "at": seen.now.isoformat(),
        "clock": None if seen.clock is None else _clock(seen.clock),
        "verdict": "fenced" if seen.fenced else "ok",
        "fenced_because": seen.fenced,
        "counts": {
            str(line.type): {
                "total": line.total,
                "taken": line.taken,
                "booked": line.booked,
                "seen_occupied": line.seen,
                "sellable": line.sellable,
            }
            for line in seen.types
        },
        "open_stays": seen.open_stays,
        "over_count": seen.over_count,
        "log": {
            "epoch": seen.epoch,
            "last_seq": seen.ends.last_seq,
            "last_hash": seen.ends.last_hash.hex(),
            "acknowledged_seq": seen.ends.acknowledged_seq,
            "backlog": seen.backlog,
            "chain_whole": seen.chain_whole,
            "boot": seen.boot,
        },
        "outage_since": None if seen.outage_since is None else seen.outage_since.isoformat(),
        "quarantine": seen.quarantine_rows,
        "conflicts": seen.conflicts,
        "transactions": dict(seen.transactions),
        "owned": {**seen.owned, "transferable": seen.transferable},
        "doubts": [
            {
                "transaction": doubt.id,
                "state": doubt.state,
                "type": doubt.type,
                "starts_at": _iso(doubt.starts_at),
                "ends_at": _iso(doubt.ends_at),
                "since_at": _iso(doubt.since_at),
                "age_s": None if doubt.since_at is None else (seen.now - doubt.since_at).total_seconds(),
            }
            for doubt in seen.doubts
        ],
        "documents": list(seen.documents),
        "events": [
            {"seq": e.seq, "kind": e.kind, "at": None if e.at is None else e.at.isoformat(), "about": e.about}
            for e in seen.events
        ],
        "store": {
            "path": str(seen.settings.store.path),
            "used_bytes": seen.used_bytes,
            "max_bytes": seen.settings.store.max_bytes,
            "disk_free_bytes": seen.disk_free_bytes,
        },
        "losses": list(seen.losses),
    }


def _clock(clock: ClockReading) -> Mapping[str, object]:
    return {
        "quality": clock.quality.value,
        "lower_bound": clock.lower_at.isoformat(),
        "estimate": clock.estimate_at.isoformat(),
        "machine_offset_s": round(clock.offset_s, 3),
        "right_within_s": clock.drift_s,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _doubts(parts: Sequence[Part]) -> tuple[DoubtLine, ...]:
    """What waits for a decision, the oldest first."""
    waiting = sorted(
        (part for part in parts if part.state in DOUBTS), key=lambda part: part.prepared_at or LONG_AGO
    )
    return tuple(
        DoubtLine(
            id=str(part.id),
            state=str(part.state),
            type="" if part.type is None else str(part.type),
            starts_at=None if part.window is None else part.window.starts_at,
            ends_at=None if part.window is None else part.window.ends_at,
            since_at=part.prepared_at,
        )
        for part in waiting
    )


def _types(book: Book, everything: Recovered, settings: Settings, now: datetime) -> tuple[TypeLine, ...]:
    types = {spot.id: spot.type for spot in settings.lot.spots}
    seen = [
        types[state.spot]
        for state in everything.spot_states
        if state.state == "occupied" and state.spot in types
    ]
    taken = [stay.type for stay in book.open_stays()]
    booked = [claim.type for claim in book.claims() if claim.kind is not ClaimKind.WALK_IN]
    return tuple(
        TypeLine(
            type=kind,
            total=book.total(kind),
            taken=taken.count(kind),
            booked=booked.count(kind),
            seen=seen.count(kind),
            sellable=book.sellable_now(kind, now).count,
        )
        for kind in book.types()
    )


def _events(rows: Sequence[LogRow]) -> tuple[EventLine, ...]:
    return tuple(_event(row) for row in rows)


def _event(row: LogRow) -> EventLine:
    try:
        envelope = unpack_envelope(row.body)
    except MalformedFrame as damage:
        return EventLine(seq=row.seq, kind="damaged", at=None, about=str(damage))
    at_us = envelope.body.get("at_us")
    at = from_us(at_us) if isinstance(at_us, int) else None
    return EventLine(seq=row.seq, kind=envelope.kind, at=at, about=_about(envelope.body))


def _about(body: Mapping[str, object]) -> str:
    """The few words of a fact that a person looks for."""
    keys = ("lane", "move", "reason", "why", "kind", "source", "problem", "count", "boot")
    words = [f"{key} {body[key]}" for key in keys if key in body]
    for name in ("stay", "claim", "demand", "payment"):
        row = body.get(name)
        if isinstance(row, Mapping):
            words += [
                f"{name} {str(row.get('id', ''))[:8]}",
                *(str(row[k]) for k in ("state", "type", "lane") if k in row),
            ]
    return ", ".join(words)
