"""Booking as a driver does it: draft, confirm, cancel, pass. Next in its story: cloud/reservations/coordination.

Theory. `POST /reservations` makes a draft: a quote that still holds, and a payment to be confirmed with the provider; nothing is promised.
`confirm`, or the provider's webhook, whichever is first, begins: the lot is asked, the decision is one commit, and the driver hears it
within the deadline, or at once where the line is down. A lost race is a 409 with alternatives. Everything may be asked again: the same
`Idempotency-Key` names the same reservation, and confirming what is decided tells what was decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid5

from cloud.database import Database
from cloud.errors import Conflict, LostRace, NotFound, NotPaid
from cloud.named_sql import named_sql
from cloud.parking_lots.search import LotSearch, Slice
from cloud.parking_lots.service import ParkingLots
from cloud.pricing.quotes import Quote, opened, quoted, signed
from cloud.reservations.alternatives import Alternatives, AlternativeSearch, Lost
from cloud.reservations.bookable import require_bookable
from cloud.reservations.booking_rows import (
    Booking,
    BookingStatus,
    Guarantee,
    add,
    held,
    latest,
    of_user,
    protocol_now,
    standing,
)
from cloud.reservations.changing import OPEN, BookingChanges, Change
from cloud.reservations.coordination import Coordination
from cloud.reservations.drafts import drafted
from cloud.reservations.kept_promises import KeptPromises
from cloud.reservations.kiosk_facts import KIOSK
from cloud.reservations.ports import Held, LotLink, MoneyWanted, PaymentHold, TariffSource
from cloud.reservations.refusals import SENTENCES
from parking.clock import Clock
from parking.ids import LotId, SpotId
from parking.interval import Interval
from parking.lot import SpotType
from sync.booking import CoordinatorState
from sync.keys import SigningKey
from sync.tokens import KeyRole, Token, TokenKind, TokenSigner, whole_seconds
from sync.transaction import NoReason

QUERIES = named_sql("cloud.reservations")

QUOTE_HOLDS = timedelta(minutes=10)
# Any fixed id: reservations have ids drawn under it from user and Idempotency-Key.
DRAWN = UUID("9d2f6c1e-0b1a-4f2f-8b5d-6a1c0f4e7a55")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a driver would like to book."""

    lot: UUID
    type: SpotType
    window: Interval
    spot: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A booking, with what the driver's browser confirms the payment with; "" where nothing is to be paid or it is not known now."""

    booking: Booking
    client_secret: str = ""


class BookingService:
    """Use cases over the coordinator. `key` signs quotes and passes."""

    def __init__(
        self,
        *,
        database: Database,
        lots: ParkingLots,
        search: LotSearch,
        tariffs: TariffSource,
        link: LotLink,
        money: PaymentHold,
        coordination: Coordination,
        promises: KeptPromises,
        changes: BookingChanges,
        clock: Clock,
        key: SigningKey,
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._lots = lots
        self._instead = AlternativeSearch(database=database, search=search, tariffs=tariffs, clock=clock)
        self._tariffs = tariffs
        self._link = link
        self._money = money
        self._coordination = coordination
        self._promises = promises
        self._changes = changes
        self._clock = clock
        self._key = key
        self._signer = TokenSigner(key, KeyRole.CLOUD)
        self._new_id = new_id

    async def quote(self, wish: Wish) -> tuple[Quote, str]:
        """What the window costs, and the signed text of it, which holds for ten minutes.

        Raises:
            BadRequest: the window cannot be booked, or there is no tariff for it.
            NotFound: there is no such lot.
        """
        require_bookable(wish.window, self._clock.now())
        async with self._database.connection() as connection:
            if await self._lots.region_of(connection, wish.lot) is None:
                raise NotFound(
                    f"there is no lot {wish.lot}", "lot", "take an id from GET /api/v1/parking-lots"
                )
            tariffs = await self._tariffs.tariffs_of(connection, wish.lot)
            now = await protocol_now(connection)
        quote = quoted(
            tariffs,
            id_=self._new_id(),
            lot=wish.lot,
            kind=wish.type,
            window=wish.window,
            expires_at=now + QUOTE_HOLDS,
        )
        return quote, signed(quote, self._key)

    async def draft(self, user: str, key: str, told_quote: str, *, hold: bool = False) -> Offered:
        """A reservation that promises nothing yet, with its payment. The same `key` of the same user is the same reservation. `hold`: a place of
        the cloud's own is kept for it for ten minutes, where one is free.

        Raises:
            BadRequest: the quote is not ours, was altered or has expired.
            Conflict: this key was used for another request.
            NotPaid: the provider would not create the payment.
        """
        id_ = uuid5(DRAWN, f"{user}\n{key}")
        asked = sha256(f"{told_quote}\n{'hold' if hold else ''}".encode()).digest()
        known = await self._known(id_, asked)
        if known is None:
            known = await self._put_down(user, id_, asked, told_quote, None)
        if hold:
            known = await self._coordination.hold(known)
        return await self._offered(known)

    async def reserve(self, user: str, key: str, wish: Wish) -> Offered:
        """Quote and draft in one, for a painted spot; where drivers choose their own, for a place of its type.

        Raises:
            NotFound: the lot has no such spot.
            BadRequest, Conflict, NotPaid: as for `draft`.
        """
        id_ = uuid5(DRAWN, f"{user}\n{key}")
        asked = sha256(f"{wish.lot}\n{wish.spot}\n{wish.window}".encode()).digest()
        known = await self._known(id_, asked)
        if known is None:
            scope = {"lot": wish.lot, "spot": wish.spot}
            async with self._database.connection() as connection:
                row = await (await connection.execute(QUERIES["spot_asked_for"], scope)).fetchone()
            if row is None:
                raise NotFound(
                    f"lot {wish.lot} has no spot {wish.spot}", "spot_id", "take one from its spots"
                )
            painted = wish.spot if row["zone_kind"] == "assigned" else None
            _, told = await self.quote(Wish(lot=wish.lot, type=SpotType(row["type"]), window=wish.window))
            known = await self._put_down(user, id_, asked, told, painted)
        return await self._offered(known)

    async def confirm(self, user: str, reservation: UUID) -> Booking:
        """Begin, and answer with what was decided; with what is neither booked nor refused where nothing is decided yet, to be asked again.

        Raises:
            NotFound: the user has no such reservation.
            NotPaid: the money is not held.
            LostRace: it was not booked; with alternatives.
        """
        booking = await self._newest(await self.read(user, reservation))
        if booking.state is CoordinatorState.DRAFT and booking.payment is not None:
            money = await self._money.standing(booking.payment)
            if money is not Held.HELD:
                raise NotPaid(
                    "the payment is not confirmed yet" if money is Held.WAITING else "the payment is gone",
                    "payment",
                    "confirm it with the provider" if money is Held.WAITING else "book anew",
                )
        booking = await self.begun(booking)
        if booking.is_refused:
            raise await self._lost(booking)
        return booking

    async def begun(self, booking: Booking) -> Booking:
        """The same after its decision, or as it is where that takes too long; a draft begins. The money is held."""
        if booking.state is CoordinatorState.DRAFT:
            booking = await self._coordination.begin(booking)
        if booking.state is CoordinatorState.PREPARING:
            booking = await self._coordination.decision(booking)
        return booking

    async def read(self, user: str, reservation: UUID) -> Booking:
        """What the reservation is: its newest committed revision, else its newest.

        Raises:
            NotFound: the user has no such reservation.
        """
        async with self._database.connection() as connection:
            booking = await standing(connection, reservation)
        if booking is None or booking.user not in {user, KIOSK}:
            raise NotFound(
                f"you have no reservation {reservation}", "reservation", "see GET /api/v1/reservations"
            )
        return booking

    async def open_change(self, booking: Booking) -> Booking | None:
        """The next revision of a booking, while it is not decided."""
        newest = await self._newest(booking)
        return newest if newest.revision > booking.revision and newest.state in OPEN else None

    async def change(
        self, user: str, reservation: UUID, window: Interval, *, seen: int | None = None
    ) -> tuple[Booking, Offered | None]:
        """The booking, and what is to be confirmed before it has this window; None where it has it now. `seen` is the revision that the
        driver looked at.

        Raises:
            NotFound: the user has no such reservation.
            BadRequest: the window cannot be booked, or there is no tariff for it.
            Conflict: it cannot be changed any more, was changed since it was looked at, or is being decided right now.
            LostRace: what is added could not be had; the booking stands as it was.
        """
        known = await self.read(user, reservation)
        if seen is not None and seen != known.revision:
            raise Conflict(
                f"it is at revision {known.revision}", "revision", "look at it again and decide anew"
            )
        newest = await self._newest(known)
        draft = await self._changes.drafted(Change(known=known, newest=newest, window=window))
        if draft.revision == known.revision:
            return known, None
        if draft.payment is not None:
            return known, await self._offered(draft)
        decided = await self.begun(draft)
        if decided.is_refused:
            raise await self._lost(decided)
        return (
            (decided, None)
            if decided.state is CoordinatorState.COMMITTED
            else (known, Offered(booking=decided))
        )

    async def alternatives(self, booking: Booking) -> Alternatives:
        """What else there is in the window of a booking that may not be kept."""
        lot, kind, window = booking.lot, booking.transaction.type, booking.booked
        if lot is None or kind is None or window is None:
            return ()
        return await self._instead.instead_of(Lost(lot=lot, type=kind, window=window))

    async def list_of(self, user: str, which: Slice) -> tuple[list[Booking], int]:
        """A page of a user's reservations, newest first, and how many there are."""
        async with self._database.connection() as connection:
            return await of_user(
                connection, user, limit=which.per_page, offset=(which.page - 1) * which.per_page
            )

    async def cancel(self, user: str, reservation: UUID) -> Booking:
        """A draft is dropped at once; what is booked is cancelled when the lot has let it go.

        Raises:
            NotFound: the user has no such reservation.
            Conflict: it is being decided right now, or was used, or is over.
        """
        booking = await self.read(user, reservation)
        newest = await self._newest(booking)
        if newest.state in OPEN:
            await self._coordination.give_up(newest)
            booking = await self.read(user, reservation)  # it may have been decided before that was heard
            if booking.state is not CoordinatorState.COMMITTED:
                return booking
        if booking.status in {BookingStatus.CANCELLED, BookingStatus.CANCEL_PENDING} or booking.lot is None:
            return booking
        if booking.status is not BookingStatus.ACTIVE:
            raise Conflict(f"it is {booking.status}", "status", "only what is active can be cancelled")
        async with self._database.connection() as connection, connection.transaction():
            region = await self._lots.region_of(connection, booking.lot) or ""
            await self._lots.lock(connection, region, booking.lot)
            now_held = await held(connection, booking.id, booking.revision)
            errands = await self._promises.cancel(connection, now_held or booking)
        self._coordination.carry_on(errands)
        return await self.read(user, reservation)

    async def pass_of(self, user: str, reservation: UUID) -> tuple[Booking, str]:
        """The pass: signed only for what is committed, which never changes any more.

        Raises:
            NotFound: the user has no such reservation.
            Conflict: it is not booked, or is cancelled.
        """
        booking = await self.read(user, reservation)
        window, kind = booking.booked, booking.transaction.type
        usable = {BookingStatus.ACTIVE, BookingStatus.IN_USE}
        if booking.state is not CoordinatorState.COMMITTED or booking.status not in usable:
            raise Conflict(f"there is no pass for what is {booking.status}", "status", "confirm it first")
        if window is None or window.ends_at is None or kind is None or booking.lot is None:
            raise NotFound(f"reservation {reservation} has no place", "reservation", "book anew")
        painted = booking.guarantee is Guarantee.SPOT and booking.spot is not None
        token = Token(
            kind=TokenKind.PASS,
            subject=str(booking.id),
            lot=LotId(str(booking.lot)),
            place=SpotId(str(booking.spot)) if painted else kind,
            starts_at=whole_seconds(window.starts_at),
            ends_at=whole_seconds(window.ends_at),
            revision=booking.revision,
            epoch=max((ballot.epoch for ballot in booking.transaction.ballots), default=0),
        )
        return booking, self._signer.sign(token)

    async def _newest(self, booking: Booking) -> Booking:
        async with self._database.connection() as connection:
            return await latest(connection, booking.id) or booking

    async def _known(self, reservation: UUID, asked: bytes) -> Booking | None:
        async with self._database.connection() as connection:
            known = await latest(connection, reservation)
        if known is not None and known.request_hash != asked:
            raise Conflict(
                "this key was used for another request", "Idempotency-Key", "take a new key for a new request"
            )
        return known

    async def _put_down(
        self, user: str, id_: UUID, asked: bytes, told_quote: str, spot: UUID | None
    ) -> Booking:
        async with self._database.connection() as connection, connection.transaction():
            now = await protocol_now(connection)
            quote = opened(told_quote, self._key.public, now=now)
            require_bookable(quote.window, self._clock.now())
            payment = uuid5(id_, "payment") if quote.amount_minor else None
            booking = drafted(user, id_, quote, now, spot=spot, payment=payment, asked=asked)
            if await add(connection, booking) and payment is not None:
                wanted = MoneyWanted(
                    payment=payment,
                    reservation=id_,
                    lot=quote.lot,
                    amount_minor=quote.amount_minor,
                    currency=quote.currency,
                )
                await self._money.put_down(connection, wanted)
        return await self._known(id_, asked) or booking

    async def _offered(self, booking: Booking) -> Offered:
        if booking.payment is None or booking.state is not CoordinatorState.DRAFT:
            return Offered(booking=booking)
        return Offered(booking=booking, client_secret=await self._money.offer(booking.payment))

    async def _lost(self, booking: Booking) -> LostRace:
        reason = booking.transaction.reason or str(NoReason.FULL)
        return LostRace(
            detail=SENTENCES.get(reason, f"not booked: {reason}"),
            field="lot",
            fix="choose one of the alternatives, or another time",
            reason=reason,
            alternatives=await self.alternatives(booking),
        )
