"""Opens the ledger whatever a power cut left of it, and says what was lost.

Theory. SQLite rolls an interrupted commit back by itself; what it cannot mend is a file that was truncated, zeroed or torn below it. Such a
file is set aside (`….broken-1`), never deleted; what can still be read of it goes into a new file, table by table. Its log may then end before
the truth does, and so does an emptied or an old one. Nothing on this card can tell by itself, so the *witness*, a small file beside the ledger,
remembers how far the log was known to be; where the ledger is behind it, or had to be mended, the lot is fenced: it sells nothing until a person
has recounted. (The centre is the better witness: it fences a gateway whose log ends before what it has applied.)
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from edge.errors import StoreDamaged, StoreUnwritable
from edge.store.cipher import PlateCipher
from edge.store.database import open_to_write, storing
from edge.store.late import LateStore
from edge.store.named_queries import QUERIES
from edge.store.rows import meta_out
from edge.store.store import Store
from sync.failpoints import Failpoints

TABLES = (
    "meta",
    "spots",
    "claims",
    "stays",
    "demands",
    "payments",
    "log",
    "acknowledgements",
    "spot_states",
    "reading_keys",
    "documents",
    "conflicts",
    "quarantine",
    "tokens_seen",
    "transactions",
    "transfers",
)
BESIDE = ("-wal", "-shm")
MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
MOST_BYTES = 1 << 36


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStore:
    """A store that works, and what opening it had to give up; `fenced` is why nothing may be sold, None where all is well."""

    store: Store
    losses: tuple[str, ...]
    fenced: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """How far a ledger's log was known to be."""

    epoch: int
    seq: int


def open_store(path: Path, *, cipher: PlateCipher, failpoints: Failpoints, epoch: int) -> OpenedStore:
    """Open the ledger, mended where it must be.

    Raises:
        StoreInUse, StoreTooNew: a person must act.
        StoreError: the disk takes nothing, and the file cannot be read either.
    """
    witness = read_witness(path)
    losses: list[str] = []
    if witness is not None and not path.exists():
        losses.append(f"{path.name} is gone")
    try:
        store = _whole(path, cipher, failpoints)
    except StoreDamaged as damage:
        losses.append(f"{path.name} is damaged ({damage}) and is set aside")
        losses += _mend(path)
        store = _whole(path, cipher, failpoints)
    except StoreUnwritable:
        store = LateStore(path, cipher=cipher, failpoints=failpoints)
    last_seq = _last_seq(store, epoch)
    if witness is not None and witness.epoch == epoch and last_seq < witness.seq:
        losses.append(f"the log ends at row {last_seq}, and was known to reach {witness.seq}")
    fenced = f"{'; '.join(losses)}: count the cars before selling" if losses else None
    return OpenedStore(store=store, losses=tuple(losses), fenced=fenced)


def _last_seq(store: Store, epoch: int) -> int:
    """How far the log of this epoch reaches; where all of it was acknowledged and dropped, as far as that."""
    last = store.rows("last_row", epoch=epoch)
    meta = meta_out(store.rows("read_meta"))
    acknowledged = meta.get("acknowledged_seq") if meta.get("epoch") == epoch else None
    return max(last[0]["seq"] if last else 0, acknowledged if isinstance(acknowledged, int) else 0)


def read_witness(path: Path) -> Witness | None:
    """What is remembered beside the ledger at `path`; None where nothing is, or nothing that can be read."""
    try:
        read = json.loads(_witness_path(path).read_text())
        return Witness(epoch=int(read["epoch"]), seq=int(read["seq"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_witness(path: Path, witness: Witness) -> None:
    """Remember how far the log is: replaced as a whole, so that a power cut leaves the old one or the new one.

    Raises:
        OSError: the disk takes nothing.
    """
    beside = _witness_path(path)
    new = beside.with_name(beside.name + ".new")
    with new.open("w") as file:
        json.dump({"epoch": witness.epoch, "seq": witness.seq}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(beside)


def _witness_path(path: Path) -> Path:
    return path.with_name(path.name + ".witness")


def _whole(path: Path, cipher: PlateCipher, failpoints: Failpoints) -> Store:
    """Open and look through the file.

    Raises:
        StoreDamaged: SQLite finds it torn.
    """
    store = Store(path, cipher=cipher, failpoints=failpoints)
    try:
        _refuse_torn(store)
    except StoreDamaged:
        store.close()
        raise
    return store


def _refuse_torn(store: Store) -> None:
    """Raises:
    StoreDamaged: SQLite's own look through the file finds something.
    """
    found = [row[0] for row in store.rows("quick_check")]
    if found != ["ok"]:
        raise StoreDamaged("; ".join(found))


def _mend(path: Path) -> Sequence[str]:
    """Set the broken file aside and save what can be read into a new one; what could not be."""
    broken = _set_aside(path)
    _lengthen(broken)
    losses: list[str] = []
    database = open_to_write(path)
    try:
        old = Database(sqlite3.connect(broken))
        old.conn.row_factory = sqlite3.Row
        with storing(), database.atomic():
            database.conn.execute(QUERIES["defer_foreign_keys"])
            for table in TABLES:
                losses += _save_table(old, database, table)
        old.close()
    finally:
        database.close()
    return losses if len(losses) < len(TABLES) else ["nothing of it could be read"]


def _save_table(old: Database, new: Database, table: str) -> Sequence[str]:
    """Copy one table as far as it can be read."""
    rows: list[dict[str, object]] = []
    damage: str | None = None
    try:
        rows.extend(dict(row) for row in old.table(table).rows)
    except sqlite3.DatabaseError as error:
        damage = str(error)
    saved = 0
    for row in rows:
        try:
            new.table(table).insert(row, ignore=True)
            saved += 1
        except sqlite3.DatabaseError as error:
            damage = str(error)
    return () if damage is None else (f"of table {table}, {saved} rows could be read ({damage})",)


def _lengthen(broken: Path) -> None:
    """Give a truncated file the length that its header names, in zeros: SQLite then reads the pages that are there.

    The header's fields: SQLite, "Database File Format", 1.3: page size at byte 16, pages in the file at byte 28, big-endian.
    """
    with broken.open("r+b") as file:
        header = file.read(HEADER_BYTES)
        if header[:16] != MAGIC:
            return
        page_bytes = int.from_bytes(header[16:18], "big")
        length = int.from_bytes(header[28:32], "big") * (65_536 if page_bytes == 1 else page_bytes)
        if broken.stat().st_size < length <= MOST_BYTES:
            file.truncate(length)


def _set_aside(path: Path) -> Path:
    number = 1
    while path.with_name(f"{path.name}.broken-{number}").exists():
        number += 1
    broken = path.with_name(f"{path.name}.broken-{number}")
    path.rename(broken)
    for suffix in BESIDE:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(broken.with_name(broken.name + suffix))
    return broken
