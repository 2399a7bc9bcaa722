"""The lot's truth: memory answers at once, the disk follows in the same order, and what is told is what both have.

Theory. `commit` numbers the events of a change, chains their hashes, takes the change into memory and hands it to the writer, all
without waiting: so memory reserves first, and what two lanes are told in the same instant never contradicts. The future that
it answers with resolves when the disk has the change; only then may anybody outside be told. A commit that fails for good ends the
process (`failed`); a disk that is full or read-only is the degraded state: nothing is sold, gates go on, and it ends by itself.

Next in the story of every fact: sync/outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from edge.change import Acknowledgement, Change, SpotState, StoredDocument, fact
from edge.errors import LedgerFull
from edge.log_head import LogHead
from edge.reading_keys import RecentKeys
from edge.store.recovery import Recovered, rebuilt_book, recover
from edge.store.store import NumberedChange, Store
from edge.writer import Writer, is_written
from parking.book import Book
from parking.clock import TrustedClock
from parking.demands import Demand, Payment, PaymentState
from parking.ids import DemandId, SpotId, StayId
from parking.lot import Lot, SpotType
from parking.sellable import SellableNow
from parking.stays import Credential, Stay, StayState
from sync.chain import genesis
from sync.events import EventKind
from sync.instants import to_us
from sync.messages import LogRow
from sync.ownership import TransferRow, TransferState
from sync.part import Part
from sync.transaction import TransactionId

Verdict = Literal["ok", "fenced"]
FENCED = "fenced"
OUTAGE_SINCE, OUTAGE_COUNT = "outage_since_us", "outage_count"
MOST_WAITING = 50_000


@dataclass(slots=True, kw_only=True)
class LedgerCounters:
    """What the ledger did since the agent started; health and metrics read it."""

    changes: int = 0
    events: int = 0
    quarantined: int = 0


class Ledger:
    """The one writer's memory. All methods belong to the event loop's thread."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        *,
        lot: Lot,
        gateway: str,
        epoch: int,
        boot: str,
        clock: TrustedClock,
        recovered: Recovered,
        carried: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Use `Ledger.open`."""
        self.lot = lot
        self.gateway = gateway
        self.epoch = epoch
        self.boot = boot
        self.losses = recovered.losses
        self.counters = LedgerCounters()
        self._log = LogHead(
            epoch=epoch, boot=boot, seq=recovered.ends.last_seq, last_hash=recovered.ends.last_hash
        )
        self.acknowledged_seq = recovered.ends.acknowledged_seq
        self.acknowledged_hash = recovered.ends.acknowledged_hash
        self.keys = RecentKeys(recovered.reading_keys)
        self.refusal: str | None = None
        self._store = store
        self._writer = writer
        self._clock = clock
        self._carried = carried
        self._booted_at = clock.monotonic()
        self._meta: dict[str, str | int | bytes] = dict(recovered.meta)
        self.book: Book = rebuilt_book(lot, recovered)
        self._stays: dict[StayId, Stay] = {}
        self._by_credential: dict[Credential, StayId] = {}
        self._by_subject: dict[str, StayId] = {}
        for stay in recovered.stays:
            self._note_stay(stay)
        self._demands: dict[DemandId, Demand] = {d.id: d for d in recovered.demands}
        self._payments: dict[DemandId, dict[str, Payment]] = {}
        for payment in recovered.payments:
            self._payments.setdefault(payment.demand, {})[payment.id] = payment
        self._spot_states = {(state.spot, state.writer): state for state in recovered.spot_states}
        self._uploaded: dict[tuple[SpotId, str], int] = dict(recovered.uploaded)
        self._documents: list[StoredDocument] = sorted(recovered.documents, key=lambda document: document.n)
        self.document_n = max((d.n for d in recovered.documents), default=0)
        self._tokens_seen: dict[tuple[str, str], int] = dict(recovered.tokens_seen)
        self._parts: dict[TransactionId, Part] = {part.id: part for part in recovered.parts}
        self._transfers: dict[str, TransferRow] = {row.id: row for row in recovered.transfers}
        self._told_by: dict[str, int] = dict(recovered.transfer_seqs)
        self._subscribers: list[Callable[[Change], None]] = []
        self._last: asyncio.Future[None] | None = None

    @classmethod
    def open(
        cls,
        store: Store,
        writer: Writer,
        *,
        lot: Lot,
        gateway: str,
        epoch: int,
        boot: str,
        clock: TrustedClock,
        software: str = "",
        fenced: str | None = None,
        losses: Sequence[str] = (),
        carried: Callable[[], Mapping[str, str]] = dict,
    ) -> Ledger:
        """Rebuild memory from the store. `fenced` is why this ledger may not sell, where something outside it says so.

        `gateway` and `epoch` are those of the enrolment ("" and 0 without a centre); `boot` names this start, which becomes the first
        fact. `losses` is what opening the file had to give up, `carried` what every commit of facts remembers besides (the clock). The event loop runs already: the first commit is made here.

        Raises:
            StoreUnwritable, StoreDamaged: the file cannot be read, or the layout cannot be written.
        """
        store.put_layout(lot.spots)
        recovered = recover(
            store, gateway=gateway, epoch=epoch, boot=boot, now=clock.now(), over_at=clock.lower_bound()
        )
        ledger = cls(
            store,
            writer,
            lot=lot,
            gateway=gateway,
            epoch=epoch,
            boot=boot,
            clock=clock,
            recovered=recovered,
            carried=carried,
        )
        ledger.losses = (*losses, *ledger.losses)
        ledger._begin(software=software, fenced=fenced)
        return ledger

    # What is so

    @property
    def last_seq(self) -> int:
        """The last row of the log, durable or about to be."""
        return self._log.seq

    @property
    def last_hash(self) -> bytes:
        """Its hash."""
        return self._log.hash

    @property
    def degraded(self) -> str | None:
        """Why nothing is sold at the moment though nobody fenced us: the disk, or a bound of ours; None where all is well."""
        return self._writer.degraded or self.refusal

    @property
    def unwritable(self) -> str | None:
        """Why the disk takes nothing at the moment; None where it does. What is committed meanwhile waits for it."""
        return self._writer.degraded

    @property
    def verdict(self) -> Verdict:
        """Fenced means exits and passes only, nothing is sold, until a person has recounted."""
        return "fenced" if self._meta.get(FENCED) else "ok"

    @property
    def fenced_because(self) -> str | None:
        """Why this lot is fenced."""
        reason = self._meta.get(FENCED)
        return None if reason is None else str(reason)

    @property
    def may_sell(self) -> bool:
        """Whether a promise may be made now."""
        return self.verdict == "ok" and self.degraded is None

    @property
    def backlog(self) -> int:
        """How many rows of the log the centre has not acknowledged."""
        return self.last_seq - self.acknowledged_seq

    @property
    def waiting(self) -> int:
        """How many changes are not durable yet."""
        return self._writer.waiting

    def open_stay(self, credential: Credential) -> Stay | None:
        """The open stay of a credential."""
        found = self._by_credential.get(credential)
        return None if found is None else self._stays[found]

    def stay(self, stay: StayId) -> Stay | None:
        """A stay, an open one or one that closed in the last two days."""
        return self._stays.get(stay)

    def stay_by_subject(self, subject: str) -> Stay | None:
        """The latest stay of a token's subject or a plate's hash, open or closed."""
        found = self._by_subject.get(subject)
        return None if found is None else self._stays[found]

    def open_stays(self) -> Sequence[Stay]:
        """Everybody who is inside or about to be."""
        return self.book.open_stays()

    def voided_stays(self) -> Sequence[Stay]:
        """Those of the last two days whose car nobody saw drive in: it may be inside all the same."""
        return [stay for stay in self._stays.values() if stay.state is StayState.VOID]

    def demand(self, demand: DemandId) -> Demand | None:
        """A demand of a stay that memory still holds."""
        return self._demands.get(demand)

    def demands_of(self, stay: StayId) -> Sequence[Demand]:
        """What a stay was asked for, the first first."""
        return [demand for demand in self._demands.values() if demand.stay == stay]

    def payments_of(self, demand: DemandId) -> Sequence[Payment]:
        """Every attempt to settle a demand, the first first."""
        return list(self._payments.get(demand, {}).values())

    def pending_payments(self) -> Sequence[Payment]:
        """Payments of which it is not on record what became of them."""
        pending = PaymentState.PENDING
        return [one for tries in self._payments.values() for one in tries.values() if one.state is pending]

    def counts(self, now: datetime | None = None) -> Mapping[SpotType, SellableNow]:
        """*Sellable now* by type, by what has certainly passed. While the time is unknown a place is sold without an end."""
        at = now or self._clock.released_before()
        sellable_now = self.book.sellable_now if self._clock.known else self.book.sellable_for_ever
        return {kind: sellable_now(kind, at) for kind in self.book.types()}

    def plate(self, stay: StayId) -> str | None:
        """The plate that a stay was admitted with, where there is one that our key reads."""
        return self._store.plate(stay)

    def documents(self) -> Sequence[StoredDocument]:
        """What the centre decided for this lot, in its order."""
        return list(self._documents)

    def token_seen(self, kind: str, subject: str) -> int | None:
        """The highest revision of a token that was presented here."""
        return self._tokens_seen.get((kind, subject))

    def parts(self) -> Sequence[Part]:
        """The lot's part in every commit that is kept, as of the last change."""
        return list(self._parts.values())

    def transfers(self) -> Mapping[str, TransferRow]:
        """Spots that changed hands, by the transfer's id, as of the last change."""
        return self._transfers

    def told_by(self, transfer: str) -> int:
        """The row of the log that told a transfer of this epoch."""
        return self._told_by[transfer]

    def meta(self, key: str) -> str | int | bytes | None:
        """A value remembered by an earlier change."""
        return self._meta.get(key)

    def spot_state(self, spot: SpotId, writer: str) -> SpotState | None:
        """The last word of one writer on one spot."""
        return self._spot_states.get((spot, writer))

    def spot_states(self) -> Sequence[SpotState]:
        """The last word of every writer on every spot."""
        return list(self._spot_states.values())

    def dirty_spot_states(self, limit: int) -> Sequence[SpotState]:
        """Words that the centre does not have yet, at most `limit`."""
        dirty = (s for key, s in self._spot_states.items() if s.n > self._uploaded.get(key, 0))
        return [state for state, _ in zip(dirty, range(limit), strict=False)]

    # The log

    def log_page(self, after_seq: int, limit: int) -> tuple[LogRow, ...]:
        """Durable rows after `after_seq` in order, as they were stored."""
        return self._store.log_page(epoch=self.epoch, after_seq=after_seq, limit=limit)

    def hash_at(self, seq: int) -> bytes | None:
        """The hash of row `seq` (0: the genesis); None where the row is not durable or is gone."""
        if seq == 0:
            return genesis(self.gateway, self.epoch)
        if seq == self.acknowledged_seq:
            return self.acknowledged_hash
        return self._store.hash_at(epoch=self.epoch, seq=seq)

    def acknowledge(self, seq: int, row_hash: bytes) -> asyncio.Future[None]:
        """The centre has applied the log up to `seq`. A lower sequence than the known one changes nothing."""
        if seq <= self.acknowledged_seq:
            return self.durable()
        acknowledged = Acknowledgement(seq=seq, hash=row_hash, at=self._clock.now())
        self.acknowledged_seq, self.acknowledged_hash = seq, row_hash
        meta: dict[str, str | int | bytes | None] = {"acknowledged_seq": seq, "acknowledged_hash": row_hash}
        return self.commit(Change(acknowledged=acknowledged, meta=meta))

    def mark_uploaded(self, states: Sequence[SpotState]) -> asyncio.Future[None]:
        """The centre has stored these words."""
        return self.commit(Change(uploaded=tuple(states)))

    # What changes it

    def commit(self, change: Change, *, urgent: bool = False) -> asyncio.Future[None]:
        """Take a change in; the future resolves when it is durable, and who gives up waiting for it takes it from nobody else. `urgent` does
        not wait for a group: a lane waits for it.

        Raises:
            FactMissing: a claim, stay, demand or payment has no event that tells it.
            ClaimsOverlap, NoSuchSpot: memory refuses a promise; nothing changed.
            LedgerFull: the disk could not be written for very long; nothing changed.
        """
        change.refuse_untold()
        if change.is_telemetry and self._writer.waiting >= MOST_WAITING:
            raise LedgerFull(f"{MOST_WAITING} changes wait for the disk: {self.degraded}")
        told = self._counting_outage(change)
        if not told.is_telemetry:
            told = replace(told, meta={**told.meta, **self._carried()})
        since_boot_us = int((self._clock.monotonic() - self._booted_at) * 1_000_000)
        entries = self._log.entries(told.events, since_boot_us)
        numbered = NumberedChange(
            change=told, epoch=self.epoch, entries=entries, seq=self.last_seq + len(entries)
        )
        if told.claims:
            self.book.apply(told.claims)
        self._take_in(numbered)
        future = self._writer.submit(numbered, urgent=urgent)
        self._last = future
        if self._subscribers:
            future.add_done_callback(lambda done: self._tell(done, told))
        return asyncio.shield(future)

    def durable(self) -> asyncio.Future[None]:
        """Resolves when everything that was committed so far is durable."""
        if self._last is not None:
            return asyncio.shield(self._last)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back with each change once it is durable; the answer ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def fence(self, reason: str) -> asyncio.Future[None]:
        """Sell nothing until a person has recounted: exits and passes only."""
        return self.commit(Change(meta={FENCED: reason}), urgent=True)

    def line_lost(self) -> None:
        """The line to the centre is down: from now on, what sensors say over each other is counted."""
        if OUTAGE_SINCE not in self._meta:
            self.commit(Change(meta={OUTAGE_SINCE: to_us(self._clock.now()), OUTAGE_COUNT: 0}))

    def line_back(self) -> None:
        """The line is up again: what the outage coalesced is told by one fact."""
        since, count = self._meta.get(OUTAGE_SINCE), self._meta.get(OUTAGE_COUNT)
        if not isinstance(since, int):
            return
        now_us = to_us(self._clock.now())
        dropped = {"count": count, "from_us": since, "to_us": now_us}
        events = (fact(EventKind.TELEMETRY_DROPPED, now_us, **dropped),) if count else ()
        self.commit(Change(events=events, meta={OUTAGE_SINCE: None, OUTAGE_COUNT: None}))

    async def failed(self) -> None:
        """Return never; raise what ended writing. The agent's TaskGroup holds this, so that the process ends.

        Raises:
            StoreError: a commit failed for good.
        """
        await self._writer.failed()

    async def close(self) -> None:
        """Write what waits, and close the store."""
        await self._writer.close()
        self._store.close()

    # How it is kept

    def _begin(self, *, software: str, fenced: str | None) -> None:
        """Tell the start, and what it found; a log of another epoch begins at its own genesis."""
        meta: dict[str, str | int | bytes | None] = {
            "gateway": self.gateway,
            "epoch": self.epoch,
            "boot": self.boot,
            "acknowledged_seq": self.acknowledged_seq,
            "acknowledged_hash": self.acknowledged_hash,
        }
        if fenced:
            meta[FENCED] = fenced
        previous = str(self._meta.get("boot", ""))
        booted = {"boot": self.boot, "software": software, "epoch": self.epoch, "previous_boot": previous}
        self.commit(
            Change(events=(fact(EventKind.BOOT, to_us(self._clock.now()), **booted),), meta=meta), urgent=True
        )

    def _counting_outage(self, change: Change) -> Change:
        """While the line is down, count each word that is replaced before the centre had it, in the same transaction."""
        count = self._meta.get(OUTAGE_COUNT)
        if not change.spot_states or not isinstance(count, int):
            return change
        lost = sum(1 for state in change.spot_states if self._is_unheard(state))
        return replace(change, meta={**change.meta, OUTAGE_COUNT: count + lost}) if lost else change

    def _is_unheard(self, state: SpotState) -> bool:
        known = self._spot_states.get((state.spot, state.writer))
        return known is not None and known.n > self._uploaded.get((state.spot, state.writer), 0)

    def _take_in(self, numbered: NumberedChange) -> None:
        change = numbered.change
        if numbered.entries:
            self._log.advance(numbered.entries[-1])
        for stay in change.stays:
            self._note_stay(stay)
        for demand in change.demands:
            self._demands[demand.id] = demand
        for payment in change.payments:
            self._payments.setdefault(payment.demand, {})[payment.id] = payment
        for state in change.spot_states:
            self._spot_states[state.spot, state.writer] = state
        for state in change.uploaded:
            spot = (state.spot, state.writer)
            self._uploaded[spot] = max(state.n, self._uploaded.get(spot, 0))
        for token in change.tokens_seen:
            seen = (token.kind, token.subject)
            self._tokens_seen[seen] = max(token.revision, self._tokens_seen.get(seen, 0))
        for changed in change.parts:
            self._parts[changed.part.id] = changed.part
        for handed in change.owners:
            for place in handed.spots:
                self.book.set_owner(place, handed.owner, over_at=self._clock.released_before())
        for row in change.transfers:
            self._transfers[row.id] = row
            self._told_by.setdefault(row.id, numbered.seq)
        if change.tidy is not None:
            self._forget_transfers(change.tidy.log_seq)
        for document in change.documents:
            self._documents.append(document)
            self.document_n = max(self.document_n, document.n)
        for key, value in change.meta.items():
            if value is None:
                self._meta.pop(key, None)
            else:
                self._meta[key] = value
        self.counters.changes += 1
        self.counters.events += len(numbered.entries)
        self.counters.quarantined += len(change.quarantine)

    def _forget_transfers(self, log_seq: int) -> None:
        """Those that are over go with their log row, as they do in the store."""
        for name, row in tuple(self._transfers.items()):
            if row.state is TransferState.CREDITED and self._told_by[name] <= log_seq:
                del self._transfers[name], self._told_by[name]

    def _note_stay(self, stay: Stay) -> None:
        known = self._stays.get(stay.id)
        if known is not None and known.version >= stay.version:
            return
        self._stays[stay.id] = stay
        self._by_subject[stay.credential.subject] = stay.id
        if stay.is_open:
            self._by_credential[stay.credential] = stay.id
        elif self._by_credential.get(stay.credential) == stay.id:
            del self._by_credential[stay.credential]
        self.book.note_stay(stay)

    def _tell(self, done: asyncio.Future[None], change: Change) -> None:
        """Tell the subscribers what is durable. A change that failed ends the process elsewhere."""
        if not is_written(done):
            return
        for callback in tuple(self._subscribers):
            callback(change)
