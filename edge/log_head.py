"""The end of the log: gives the next facts their numbers and chains their hashes."""

from __future__ import annotations

from collections.abc import Iterable

from edge.store.rows import LogEntry
from sync.chain import Envelope, next_hash, pack_envelope
from sync.events import EventDraft


class LogHead:
    """Where the log of one epoch ends. `entries` plans, `advance` moves: what memory refuses in between leaves no gap."""

    __slots__ = ("_boot", "_epoch", "hash", "seq")

    def __init__(self, *, epoch: int, boot: str, seq: int, last_hash: bytes) -> None:
        self._epoch = epoch
        self._boot = boot
        self.seq = seq
        self.hash = last_hash

    def entries(self, events: Iterable[EventDraft], since_boot_us: int) -> tuple[LogEntry, ...]:
        """The rows of these facts, as if they came next; `since_boot_us` is real microseconds.

        Raises:
            LocalError: a body cannot be packed, or is too long.
        """
        seq, previous = self.seq, self.hash
        entries: list[LogEntry] = []
        for event in events:
            seq += 1
            entry = self._entry(event, seq, previous, since_boot_us)
            entries.append(entry)
            previous = entry.hash
        return tuple(entries)

    def advance(self, last: LogEntry) -> None:
        """The log ends with this row now."""
        self.seq, self.hash = last.seq, last.hash

    def _entry(self, event: EventDraft, seq: int, previous: bytes, since_boot_us: int) -> LogEntry:
        envelope = Envelope(
            epoch=self._epoch,
            seq=seq,
            boot=self._boot,
            since_boot_us=since_boot_us,
            kind=event.kind,
            body=event.body,
        )
        body = pack_envelope(envelope)
        return LogEntry(
            epoch=self._epoch,
            seq=seq,
            previous_hash=previous,
            hash=next_hash(previous, body),
            boot=self._boot,
            monotonic_us=since_boot_us,
            kind=str(event.kind),
            body=body,
        )
