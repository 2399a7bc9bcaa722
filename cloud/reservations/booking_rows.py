"""A revision of a reservation as its row: the transaction of sync/booking.py, and what only the service knows of it.

Everything works inside the caller's transaction. The row is read and held, stepped, and written back with the state that it had: a write that
would decide too late, by the database's clock, changes nothing and is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from cloud.named_sql import named_sql
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType
from sync.booking import Ballot, CoordinatorState, Transaction, Yes
from sync.instants import from_us, to_us
from sync.lease import Lease
from sync.rows import claim_from_row, claim_row
from sync.transaction import NoReason, TransactionId

QUERIES = named_sql("cloud.reservations")


class BookingStatus(StrEnum):
    """What the customer is told."""

    DRAFT = "draft"
    ACTIVE = "active"
    IN_USE = "in_use"
    CANCEL_PENDING = "cancel_pending"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    DISPLACED = "displaced"
    REFUSED = "refused"


class Guarantee(StrEnum):
    """What is sold: a place of the type, or the painted spot."""

    TYPE = "type"
    SPOT = "spot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """The row. `lot` is None only before the first word of it; `user` None where an inquiry wrote it.

    `link_session` is the session of the lot's link at the begin: a PREPARE goes into no other. `told_n` is the decision's number in the
    list of the lot's gateway. `payment` None: nothing is to be paid. `amount_minor` is the price of the whole window, `payment` is of what
    this revision adds to it, and `give_back_minor` what it takes off, due when the lot has the change. `cuts`: it gives up time that the lot
    holds; `cut_n` is the number of the document that says so. `at_risk`: why the promise may not be kept. `written_at`: when the row was last
    written, by the database; None of what was never read.
    """

    transaction: Transaction
    lot: UUID | None = None
    user: str | None = None
    status: BookingStatus | None = None
    spot: UUID | None = None
    guarantee: Guarantee = Guarantee.TYPE
    link_session: int | None = None
    told_n: int | None = None
    quote: Mapping[str, object] | None = None
    amount_minor: int = 0
    currency: str = ""
    payment: UUID | None = None
    request_hash: bytes = b""
    whole: Interval | None = None
    cuts: bool = False
    cut_n: int | None = None
    give_back_minor: int = 0
    at_risk: str | None = None
    created_at: datetime | None = field(default=None, compare=False)
    written_at: datetime | None = field(default=None, compare=False)

    @property
    def id(self) -> UUID:
        """Which reservation."""
        return UUID(self.transaction.id.reservation)

    @property
    def revision(self) -> int:
        """Which revision of it."""
        return self.transaction.id.revision

    @property
    def state(self) -> CoordinatorState:
        """How far the protocol is."""
        return self.transaction.state

    @property
    def booked(self) -> Interval | None:
        """The whole window of the booking as of this revision; its transaction may hold only what was added."""
        return self.whole or self.transaction.window

    @property
    def type_word(self) -> str | None:
        """The type of place, as it is stored."""
        return None if self.transaction.type is None else str(self.transaction.type)

    @property
    def is_refused(self) -> bool:
        """Whether it is not booked and nothing but its driver can make it so any more; what is neither this nor committed is not decided."""
        if self.state is CoordinatorState.DRAFT:
            return self.transaction.reason == NoReason.LINK_DOWN
        return self.state is CoordinatorState.ABORTED

    def because(self, reason: NoReason) -> Booking:
        """The same with why it was not booked."""
        return replace(self, transaction=replace(self.transaction, reason=str(reason)))


def unheard_of(reservation: str, revision: int) -> Booking:
    """The absence of a row."""
    return Booking(
        transaction=Transaction(id=TransactionId(reservation=str(UUID(reservation)), revision=revision))
    )


async def protocol_now(connection: AsyncConnection[DictRow]) -> datetime:
    """The instant by which deadlines and leases are judged."""
    (row,) = await (await connection.execute(QUERIES["protocol_now"])).fetchall()
    instant: datetime = row["now"]
    return instant


async def hold_lot(connection: AsyncConnection[DictRow], lot: UUID) -> str:
    """Hold the lot's row until the transaction ends: the first of all locks. Its region, "" where there is no such lot."""
    row = await (await connection.execute(QUERIES["lot_hold"], {"lot": lot})).fetchone()
    return "" if row is None else str(row["region"])


async def latest(connection: AsyncConnection[DictRow], reservation: UUID) -> Booking | None:
    """The highest revision, not held."""
    row = await (await connection.execute(QUERIES["booking_latest"], {"id": reservation})).fetchone()
    return None if row is None else _booking(row)


async def held(connection: AsyncConnection[DictRow], reservation: UUID, revision: int) -> Booking | None:
    """One revision, held until the transaction ends."""
    scope = {"id": reservation, "revision": revision}
    row = await (await connection.execute(QUERIES["booking_hold"], scope)).fetchone()
    return None if row is None else _booking(row)


async def standing(connection: AsyncConnection[DictRow], reservation: UUID) -> Booking | None:
    """What the reservation is: its newest committed revision, else its newest, not held."""
    row = await (await connection.execute(QUERIES["booking_standing"], {"id": reservation})).fetchone()
    return None if row is None else _booking(row)


async def before_it(connection: AsyncConnection[DictRow], booking: Booking) -> Booking | None:
    """The committed revision that stands until this one is; None where this is no change."""
    scope = {"id": booking.id, "revision": booking.revision}
    row = await (await connection.execute(QUERIES["booking_before"], scope)).fetchone()
    return None if row is None else _booking(row)


async def preparing_of(connection: AsyncConnection[DictRow], lot: UUID) -> list[Booking]:
    """The lot's transactions that wait for votes, held."""
    rows = await (await connection.execute(QUERIES["bookings_preparing"], {"lot": lot})).fetchall()
    return [_booking(row) for row in rows]


async def untold_of(connection: AsyncConnection[DictRow], lot: UUID, n: int) -> list[Booking]:
    """Decisions that stand in the list of the lot's gateway up to number `n` and are not acknowledged yet, held."""
    rows = await (await connection.execute(QUERIES["bookings_untold"], {"lot": lot, "n": n})).fetchall()
    return [_booking(row) for row in rows]


async def told_bookings(
    connection: AsyncConnection[DictRow], query: str, scope: Mapping[str, object]
) -> list[Booking]:
    """The rows of a query about what a lot's log tells, held."""
    return [_booking(row) for row in await (await connection.execute(QUERIES[query], scope)).fetchall()]


async def of_user(
    connection: AsyncConnection[DictRow], user: str, *, limit: int, offset: int
) -> tuple[list[Booking], int]:
    """A page of a user's reservations, newest first, and how many there are."""
    scope = {"user": user, "limit": limit, "offset": offset}
    rows = await (await connection.execute(QUERIES["bookings_of_user"], scope)).fetchall()
    total = await (await connection.execute(QUERIES["bookings_of_user_total"], {"user": user})).fetchone()
    return [_booking(row) for row in rows], 0 if total is None else int(total["total"])


async def add(connection: AsyncConnection[DictRow], booking: Booking) -> bool:
    """A new row; whether there was none of this revision."""
    cursor = await connection.execute(QUERIES["booking_add"], _columns(booking))
    return await cursor.fetchone() is not None


async def write(connection: AsyncConnection[DictRow], was: CoordinatorState, booking: Booking) -> bool:
    """Write the row that is `was`; False where it is not any more, or where the deadline of a decision has passed by now."""
    cursor = await connection.execute(QUERIES["booking_write"], {**_columns(booking), "was": str(was)})
    return await cursor.fetchone() is not None


def _booking(row: DictRow) -> Booking:
    window = None if row["starts_at"] is None else Interval(row["starts_at"], row["ends_at"])
    transaction = Transaction(
        id=TransactionId(reservation=str(row["id"]), revision=row["revision"]),
        state=CoordinatorState(row["state"]),
        type=None if row["type"] is None else SpotType(row["type"]),
        window=window,
        ballots=tuple(_ballot(ballot) for ballot in row["ballots"]),
        own_claims=tuple(claim_from_row(claim) for claim in row["own_claims"]),
        deadline_at=row["deadline_at"],
        lease=Lease(holder=row["lease_holder"], token=row["lease_token"], until_at=row["lease_until"]),
        reason=row["reason"],
        superseded=row["superseded"],
    )
    return Booking(
        transaction=transaction,
        lot=row["lot_id"],
        user=row["user_name"],
        status=None if row["status"] is None else BookingStatus(row["status"]),
        spot=row["spot_id"],
        guarantee=Guarantee(row["guarantee"]),
        link_session=row["link_session"],
        told_n=row["told_n"],
        quote=row["quote"],
        amount_minor=row["amount_minor"] or 0,
        currency=row["currency"] or "",
        payment=row["payment_id"],
        request_hash=bytes(row["request_hash"] or b""),
        whole=None if row["booked_from"] is None else Interval(row["booked_from"], row["booked_until"]),
        cuts=row["cuts"],
        cut_n=row["cut_n"],
        give_back_minor=row["give_back_minor"],
        at_risk=row["at_risk"],
        created_at=row["created_at"],
        written_at=row["updated_at"],
    )


def _columns(booking: Booking) -> dict[str, object]:
    transaction, lease = booking.transaction, booking.transaction.lease
    window = transaction.window
    return {
        "id": booking.id,
        "revision": booking.revision,
        "lot": booking.lot,
        "user": booking.user,
        "type": None if transaction.type is None else str(transaction.type),
        "spot": booking.spot,
        "starts_at": None if window is None else window.starts_at,
        "ends_at": None if window is None else window.ends_at,
        "guarantee": str(booking.guarantee),
        "state": str(transaction.state),
        "status": None if booking.status is None else str(booking.status),
        "reason": transaction.reason,
        "deadline_at": transaction.deadline_at,
        "lease_holder": lease.holder,
        "lease_token": lease.token,
        "lease_until": lease.until_at,
        "ballots": Jsonb([_ballot_json(ballot) for ballot in transaction.ballots]),
        "own_claims": Jsonb([claim_row(claim) for claim in transaction.own_claims]),
        "untold": transaction.outcome is not None and bool(transaction.untold),
        "told_n": booking.told_n,
        "link_session": booking.link_session,
        "superseded": transaction.superseded,
        "quote": None if booking.quote is None else Jsonb(dict(booking.quote)),
        "amount_minor": booking.amount_minor,
        "currency": booking.currency,
        "payment": booking.payment,
        "request_hash": booking.request_hash,
        "booked_from": None if booking.whole is None else booking.whole.starts_at,
        "booked_until": None if booking.whole is None else booking.whole.ends_at,
        "cuts": booking.cuts,
        "cut_n": booking.cut_n,
        "give_back_minor": booking.give_back_minor,
    }


def _ballot_json(ballot: Ballot) -> dict[str, object]:
    yes = ballot.yes
    return {
        "lot": ballot.lot,
        "epoch": ballot.epoch,
        "claim": ballot.claim,
        "spot": ballot.spot,
        "asked": ballot.asked,
        "acknowledged": ballot.acknowledged,
        "yes": None if yes is None else _yes_json(yes),
    }


def _yes_json(yes: Yes) -> dict[str, object]:
    ends_at = yes.window.ends_at
    return {
        "claim": yes.claim,
        "spot": yes.spot,
        "starts_us": to_us(yes.window.starts_at),
        "ends_us": None if ends_at is None else to_us(ends_at),
        "epoch": yes.epoch,
        "log_seq_before": yes.log_seq_before,
    }


def _ballot(row: DictRow) -> Ballot:
    yes = row["yes"]
    return Ballot(
        lot=row["lot"],
        epoch=row["epoch"],
        claim=ClaimId(row["claim"]),
        spot=None if row["spot"] is None else SpotId(row["spot"]),
        asked=row["asked"],
        acknowledged=row["acknowledged"],
        yes=None if yes is None else _yes(yes),
    )


def _yes(row: DictRow) -> Yes:
    ends_us = row["ends_us"]
    return Yes(
        claim=ClaimId(row["claim"]),
        spot=SpotId(row["spot"]),
        window=Interval(from_us(row["starts_us"]), None if ends_us is None else from_us(ends_us)),
        epoch=row["epoch"],
        log_seq_before=row["log_seq_before"],
    )
