"""What is ordered, offered and sold at a kiosk. The selling is edge/kiosk_sales.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edge.terminals import Outcome
from edge.visit import Ticket
from parking.claims import Claim
from parking.demands import Demand, Payment
from parking.ids import ClaimId, StayId
from parking.interval import Interval
from parking.lot import SpotType
from parking.price import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person at the kiosk of `lane` wants."""

    lane: str
    type: SpotType
    window: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An order that can be sold now, and its price."""

    order: Order
    price: Price
    tariff_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """A booking that stands. `ticket` opens the entry in its window; `payment` None where it cost nothing."""

    reservation: str
    claim: ClaimId
    order: Order
    ticket: Ticket
    amount_minor: int
    currency: str
    payment: Payment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsold:
    """No booking. `outcome` unknown: the place is held until the terminal says what became of the money."""

    reservation: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a booking was sold for."""

    reservation: str
    amount_minor: int
    currency: str
    tariff_version: str
    demand: str | None
    lane: str = ""

    @classmethod
    def of(cls, offer: Offer, name: str, demand: str | None) -> Terms:
        """What is offered to be booked under `name`."""
        return cls(
            reservation=name,
            amount_minor=offer.price.total_minor,
            currency=offer.price.currency,
            tariff_version=offer.tariff_version,
            demand=demand,
            lane=offer.order.lane,
        )

    @classmethod
    def told_by(cls, claim: Claim, demand: Demand, tariff_version: str) -> Terms:
        """What is on record of a place that waits for its payment."""
        return cls(
            reservation=claim.holder_id,
            amount_minor=demand.amount_minor,
            currency=demand.currency,
            tariff_version=tariff_version,
            demand=demand.id,
        )


def demand_of(offer: Offer, name: str, payment: Payment, now: datetime) -> Demand:
    """What the booking owes; it stands under the reservation's name, since there is no stay yet."""
    window = offer.order.window
    return Demand(
        id=payment.demand,
        stay=StayId(name),
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        from_at=window.starts_at,
        to_at=window.ends_at or window.starts_at,
        lines=tuple(line.as_document() for line in offer.price.lines),
        made_at=now,
    )
