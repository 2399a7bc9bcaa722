"""What the coordinator's effects are on the database: claims, documents, words, money, events. Next in its story: cloud/reservations/commit_step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from psycopg import AsyncConnection
from psycopg.errors import ExclusionViolation
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from cloud.events import NewEvent, publish
from cloud.named_sql import named_sql
from cloud.parking_lots.service import ParkingLots
from cloud.reservations.booking_rows import Booking
from cloud.reservations.commit_words import Word, say
from cloud.reservations.ports import Errand, LotLink, PaymentHold
from parking.claims import Claim
from parking.clock import Clock
from sync.commit_documents import CHANGE, DECISION, change_body, decision_body
from sync.coordinator_news import (
    Alarm,
    CancelPayment,
    Capture,
    CoordinatorEffect,
    FirmClaims,
    HoldClaims,
    RecordConflict,
    RecordReceivable,
    ReleaseClaims,
    SendAnswer,
    SendPrepare,
)
from sync.messages import Decision
from sync.rows import claim_from_row
from sync.transaction import Outcome

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)


class ClaimCannotStand(Exception):
    """A claim of a decision overlaps another one here: rows of the lot's log are missing, or a fact was first."""


class CommitEffects:
    """Everything works inside the caller's transaction, which holds the lot's row and the reservation's."""

    def __init__(self, *, lots: ParkingLots, link: LotLink, money: PaymentHold, clock: Clock) -> None:
        self._lots = lots
        self._link = link
        self._money = money
        self._clock = clock

    async def do(
        self,
        connection: AsyncConnection[DictRow],
        region: str,
        booking: Booking,
        effects: Sequence[CoordinatorEffect],
    ) -> list[Errand]:
        """Carry them out; what is to be done after the commit.

        Raises:
            ClaimCannotStand: a claim of the decision meets another one.
        """
        errands: list[Errand | None] = []
        for effect in effects:
            match effect:
                case FirmClaims(claims=claims):
                    await self.make_firm(connection, region, booking, claims)
                case ReleaseClaims(claims=claims):
                    for claim in claims:
                        await connection.execute(
                            QUERIES["claim_release"],
                            {"region": region, "id": claim.id, "version": claim.version},
                        )
                case SendPrepare(prepare=prepare):
                    await self._say(connection, booking, prepare)
                case SendAnswer(answer=answer):
                    await self._say(connection, replace(booking, link_session=0), answer)
                case Capture():
                    errands.append(await self._money_decided(connection, booking, Outcome.COMMITTED))
                case CancelPayment() | RecordReceivable():
                    # What is owed is the payment's own to see: the same news leads it there.
                    outcome = Outcome.COMMITTED if isinstance(effect, RecordReceivable) else Outcome.ABORTED
                    errands.append(await self._money_decided(connection, booking, outcome))
                case RecordConflict():
                    await self.record(connection, region, booking, "booking_met_by_fact", "")
                case Alarm(kind=kind, detail=detail):
                    await self.record(connection, region, booking, kind, detail)
                case HoldClaims():
                    # Places of our own are taken before the step, by the one statement that can.
                    pass
                case _:
                    LOG.info("nothing to do", effect=type(effect).__name__, reservation=str(booking.id))
        return [errand for errand in errands if errand is not None]

    async def make_firm(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, claims: Sequence[Claim]
    ) -> None:
        """Put them on record as firm.

        Raises:
            ClaimCannotStand: one meets another claim.
        """
        for claim in claims:
            columns = {
                "region": region,
                "lot": booking.lot,
                "id": claim.id,
                "spot_id": claim.spot,
                "type": str(claim.type),
                "starts_at": claim.window.starts_at,
                "ends_at": claim.window.ends_at,
                "kind": str(claim.kind),
                "holder_kind": claim.holder_kind,
                "holder_id": claim.holder_id,
                "sold_by": str(claim.sold_by),
                "epoch": claim.epoch,
                "revision": claim.revision,
                "version": claim.version,
            }
            try:
                await connection.execute(QUERIES["claim_make_firm"], columns)
            except ExclusionViolation as error:
                raise ClaimCannotStand from error

    async def tell(
        self, connection: AsyncConnection[DictRow], booking: Booking, decision: Decision
    ) -> Booking:
        """Into the list of the lot's gateway, so that it cannot be missed, and to its link now."""
        line = None if booking.lot is None else await self._link.standing(connection, booking.lot)
        if line is None:
            return booking
        n = booking.told_n
        if n is None:
            booking = await self._tell_of_change(connection, booking, line.gateway)
            claim = None if decision.claim is None else claim_from_row(decision.claim)
            body = decision_body(
                booking.transaction.id, Outcome(decision.outcome), reason=decision.reason, claim=claim
            )
            n = await self._link.add_document(connection, line.gateway, DECISION, body)
        await self._say(connection, replace(booking, link_session=0), decision)
        return replace(booking, told_n=n)

    async def _tell_of_change(
        self, connection: AsyncConnection[DictRow], booking: Booking, gateway: str
    ) -> Booking:
        """What a committed change gives up goes free when the lot has this document."""
        window = booking.booked
        is_due = booking.cuts and booking.transaction.outcome is Outcome.COMMITTED
        if not is_due or window is None or window.ends_at is None:
            return booking
        body = change_body(booking.transaction.id, window.starts_at, window.ends_at)
        return replace(booking, cut_n=await self._link.add_document(connection, gateway, CHANGE, body))

    async def _say(self, connection: AsyncConnection[DictRow], booking: Booking, frame: object) -> None:
        if booking.lot is None:
            return
        word = Word(
            lot=booking.lot,
            reservation=booking.id,
            session=booking.link_session or 0,
            frame=frame,  # type: ignore[arg-type]  # every frame that an effect carries is the coordinator's
        )
        await say(connection, word)

    async def _money_decided(
        self, connection: AsyncConnection[DictRow], booking: Booking, outcome: Outcome
    ) -> Errand | None:
        if booking.payment is None:
            return None
        return await self._money.decided(connection, booking.payment, outcome)

    async def record(
        self, connection: AsyncConnection[DictRow], region: str, booking: Booking, kind: str, detail: str
    ) -> None:
        """A conflict of `kind`: a person must look at this booking."""
        told = Jsonb({"reservation": str(booking.id), "revision": booking.revision, "detail": detail})
        LOG.error("booking needs a person", kind=kind, reservation=str(booking.id), detail=detail)
        columns = {"region": region, "lot": booking.lot, "kind": kind, "detail": told}
        await connection.execute(QUERIES["conflict_of_booking"], columns)

    async def publish(
        self, connection: AsyncConnection[DictRow], region: str, before: Booking, after: Booking
    ) -> None:
        """Events of a decision, and the lot's counts where places changed hands."""
        if after.transaction.outcome is before.transaction.outcome or after.lot is None:
            return
        booked = after.transaction.outcome is Outcome.COMMITTED
        if booked:
            body: dict[str, object] = {
                "reservation": str(after.id),
                "revision": after.revision,
                "type": after.type_word,
            }
            await publish(connection, [NewEvent(lot=after.lot, kind="ParkingSpotBooked", body=body)])
        if booked or before.transaction.own_claims:
            line = await self._link.standing(connection, after.lot)
            as_of_seq = 0 if line is None else line.applied_seq
            await self._lots.recount(
                connection, region, after.lot, as_of_seq=as_of_seq, now=self._clock.now()
            )
