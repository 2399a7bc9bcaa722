"""The one file that the agent's truth is in: batches of numbered changes go in, each batch one transaction.

Synchronous, without a clock and without threads of its own: `edge/writer.py` calls `commit` from wherever it runs. What is looked
up while the agent runs (pages of the log, a plate) goes over a second connection that only reads.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from edge.change import Change, Tidy
from edge.errors import StoreError, StoreInUse, StoreUnwritable
from edge.store.cipher import PlateCipher
from edge.store.database import open_to_write, storing
from edge.store.named_queries import QUERIES
from edge.store.reader import StoreReader
from edge.store.rows import (
    LogEntry,
    Parameters,
    claims_in,
    demands_in,
    owner_in,
    owners_in,
    parts_in,
    payments_in,
    quarantined_in,
    spot_state_in,
    stays_in,
    token_in,
    transfers_in,
)
from parking.lot import Spot, Tier
from sync.failpoints import Failpoints
from sync.instants import to_us

BEFORE_COMMIT = "edge.ledger.before_commit"
AFTER_COMMIT = "edge.ledger.after_commit"
BEFORE_CHECKPOINT = "edge.ledger.before_checkpoint"
AFTER_CHECKPOINT = "edge.ledger.after_checkpoint"
HOUR_US = 3_600_000_000
KEEP_DOCUMENTS = 3
NO_ROOM = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EIO})


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedChange:
    """A change with its place in the log: `entries` are its events, `seq` the last row of the log once it is in."""

    change: Change
    epoch: int
    entries: tuple[LogEntry, ...]
    seq: int


class Store(StoreReader):
    """An open ledger file. `lock` keeps a second agent out for as long as it is open."""

    def __init__(self, path: Path, *, cipher: PlateCipher, failpoints: Failpoints) -> None:
        """Open or make the file.

        Raises:
            StoreInUse: another agent has it open.
            StoreUnwritable, StoreDamaged, StoreTooNew: see edge.store.database.
        """
        self._cipher = cipher
        self._failpoints = failpoints
        with ExitStack() as opened:
            opened.callback(os.close, _lock(path))
            self._database: Database = open_to_write(path)
            opened.callback(self._database.close)
            super().__init__(path)
            opened.callback(super().close)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close; SQLite folds the write-ahead log back where nobody else reads it. Closing twice changes nothing."""
        self._opened.close()

    # In

    def commit(self, batch: Sequence[NumberedChange]) -> None:
        """Write `batch` as one transaction; on return the disk has it.

        Raises:
            StoreUnwritable: nothing was written; it may work later.
            StoreError: a row was refused; memory and file disagree.
        """
        with storing():
            with self._database.atomic():
                for numbered in batch:
                    self._write_promises(numbered)
                self._write_rows(batch)
                self._failpoints.hit(BEFORE_COMMIT)
            self._failpoints.hit(AFTER_COMMIT)
            if any(numbered.change.tidy is not None for numbered in batch):
                self._fold_back()

    def _fold_back(self) -> None:
        """Fold the write-ahead log back while the house is tidied, so that few commits have to wait for it."""
        self._failpoints.hit(BEFORE_CHECKPOINT)
        self._database.conn.execute(QUERIES["fold_back"]).fetchall()
        self._failpoints.hit(AFTER_CHECKPOINT)

    def put_layout(self, spots: Iterable[Spot]) -> None:
        """Take the lot's spots in; a spot that is known keeps its owner, a new one is the edge's."""
        rows = [
            {
                "id": s.id,
                "zone": s.zone,
                "number": s.number,
                "type": str(s.type),
                "owner": owner_in(Tier.EDGE),
            }
            for s in spots
        ]
        with storing(), self._database.atomic():
            self._many("put_spot", rows)

    def _write_promises(self, numbered: NumberedChange) -> None:
        """Claims, in the order of their changes: those of one change are lifted off their spots first."""
        claims = claims_in(numbered.change.claims, numbered.seq)
        if len(claims) > 1:
            self._many("lift_claim", claims)
        self._many("put_claim", claims)

    def _write_rows(self, batch: Sequence[NumberedChange]) -> None:
        """Everything that no order between changes matters for, table by table; the last word on a spot only."""
        tables: dict[str, list[Parameters]] = {}
        for numbered in batch:
            for query, rows in self._rows_of(numbered):
                if rows:
                    tables.setdefault(query, []).extend(rows)
        if len(states := tables.get("put_spot_state", [])) > 1:
            tables["put_spot_state"] = list({(row["spot"], row["writer"]): row for row in states}.values())
        for query in ROWS_IN_ORDER:
            self._many(query, tables.get(query, []))
        for numbered in batch:
            if numbered.change.tidy is not None:
                self._tidy(numbered.change.tidy, numbered.epoch)

    def _tidy(self, tidy: Tidy, epoch: int) -> None:
        """Let go what may go, in steps so small that no lane waits for them."""
        parameters = {
            "epoch": epoch,
            "seq": tidy.log_seq,
            "limit": tidy.log_rows,
            "hour": tidy.acknowledged_hour,
            "before_us": to_us(tidy.plates_before),
        }
        for query in (
            "drop_log",
            "drop_claims",
            "drop_payments",
            "drop_demands",
            "drop_stays",
            "drop_transfers",
            "forget_plates",
        ):
            self._database.conn.execute(QUERIES[query], parameters)
        self._database.conn.execute(QUERIES["drop_acknowledgements"], parameters)
        self._database.conn.execute(
            QUERIES["drop_transactions"], {"before_us": to_us(tidy.transactions_before)}
        )
        self._database.conn.execute(QUERIES["drop_tokens_seen"], {"before_us": to_us(tidy.tokens_before)})
        self._database.conn.execute(QUERIES["trim_reading_keys"], {"keep": tidy.keep_reading_keys})
        self._database.conn.execute(QUERIES["trim_quarantine"], {"keep": tidy.keep_quarantine})
        self._database.conn.execute(QUERIES["give_back_pages"]).fetchall()

    def _rows_of(self, numbered: NumberedChange) -> Iterable[tuple[str, list[Parameters]]]:
        change, seq = numbered.change, numbered.seq
        yield "append_log", [entry.parameters() for entry in numbered.entries]
        yield "put_spot_state", [spot_state_in(state) for state in change.spot_states]
        yield "put_reading_key", [{"source": key.source, "key": key.key} for key in change.reading_keys]
        if change.is_telemetry:
            yield "put_meta", [{"key": key, "value": value} for key, value in change.meta.items()]
            return
        yield "put_stay", stays_in(change.stays, seq)
        yield (
            "put_plate",
            [{"stay": p.stay, "plate_encrypted": self._cipher.encrypt(p.plate)} for p in change.plates],
        )
        yield "put_demand", demands_in(change.demands, seq)
        yield "put_payment", payments_in(change.payments, seq)
        yield "mark_uploaded", [{"spot": s.spot, "writer": s.writer, "n": s.n} for s in change.uploaded]
        yield "put_document", [{"n": d.n, "kind": d.kind, "body": d.body} for d in change.documents]
        yield "drop_documents", [{"keep": KEEP_DOCUMENTS}] if change.documents else []
        yield "put_quarantine", [quarantined_in(record) for record in change.quarantine]
        yield (
            "put_conflict",
            [
                {"claim": c.claim, "other": c.other, "detail": c.detail, "at_us": to_us(c.at)}
                for c in change.conflicts
            ],
        )
        yield (
            "put_transaction",
            [row for part in change.parts for row in parts_in((part.part,), seq, to_us(part.at))],
        )
        yield "put_owner", owners_in(change.owners)
        yield "put_transfer", transfers_in(change.transfers, seq)
        yield "put_token_seen", [token_in(token) for token in change.tokens_seen]
        if change.acknowledged is not None:
            hour = to_us(change.acknowledged.at) // HOUR_US
            yield (
                "put_acknowledgement",
                [{"epoch": numbered.epoch, "hour": hour, "seq": change.acknowledged.seq}],
            )
        yield "put_meta", [{"key": k, "value": v} for k, v in change.meta.items() if v is not None]
        yield "drop_meta", [{"key": k} for k, v in change.meta.items() if v is None]

    def _many(self, query: str, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self._database.conn.executemany(QUERIES[query], rows)

    # Out: `rows`, `log_page` and more of StoreReader, as of the last commit

    def plate(self, stay: str) -> str | None:
        """The plate a stay was admitted with; None where there is none, or none that this key reads."""
        found = self.rows("read_plate", stay=stay)
        stored = found[0]["plate_encrypted"] if found else None
        return None if stored is None else self._cipher.decrypt(stored)

    def rewrite(self, entries: Iterable[LogEntry], aside: Sequence[Parameters]) -> None:
        """Chain rows of the log anew and keep what they replace aside, as one transaction."""
        with storing(), self._database.atomic():
            self._many("put_quarantine", aside)
            self._many("rewrite_log", [entry.parameters() for entry in entries])


ROWS_IN_ORDER = (
    "append_log",
    "put_stay",
    "put_plate",
    "put_demand",
    "put_payment",
    "put_spot_state",
    "put_reading_key",
    "mark_uploaded",
    "put_document",
    "drop_documents",
    "put_quarantine",
    "put_conflict",
    "put_transaction",
    "put_owner",
    "put_transfer",
    "put_token_seen",
    "put_acknowledgement",
    "put_meta",
    "drop_meta",
)


def _lock(path: Path) -> int:
    """Keep other agents out of this file.

    Raises:
        StoreInUse: another has it.
        StoreUnwritable: the disk is full or read-only.
        StoreError: there is no such folder.
    """
    try:
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        kind = StoreUnwritable if error.errno in NO_ROOM else StoreError
        raise kind(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreInUse(f"{path} is open in another agent") from error
    return handle
