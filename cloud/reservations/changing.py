"""A booking gets another window: its next revision. Next in its story: cloud/reservations/beginning.

Theory. Only what is added is held, by a transaction of its own under the next revision: a second claim, voted by the lot or taken from the cloud's
own places, with the difference in price authorised first. Until that is committed the booking stands as it was, and it stands if the race is
lost. What is given up goes free when the lot has applied the change, which is a document of its list, and money that the new window does not
cost goes back then and not before: until then the lot keeps the place for the driver.

One change is open at a time. The same wish again is the same change, another wish takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from cloud.database import Database
from cloud.errors import BadRequest, Conflict
from cloud.pricing.quotes import priced
from cloud.reservations.bookable import require_bookable
from cloud.reservations.booking_rows import Booking, BookingStatus, Guarantee, add, protocol_now
from cloud.reservations.coordination import Coordination
from cloud.reservations.kiosk_facts import KIOSK
from cloud.reservations.ports import MoneyWanted, PaymentHold, TariffSource
from parking.clock import Clock
from parking.interval import Interval
from sync.booking import CoordinatorState, Transaction
from sync.coordinator import step
from sync.coordinator_news import Draft
from sync.transaction import TransactionId, window_change

DRAFT_HOLDS = timedelta(minutes=20)
"""Real time, as for a first draft: the driver may have to confirm the difference with the provider."""

CHANGEABLE = frozenset({BookingStatus.ACTIVE, BookingStatus.IN_USE})
OPEN = frozenset({CoordinatorState.DRAFT, CoordinatorState.PREPARING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a driver wants: `window` instead of what `known` has. `newest` is the reservation's newest revision."""

    known: Booking
    newest: Booking
    window: Interval


class BookingChanges:
    """Makes the next revision; who asks has checked whose booking it is."""

    def __init__(
        self,
        *,
        database: Database,
        tariffs: TariffSource,
        money: PaymentHold,
        coordination: Coordination,
        clock: Clock,
    ) -> None:
        self._database = database
        self._tariffs = tariffs
        self._money = money
        self._coordination = coordination
        self._clock = clock

    async def drafted(self, change: Change) -> Booking:
        """The draft of the next revision, or the booking itself where nothing is to change.

        Raises:
            BadRequest: the window cannot be booked, or there is no tariff for it.
            Conflict: the booking cannot be changed any more, or a change of it is being decided right now.
        """
        self._require_changeable(change)
        newest = change.newest
        if newest.state in OPEN and newest.revision > change.known.revision:
            if newest.booked == change.window:
                return newest
            if newest.state is CoordinatorState.PREPARING:
                raise Conflict("a change is being decided right now", "reservation", "ask again in a moment")
            newest = await self._coordination.give_up(newest)
        if change.window == change.known.booked:
            return change.known
        return await self._put_down(replace(change, newest=newest))

    def _require_changeable(self, change: Change) -> None:
        known, now = change.known, self._clock.now()
        if known.state is not CoordinatorState.COMMITTED or known.status not in CHANGEABLE:
            raise Conflict(f"it is {known.status}", "status", "only what is booked can be changed")
        if known.user == KIOSK:
            raise Conflict("it was sold at the lot's kiosk", "reservation", "cancel it, and book anew")
        require_bookable(change.window, now)
        booked = known.booked
        if booked is None or known.lot is None or known.transaction.type is None:
            raise Conflict("it has no place", "reservation", "book anew")
        has_begun = known.status is BookingStatus.IN_USE or booked.starts_at <= now
        if has_begun and change.window.starts_at != booked.starts_at:
            raise BadRequest(
                "cannot move any more: the booking has begun", "starts_at", "change the end only"
            )
        if len(window_change(booked, change.window).added) > 1:
            raise BadRequest("grows at both ends", "starts_at", "change one end, then the other")

    async def _put_down(self, change: Change) -> Booking:
        known = change.known
        async with self._database.connection() as connection, connection.transaction():
            tariffs = await self._tariffs.tariffs_of(connection, _lot(known))
            kind = known.transaction.type
            cost = None if kind is None else priced(tariffs, kind=kind, window=change.window)
            if cost is None:
                raise BadRequest("the lot has no tariff for this time", "starts_at", "choose another time")
            dearer_minor = cost.total_minor - known.amount_minor
            draft = _draft(change, cost.total_minor, await protocol_now(connection))
            if not await add(connection, draft):
                raise Conflict("another change came first", "reservation", "look at it and ask again")
            if draft.payment is not None:
                wanted = MoneyWanted(
                    payment=draft.payment,
                    reservation=draft.id,
                    lot=_lot(known),
                    amount_minor=dearer_minor,
                    currency=known.currency,
                )
                await self._money.put_down(connection, wanted)
        return draft


def _draft(change: Change, amount_minor: int, now: datetime) -> Booking:
    """The next revision of what is known, for another window and price."""
    known, booked = change.known, change.known.booked
    if booked is None or known.transaction.type is None:
        raise Conflict("it has no place", "reservation", "book anew")
    parts = window_change(booked, change.window)
    revision = change.newest.revision + 1
    id_ = TransactionId(reservation=known.transaction.id.reservation, revision=revision)
    news = Draft(type=known.transaction.type, window=change.window, expires_at=now + DRAFT_HOLDS)
    transaction, _ = step(Transaction(id=id_), news, now)
    dearer_minor = amount_minor - known.amount_minor
    return Booking(
        transaction=replace(transaction, window=parts.added[0] if parts.added else None),
        lot=known.lot,
        user=known.user,
        status=BookingStatus.DRAFT,
        spot=known.spot if known.guarantee is Guarantee.SPOT else None,
        guarantee=known.guarantee,
        quote=known.quote,
        amount_minor=amount_minor,
        currency=known.currency,
        payment=uuid5(known.id, f"payment {revision}") if dearer_minor > 0 else None,
        request_hash=known.request_hash,
        whole=change.window,
        cuts=bool(parts.given_up),
        give_back_minor=max(0, -dearer_minor),
    )


def _lot(known: Booking) -> UUID:
    if known.lot is None:
        raise Conflict("it has no place", "reservation", "book anew")
    return known.lot
