"""Who may sell which spot, at this lot: gives towards the cloud's share, credits what comes, asks when a driver finds none. Next in its story: sync/ownership.py.

Theory. Memory reserves first, as everywhere: a spot that is given up leaves the book in the same turn of the loop, and its `transfer_out` goes up with
the log; the spot is the cloud's here once the row is acknowledged. What comes is credited once, by its id and in this epoch, in one change with
its `transfer_in`. Neither waits for the other, so a line may end at any instant.

The lot gives while a session stands and its log is not far behind, never while the line is down: then nobody could sell what is on its way. A driver
who finds no spot of ours waits `REQUEST_ANSWER_S` for the cloud's answer, in a task of that lane alone; what comes later counts for the next one.

A new epoch begins with the cloud's word: every spot is the lot's, but those that the cloud names as stranded.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from edge.change import Change, StoredDocument, fact
from edge.ledger import Ledger
from edge.writer import is_written
from parking.book import Book
from parking.clock import TrustedClock
from parking.errors import NoSuchSpot
from parking.ids import SpotId
from parking.lot import InFlight, Lot, SpotType, Tier
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.instants import to_us
from sync.messages import MAX_PAGE_ROWS, FromParticipant, Transfer, TransferRequest
from sync.ownership import (
    REQUEST_ANSWER_S,
    Holdings,
    OwnerChange,
    TransferEvent,
    TransferRow,
    TransferState,
    arrival,
    half_holds,
    implied,
    step,
    to_share,
    transferable,
)
from sync.part import Moment
from sync.transfer_words import transfer_fact

LOG = structlog.stdlib.get_logger("edge.owners")

OUT_BEFORE_COMMIT = "edge.transfer_out.before_commit"
OUT_AFTER_COMMIT = "edge.transfer_out.after_commit"
IN_BEFORE_COMMIT = "edge.transfer_in.before_commit"
IN_AFTER_COMMIT = "edge.transfer_in.after_commit"

OWNERS_EPOCH = "owners_epoch"
SILENT_S = 10.0
"""Real seconds in which nobody is asked again after a question that was not answered in time."""

Speaker = Callable[[FromParticipant], None]
"""Sends a frame in one session, as long as that session stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A driver of `type` waits for this answer."""

    type: SpotType
    answer: asyncio.Future[bool]


class Owners:
    """Keeps the owner of each spot. All methods belong to the event loop's thread."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: TrustedClock,
        new_id: Callable[[], str],
        failpoints: Failpoints,
    ) -> None:
        """Owners are known again from the ledger; those of an earlier epoch are the lot's again."""
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._failpoints = failpoints
        self._speaker: Speaker | None = None
        self._wanted: Mapping[SpotType, int] = {}
        self._asked: dict[str, _Asked] = {}
        self._silent_until_s = 0.0
        self._broken: frozenset[str] = frozenset()
        self.counts: Counter[str] = Counter()
        self._begin_epoch()
        self._check()
        ledger.subscribe(self._durable)

    # The line

    def link_opened(self, speaker: Speaker) -> None:
        """A session stands, and `speaker` speaks in it."""
        self._speaker = speaker
        self._silent_until_s = 0.0
        self._give()

    def link_lost(self) -> None:
        """It is over: nobody waits any longer."""
        self._speaker = None
        for asked in self._asked.values():
            _set(asked.answer, given=False)

    def hear(self, frame: Transfer) -> None:
        """Spots come, or the answer that none do. What was credited before, or was sent in another epoch, changes nothing and is counted."""
        asked = self._asked.get(frame.request)
        self._silent_until_s = 0.0
        if not frame.spots:
            self.counts["none_to_borrow"] += 1
            if asked is not None:
                _set(asked.answer, given=False)
            return
        if frame.type not in set(SpotType):
            self._refuse("unknown_type", frame)
            return
        row, event = arrival(frame, epoch=self._ledger.epoch, known=self._ledger.transfers())
        for sent in implied(row, event, self._ledger.transfers().values()):
            self._close(sent)
        after, owners, _ = step(row, event, side=Tier.EDGE)
        if event is TransferEvent.ARRIVED_STALE:
            self._refuse("stale_epoch", frame)
        elif after == row:
            self._refuse("repeated", frame)
        else:
            self._write(EventKind.TRANSFER_IN, after, owners, urgent=True)
            self.counts["credited_spots"] += len(after.spots)
        if self._is_credited(frame.transfer):
            self._answer(after, frame.request)

    # What the lot asks and gives

    async def borrow(self, kind: SpotType) -> bool:
        """Ask the cloud for a spot of `kind`, since none of ours is free; whether one may have come. At most `REQUEST_ANSWER_S`, real.

        Look again afterwards: another lane may have sold it.
        """
        speaker, book = self._speaker, self._ledger.book
        ours = len(book.shelf(kind, Tier.EDGE, self._clock.now()).spots)
        silent = self._clock.monotonic() < self._silent_until_s
        if speaker is None or silent or not self._ledger.may_sell or ours == book.total(kind):
            return False
        request = self._new_id()
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[request] = _Asked(type=kind, answer=answer)
        self.counts["asked"] += 1
        speaker(
            TransferRequest(epoch=self._ledger.epoch, session=0, request=request, type=str(kind), count=1)
        )
        try:
            async with asyncio.timeout(REQUEST_ANSWER_S):
                return await answer
        except TimeoutError:
            # A line that carries nothing is found by its own bounds; until then not each driver need wait for it.
            self._silent_until_s = self._clock.monotonic() + SILENT_S
            self.counts["unanswered"] += 1
            return False
        finally:
            del self._asked[request]

    def share(self, wanted: Mapping[SpotType, int]) -> None:
        """So many spots of each type the cloud is to own: given as they come free."""
        self._wanted = dict(wanted)
        self._give()

    async def stranded(self, rows: Sequence[TransferRow], stored: StoredDocument) -> None:
        """The cloud names what an earlier epoch left in flight: nobody sells it. With the document's number in one change; durable on return."""
        known = self._ledger.transfers()
        kept = [
            replace(row, spots=spots)
            for row in rows
            if row.id not in known and (spots := tuple(filter(self._is_bare, row.spots)))
        ]
        owners = tuple(OwnerChange(spots=row.spots, owner=InFlight(transfer=row.id)) for row in kept)
        change = Change(owners=owners, transfers=tuple(kept), documents=(stored,), meta=self._epoch_mark())
        written = self._ledger.commit(change, urgent=True)
        self._check()
        await written

    # What is so

    def transferable(self) -> Mapping[SpotType, int]:
        """How many spots of each type could change hands now."""
        now, book = self._moment(), self._ledger.book
        return {kind: len(transferable(book, kind, Tier.EDGE, now)) for kind in book.types()}

    def spots_by_owner(self) -> Mapping[str, int]:
        """How many spots are the lot's, the cloud's, on their way, and stranded by an earlier epoch."""
        ledger = self._ledger
        return owned_by(ledger.lot, ledger.book, ledger.transfers().values())

    # How it is carried out

    def _durable(self, change: Change) -> None:
        """What a durable change leads to: acknowledged rows close their transfers, and what came free may be given."""
        if change.acknowledged is not None:
            self._acknowledged(change.acknowledged.seq)
        if change.acknowledged is not None or change.claims or change.stays:
            self._give()

    def _acknowledged(self, seq: int) -> None:
        """The cloud has credited what rows up to `seq` gave."""
        for row in tuple(self._ledger.transfers().values()):
            sent = row.to is Tier.CLOUD and row.state is TransferState.IN_FLIGHT
            if sent and row.epoch == self._ledger.epoch and self._ledger.told_by(row.id) <= seq:
                self._close(row)

    def _close(self, sent: TransferRow) -> None:
        """The cloud has credited what we gave."""
        after, owners, _ = step(sent, TransferEvent.CREDIT_SEEN, side=Tier.EDGE)
        self._ledger.commit(Change(owners=self._here(owners), transfers=(after,)))
        self._check()

    def _give(self) -> None:
        """Give towards the cloud's share what can be spared now."""
        ledger = self._ledger
        catching_up = ledger.backlog > MAX_PAGE_ROWS
        if self._speaker is None or self._asked or catching_up or not ledger.may_sell:
            return
        for kind, wanted in self._wanted.items():
            to_cloud = sum(
                len(row.spots)
                for row in ledger.transfers().values()
                if row.type is kind and row.to is Tier.CLOUD and row.state is TransferState.IN_FLIGHT
            )
            spots = to_share(ledger.book, kind, self._moment(), wanted=wanted, to_cloud=to_cloud)
            if spots:
                row = TransferRow(
                    id=self._new_id(), epoch=ledger.epoch, to=Tier.CLOUD, type=kind, spots=spots
                )
                after, owners, _ = step(row, TransferEvent.GIVEN, side=Tier.EDGE)
                self._write(EventKind.TRANSFER_OUT, after, owners, urgent=False)
                self.counts["given_spots"] += len(spots)

    def _write(
        self, kind: EventKind, row: TransferRow, owners: Sequence[OwnerChange], *, urgent: bool
    ) -> None:
        """The transfer, its owners and its log row, in one change."""
        going = kind is EventKind.TRANSFER_OUT
        self._failpoints.hit(OUT_BEFORE_COMMIT if going else IN_BEFORE_COMMIT)
        here = self._here(owners)
        told = fact(kind, to_us(self._clock.now()), **transfer_fact(row))
        change = Change(owners=here, transfers=(row,), events=(told,), meta=self._epoch_mark())
        written = self._ledger.commit(change, urgent=urgent)
        LOG.info(str(kind), transfer=row.id, type=str(row.type), spots=len(row.spots))
        after = OUT_AFTER_COMMIT if going else IN_AFTER_COMMIT
        written.add_done_callback(lambda done: self._hit_when_written(after, done))
        self._check()

    def _hit_when_written(self, label: str, done: asyncio.Future[None]) -> None:
        if is_written(done):
            self._failpoints.hit(label)

    def _begin_epoch(self) -> None:
        """Owners that an earlier epoch left here are over: what the cloud owned then is the lot's in its books too."""
        ledger = self._ledger
        if ledger.meta(OWNERS_EPOCH) in {None, ledger.epoch}:
            return
        away = tuple(spot.id for spot in ledger.lot.spots if ledger.book.owner(spot.id) is not Tier.EDGE)
        over = tuple(
            replace(row, state=TransferState.CREDITED)
            for row in ledger.transfers().values()
            if row.state is not TransferState.CREDITED
        )
        owners = tuple(self._back(spot) for spot in away)
        ledger.commit(Change(owners=owners, transfers=over, meta=self._epoch_mark()), urgent=True)
        LOG.warning("owners_begin_anew", epoch=ledger.epoch, spots=len(away))

    @staticmethod
    def _back(spot: SpotId) -> OwnerChange:
        return OwnerChange(spots=(spot,), owner=Tier.EDGE)

    def _epoch_mark(self) -> dict[str, str | int | bytes | None]:
        return {OWNERS_EPOCH: self._ledger.epoch}

    def _check(self) -> None:
        """Check this tier's half of the sum, after every change of owners: what breaks it is counted, and told once."""
        book = self._ledger.book
        spots = [spot.id for spot in self._ledger.lot.spots]
        holdings = Holdings(tier=Tier.EDGE, owners={spot: book.owner(spot) for spot in spots})
        wrong = frozenset(half_holds(holdings, spots, self._ledger.transfers().values()))
        for sentence in sorted(wrong - self._broken):
            self.counts["broken"] += 1
            LOG.error("ownership_broken", problem=sentence)
            about = {"kind": "ownership_broken", "claim": "", "other": "", "detail": sentence}
            self._ledger.commit(
                Change(events=(fact(EventKind.CONFLICT_FOUND, to_us(self._clock.now()), **about),))
            )
        self._broken = wrong

    def _here(self, owners: Sequence[OwnerChange]) -> tuple[OwnerChange, ...]:
        return tuple(replace(change, spots=tuple(filter(self._is_here, change.spots))) for change in owners)

    def _is_here(self, spot: SpotId) -> bool:
        """Whether the lot has this spot; one that was painted over since is credited in the transfer's row alone."""
        try:
            self._ledger.book.owner(spot)
        except NoSuchSpot:
            return False
        return True

    def _is_bare(self, spot: SpotId) -> bool:
        """Whether nothing was promised of it here meanwhile."""
        return self._is_here(spot) and self._ledger.book.is_bare(spot, over_at=self._clock.released_before())

    def _is_credited(self, transfer: str) -> bool:
        row = self._ledger.transfers().get(transfer)
        return row is not None and row.to is Tier.EDGE and row.state is TransferState.CREDITED

    def _answer(self, row: TransferRow, request: str) -> None:
        """As many drivers look again as there came spots: whoever asked for them first, then those who wait for others."""
        waiting = [
            name for name, asked in self._asked.items() if asked.type is row.type and not asked.answer.done()
        ]
        for name in sorted(waiting, key=lambda name: name != request)[: len(row.spots)]:
            _set(self._asked[name].answer, given=True)

    def _refuse(self, code: str, frame: Transfer) -> None:
        self.counts[code] += 1
        LOG.info("transfer_not_taken", code=code, transfer=frame.transfer, epoch=frame.epoch)

    def _moment(self) -> Moment:
        return Moment(
            at=self._clock.now(), lower_at=self._clock.released_before(), real_s=self._clock.monotonic()
        )


def owned_by(lot: Lot, book: Book, transfers: Iterable[TransferRow]) -> Mapping[str, int]:
    """How many of the lot's spots are edge, cloud, in_flight and stranded."""
    stranded = {row.id for row in transfers if row.state is TransferState.STRANDED}
    spots = Counter({"edge": 0, "cloud": 0, "in_flight": 0, "stranded": 0})
    for spot in lot.spots:
        owner = book.owner(spot.id)
        if isinstance(owner, InFlight):
            spots["stranded" if owner.transfer in stranded else "in_flight"] += 1
        else:
            spots[str(owner)] += 1
    return spots


def _set(answer: asyncio.Future[bool], *, given: bool) -> None:
    if not answer.done():
        answer.set_result(given)
