"""What an arrived page means. Next in its story: cloud/gateways/service.

Theory. The centre holds the number and hash of the last row it applied. A page that continues it is NEXT. A page of rows that it
has seen is a REPEAT, one that begins in the seen and ends in the new an OVERLAP: both go to the same transaction as NEXT, whose insert
under the key (gateway, epoch, seq) is the only de-duplication there is, and whose comparison of hashes finds a changed row. A GAP is asked
for again. A page that continues another log is a FORK: two machines, or an old image, speak with one key; the gateway is quarantined
and nothing of it is applied.

A row that cannot be understood (poison) is no reason to stop: it is stored as it came, quarantined with its reason, acknowledged
with its page, and the rest flows. Nothing may ever jam a lot's log, and nothing is acknowledged into nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.chain import Envelope, next_hash, unpack_envelope
from sync.errors import MalformedFrame
from sync.messages import LogRow, Page


class PageMeaning(StrEnum):
    """How a page stands to what is applied."""

    NEXT = "next"
    REPEAT = "repeat"
    OVERLAP = "overlap"
    GAP = "gap"
    FORK = "fork"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """Why a row cannot be understood: the field and what is wrong with it."""

    field: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """A row to store. `reading` is the fact in it, or why there is none."""

    seq: int
    hash: bytes
    body: bytes
    reading: Envelope | Poison


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPage:
    """Cloud: apply these rows in one transaction with the acknowledged sequence, after checking epoch and session there. Answer:
    `page_applied`, or `forked` where a row is stored under its number with another hash, or `refused`.
    """

    meaning: PageMeaning
    rows: tuple[InboxRow, ...]


def page_meaning(page: Page, acknowledged_seq: int, acknowledged_hash: bytes) -> PageMeaning:
    """How `page` stands to the last applied row.

    Raises:
        MalformedFrame: its rows are not one run of numbers from `first`.
    """
    for offset, row in enumerate(page.rows):
        if row.seq != page.first + offset:
            raise MalformedFrame(f"page.rows[{offset}].seq", f"must be {page.first + offset}, not {row.seq}")
    if page.first > acknowledged_seq + 1:
        return PageMeaning.GAP
    if page.first == acknowledged_seq + 1:
        return PageMeaning.NEXT if page.previous_hash == acknowledged_hash else PageMeaning.FORK
    at_acknowledged = acknowledged_seq - page.first
    if at_acknowledged >= len(page.rows):
        return PageMeaning.REPEAT
    if page.rows[at_acknowledged].hash != acknowledged_hash:
        return PageMeaning.FORK
    return PageMeaning.REPEAT if page.rows[-1].seq == acknowledged_seq else PageMeaning.OVERLAP


def read_rows(page: Page) -> tuple[InboxRow, ...]:
    """Every row of a page with the fact in it, or with what is wrong with it."""
    read: list[InboxRow] = []
    previous = page.previous_hash
    for row in page.rows:
        read.append(
            InboxRow(seq=row.seq, hash=row.hash, body=row.body, reading=_reading(row, previous, page.epoch))
        )
        previous = row.hash
    return tuple(read)


def _reading(row: LogRow, previous: bytes, epoch: int) -> Envelope | Poison:
    if next_hash(previous, row.body) != row.hash:
        return Poison(field="row.hash", problem="its hash is not that of its bytes")
    try:
        envelope = unpack_envelope(row.body)
    except MalformedFrame as error:
        return Poison(field=error.field, problem=error.problem)
    if envelope.seq != row.seq:
        return Poison(field="row.q", problem=f"says {envelope.seq}, stands at {row.seq}")
    if envelope.epoch != epoch:
        return Poison(field="row.e", problem=f"says epoch {envelope.epoch}, came in {epoch}")
    return envelope
