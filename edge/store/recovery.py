"""What the store knew when the agent started: read into memory, the unacknowledged end of the chain verified.

A row of the log whose bytes no longer give its hash is kept aside in `quarantine`, a fact that says so takes its number, and the rows
after it are chained anew: nobody has acknowledged them. Rows that are acknowledged are not read: a log of 14 days starts in seconds.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from edge.change import QuarantinedRecord, SpotState, StoredDocument
from edge.store.reader import StoreReader
from edge.store.rows import (
    LogEntry,
    Parameters,
    claim_out,
    demand_out,
    meta_out,
    owner_out,
    part_out,
    payment_out,
    quarantined_in,
    spot_state_out,
    stay_out,
    transfer_out,
)
from edge.store.store import Store
from parking.book import Book
from parking.claims import Claim
from parking.demands import Demand, Payment
from parking.errors import ClaimsOverlap
from parking.ids import SpotId
from parking.lot import Lot, Owner
from parking.stays import Stay
from sync.chain import Envelope, genesis, next_hash, pack_envelope, unpack_envelope
from sync.errors import MalformedFrame, SyncError
from sync.events import EventKind
from sync.instants import to_us
from sync.messages import LogRow
from sync.ownership import TransferRow
from sync.part import Part

CLOSED_STAYS_KEPT = timedelta(days=2)
PAGE_ROWS = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEnds:
    """Where a log stands: its last row, and the last row that the centre has applied."""

    last_seq: int
    last_hash: bytes
    acknowledged_seq: int
    acknowledged_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Everything that memory holds of the store. `losses` says in sentences what was found to be damaged."""

    meta: Mapping[str, str | int | bytes]
    owners: Mapping[SpotId, Owner]
    claims: tuple[Claim, ...]
    stays: tuple[Stay, ...]
    demands: tuple[Demand, ...]
    payments: tuple[Payment, ...]
    spot_states: tuple[SpotState, ...]
    uploaded: Mapping[tuple[SpotId, str], int]
    reading_keys: tuple[tuple[str, str], ...]
    documents: tuple[StoredDocument, ...]
    tokens_seen: Mapping[tuple[str, str], int]
    parts: tuple[Part, ...]
    transfers: tuple[TransferRow, ...]
    transfer_seqs: Mapping[str, int]
    ends: LogEnds
    losses: tuple[str, ...]


def recover(
    store: Store, *, gateway: str, epoch: int, boot: str, now: datetime, over_at: datetime
) -> Recovered:
    """Read the store into memory; damaged rows at the end of the log are kept aside and said. What was over long before `over_at` stays there.

    Raises:
        StoreDamaged: the file itself cannot be read.
    """
    meta = meta_out(store.rows("read_meta"))
    ends, losses = _verified_ends(store, meta, gateway=gateway, epoch=epoch, boot=boot, now=now)
    return read_everything(store, meta=meta, ends=ends, losses=losses, now=over_at)


def read_everything(
    store: StoreReader,
    *,
    meta: Mapping[str, str | int | bytes],
    ends: LogEnds,
    losses: list[str],
    now: datetime,
) -> Recovered:
    """All rows that memory holds; those that cannot be read are added to `losses`."""
    since = {"closed_since_us": to_us(now - CLOSED_STAYS_KEPT)}
    states = store.rows("read_spot_states")
    transfers = store.rows("read_transfers")
    return Recovered(
        meta=meta,
        owners={SpotId(row["id"]): owner_out(row["owner"]) for row in store.rows("read_spots")},
        claims=_readable(store.rows("read_claims", **since), claim_out, "claim", losses),
        stays=_readable(store.rows("read_stays", **since), stay_out, "stay", losses),
        demands=_readable(store.rows("read_demands", **since), demand_out, "demand", losses),
        payments=_readable(store.rows("read_payments", **since), payment_out, "payment", losses),
        spot_states=_readable(states, spot_state_out, "spot state", losses),
        uploaded={(SpotId(row["spot"]), row["writer"]): row["uploaded"] for row in states},
        reading_keys=tuple((row["source"], row["key"]) for row in store.rows("read_reading_keys")),
        documents=tuple(
            StoredDocument(n=row["n"], kind=row["kind"], body=row["body"])
            for row in store.rows("read_documents")
        ),
        tokens_seen={
            (row["kind"], row["subject"]): row["revision"] for row in store.rows("read_tokens_seen")
        },
        parts=_readable(store.rows("read_transactions"), part_out, "transaction", losses),
        transfers=_readable(transfers, transfer_out, "transfer", losses),
        transfer_seqs={row["id"]: row["seq"] for row in transfers},
        ends=ends,
        losses=tuple(losses),
    )


def _readable(
    rows: Iterable[sqlite3.Row], read: Callable[[sqlite3.Row], T], name: str, losses: list[str]
) -> tuple[T, ...]:
    """The rows that say something; one that was torn below SQLite stays in the file and is named."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(read(row))
        except (SyncError, ValueError, TypeError, OverflowError) as damage:
            losses.append(f"a {name} cannot be read: {damage}")
    return tuple(found)


def _verified_ends(
    store: Store, meta: Mapping[str, str | int | bytes], *, gateway: str, epoch: int, boot: str, now: datetime
) -> tuple[LogEnds, list[str]]:
    """Walk what is not acknowledged; a log of another epoch counts as none."""
    seq, last_hash = 0, genesis(gateway, epoch)
    if meta.get("epoch") == epoch and meta.get("gateway") == gateway:
        seq, last_hash = _acknowledged(meta, seq, last_hash)
    acknowledged = (seq, last_hash)
    losses: list[str] = []
    stored_hash = last_hash
    while rows := store.log_page(epoch=epoch, after_seq=seq, limit=PAGE_ROWS):
        good = _whole_rows(seq, last_hash, rows)
        if good:
            seq, last_hash = rows[good - 1].seq, rows[good - 1].hash
            stored_hash = last_hash
        if good == len(rows):
            continue
        entries, aside = _mended(rows[good:], seq, (last_hash, stored_hash), epoch=epoch, boot=boot, now=now)
        stored_hash = rows[-1].hash
        store.rewrite(entries, aside)
        losses += [f"row {record['field']} of the log was damaged and is kept aside" for record in aside]
        seq, last_hash = entries[-1].seq, entries[-1].hash
    ends = LogEnds(
        last_seq=seq, last_hash=last_hash, acknowledged_seq=acknowledged[0], acknowledged_hash=acknowledged[1]
    )
    return ends, losses


def whole_ends(store: StoreReader, meta: Mapping[str, str | int | bytes]) -> tuple[LogEnds, bool]:
    """Where the log stands, and whether its unacknowledged end is one chain; changes nothing."""
    gateway, epoch = str(meta.get("gateway", "")), meta.get("epoch", 0)
    number = epoch if isinstance(epoch, int) else 0
    acknowledged = _acknowledged(meta, 0, genesis(gateway, number))
    seq, last_hash = acknowledged
    whole = True
    while whole and (rows := store.log_page(epoch=number, after_seq=seq, limit=PAGE_ROWS)):
        whole = _whole_rows(seq, last_hash, rows) == len(rows)
        seq, last_hash = rows[-1].seq, rows[-1].hash
    ends = LogEnds(
        last_seq=seq, last_hash=last_hash, acknowledged_seq=acknowledged[0], acknowledged_hash=acknowledged[1]
    )
    return ends, whole


def _acknowledged(meta: Mapping[str, str | int | bytes], seq: int, last_hash: bytes) -> tuple[int, bytes]:
    known_seq, known_hash = meta.get("acknowledged_seq"), meta.get("acknowledged_hash")
    if isinstance(known_seq, int) and isinstance(known_hash, bytes):
        return known_seq, known_hash
    return seq, last_hash


def _whole_rows(seq: int, last_hash: bytes, rows: Iterable[LogRow]) -> int:
    """How many rows, from the first on, continue the chain."""
    good = 0
    for row in rows:
        if row.seq != seq + good + 1 or next_hash(last_hash, row.body) != row.hash:
            break
        last_hash = row.hash
        good += 1
    return good


def _mended(
    rows: Iterable[LogRow], seq: int, hashes: tuple[bytes, bytes], *, epoch: int, boot: str, now: datetime
) -> tuple[list[LogEntry], list[Parameters]]:
    """Chain `rows` anew after `seq`; a row whose bytes are not those that were hashed is replaced by one that says so.

    `hashes` is that of row `seq` as it is now, and as it was when the rows after it were written.
    """
    last_hash, stored_hash = hashes
    entries: list[LogEntry] = []
    aside: list[Parameters] = []
    for row in rows:
        seq += 1
        body = row.body
        envelope = _read(row, epoch) if next_hash(stored_hash, row.body) == row.hash else None
        if envelope is None or row.seq != seq:
            record = _kept_aside(row, now)
            aside.append(quarantined_in(record))
            envelope = _said(record, seq=seq, epoch=epoch, boot=boot)
            body = pack_envelope(envelope)
        entry = _chained(envelope, body, last_hash)
        entries.append(entry)
        last_hash, stored_hash = entry.hash, row.hash
    return entries, aside


def _read(row: LogRow, epoch: int) -> Envelope | None:
    try:
        envelope = unpack_envelope(row.body)
    except MalformedFrame:
        return None
    return envelope if (envelope.epoch, envelope.seq) == (epoch, row.seq) else None


def _kept_aside(row: LogRow, now: datetime) -> QuarantinedRecord:
    return QuarantinedRecord(
        source="log",
        field=str(row.seq),
        problem="its bytes are no fact with this number",
        raw=row.body,
        digest=hashlib.sha256(row.body).hexdigest(),
        at=now,
    )


def _said(record: QuarantinedRecord, *, seq: int, epoch: int, boot: str) -> Envelope:
    body = {
        "at_us": to_us(record.at),
        "source": record.source,
        "field": record.field,
        "problem": record.problem,
        "digest": record.digest,
    }
    return Envelope(
        epoch=epoch, seq=seq, boot=boot, since_boot_us=0, kind=EventKind.RECORD_QUARANTINED, body=body
    )


def _chained(envelope: Envelope, body: bytes, previous: bytes) -> LogEntry:
    return LogEntry(
        epoch=envelope.epoch,
        seq=envelope.seq,
        previous_hash=previous,
        hash=next_hash(previous, body),
        boot=envelope.boot,
        monotonic_us=envelope.since_boot_us,
        kind=envelope.kind,
        body=body,
    )


def rebuilt_book(lot: Lot, recovered: Recovered) -> Book:
    """The promises in memory. A claim whose spot the lot no longer has keeps its promise of a place of the type; one that was torn so
    that it overlaps another is kept as a clash: what is on record is never dropped.
    """
    book = Book(spots=lot.spots, owners=recovered.owners, policy=lot.policy, zones=lot.zones)
    spots = {spot.id for spot in lot.spots}
    for claim in recovered.claims:
        placed = claim if claim.spot is None or claim.spot in spots else replace(claim, spot=None)
        try:
            book.apply([placed])
        except ClaimsOverlap:
            book.apply([replace(placed, clashing=True)])
    for stay in recovered.stays:
        book.note_stay(stay)
    return book
