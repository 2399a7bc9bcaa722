"""The price of a stay by a tariff. Both tiers run this same code.

Theory: a meter.
1. The meter runs through the stay in order. At each instant **the first rate from the top whose conditions all hold is in force**.
2. While a rate is in force its steps lay down charges, counted from the instant at which it came into force. When another rate comes into force the meter goes on
   with that one, at once (`FINISH_STEP`: when the step that was begun has run out).
3. Each charge is laid against every maximum of the period in which it begins; what a maximum leaves no room for is taken off in a line of its own.
4. All amounts are exact fractions of a minor unit. The sum is raised to the minimum and rounded **once**, as the tariff says. The lines show the differences of the rounded
   running sum, so they add up to the total to the cent.
5. The dynamic factor multiplies that result; the product is rounded half-even (cloud: prices).

Edges of windows are civil time, durations are elapsed time: civil_time.py says how the two meet on the nights of a clock change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from parking.civil_time import FOREVER_AT
from parking.errors import InvalidStay, NoRateApplies
from parking.lot import SpotType
from parking.money import Money, in_major
from parking.rates import Charge, Maximum, PricedStay, Rate, minutes
from parking.tariff import RateChange, Rounding, Tariff

FACTOR_ONE_1E4 = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """One line of a price: `quantity` times `unit_amount` (exact, minor units) from `from_at` to `to_at` (in the lot's zone) is
    `amount_minor`, rounded so that the lines add up.
    """

    label: str
    from_at: datetime
    to_at: datetime
    quantity: int
    unit_amount: Fraction
    amount_minor: int

    def as_document(self) -> dict[str, str | int]:
        """Plain values: instants as ISO 8601 with offset, an amount between two minor units as "113/30"."""
        return {
            "label": self.label,
            "from": self.from_at.isoformat(),
            "to": self.to_at.isoformat(),
            "quantity": self.quantity,
            "unit_amount_minor": plain(self.unit_amount),
            "amount_minor": self.amount_minor,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a stay costs. `lines` add up to `total_minor` exactly. `over_max_stay`: the stay is longer than the tariff is published for."""

    currency: str
    lines: tuple[PriceLine, ...]
    total_minor: int
    over_max_stay: bool

    @property
    def total(self) -> Money:
        """The sum as money."""
        return Money(amount_minor=self.total_minor, currency=self.currency)


def price(
    tariff: Tariff,
    starts_at: datetime,
    ends_at: datetime,
    *,
    spot_type: SpotType = SpotType.REGULAR,
    factor_1e4: int = FACTOR_ONE_1E4,
) -> Price:
    """The price of a stay from `starts_at` to `ends_at` (aware; `fold` counts), times `factor_1e4` ten-thousandths.

    Raises:
        InvalidStay: an instant without offset, an end before the start, or a factor below zero.
        NoRateApplies: the tariff does not say what some of the time costs (a parsed tariff always does).
    """
    stay = _stay(tariff, starts_at, ends_at, spot_type)
    if factor_1e4 < 0:
        raise InvalidStay(f"factor_1e4 {factor_1e4} is below zero; 10000 leaves the price as it is")
    bill = _Bill(tariff=tariff, stay=stay)
    _Meter(tariff=tariff, stay=stay, bill=bill).run()
    bill.settle(factor_1e4)
    over = tariff.max_stay_min is not None and stay.elapsed > minutes(tariff.max_stay_min)
    return Price(
        currency=tariff.currency, lines=tuple(bill.lines), total_minor=bill.shown_minor, over_max_stay=over
    )


def hourly_hint(tariff: Tariff, at: datetime, *, spot_type: SpotType = SpotType.REGULAR) -> Money:
    """What the first hour costs for who comes in at `at`: the one figure a sign or a kiosk shows."""
    return price(tariff, at, at.astimezone(UTC) + timedelta(hours=1), spot_type=spot_type).total


def rounded(amount: Fraction, rounding: Rounding, to_minor: int = 1) -> int:
    """A whole multiple of `to_minor`; halves go up (away from nothing owed), to the even multiple, or all goes up or down."""
    multiples = amount / to_minor
    match rounding:
        case Rounding.HALF_EVEN:
            whole = round(multiples)
        case Rounding.HALF_UP:
            whole = (multiples + Fraction(1, 2)).__floor__()
        case Rounding.UP:
            whole = multiples.__ceil__()
        case Rounding.DOWN:
            whole = multiples.__floor__()
    return whole * to_minor


def plain(amount: Fraction) -> int | str:
    """An exact amount as a document carries it: an int, or "numerator/denominator"."""
    return amount.numerator if amount.denominator == 1 else f"{amount.numerator}/{amount.denominator}"


def _stay(tariff: Tariff, starts_at: datetime, ends_at: datetime, spot_type: SpotType) -> PricedStay:
    for name, at in (("starts_at", starts_at), ("ends_at", ends_at)):
        if at.utcoffset() is None:
            raise InvalidStay(f"{name} {at} has no offset; use an aware datetime")
    start, end = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    if end < start:
        raise InvalidStay(f"the stay would end ({ends_at}) before it starts ({starts_at})")
    return PricedStay(
        starts_at=start,
        ends_at=end,
        counts_as_entered_at=tariff.closed_until(start) or start,
        spot_type=spot_type,
    )


@dataclass(slots=True, kw_only=True)
class _Bill:
    """The lines so far, their exact sum and what they show of it."""

    tariff: Tariff
    stay: PricedStay
    lines: list[PriceLine] = field(default_factory=list)
    exact: Fraction = Fraction(0)
    shown_minor: int = 0

    def add(
        self, label: str, unit_amount: Fraction, *, times: int, starts_at: datetime, ends_at: datetime
    ) -> None:
        """One more line; it shows the difference it makes to the rounded running sum."""
        self.exact += unit_amount * times
        amount_minor = rounded(self.exact, Rounding.HALF_UP) - self.shown_minor
        self.shown_minor += amount_minor
        zone = self.tariff.calendar.zone
        line = PriceLine(
            label=label,
            from_at=starts_at.astimezone(zone),
            to_at=ends_at.astimezone(zone),
            quantity=times,
            unit_amount=unit_amount,
            amount_minor=amount_minor,
        )
        self.lines.append(line)

    def settle(self, factor_1e4: int) -> None:
        """Minimum, rounding, factor: in this order, each a line where it changes anything."""
        tariff = self.tariff
        if 0 < self.exact < tariff.minimum:
            self._bring_to(tariff.minimum, "minimum charge")
        payable_minor = rounded(self.exact, tariff.rounding, tariff.round_to_minor)
        if payable_minor != self.shown_minor:
            self._bring_to(Fraction(payable_minor), "rounding")
        if factor_1e4 != FACTOR_ONE_1E4:
            product = Fraction(payable_minor * factor_1e4, FACTOR_ONE_1E4)
            factored_minor = rounded(product, Rounding.HALF_EVEN, tariff.round_to_minor)
            label = f"factor {factor_1e4 // FACTOR_ONE_1E4}.{factor_1e4 % FACTOR_ONE_1E4:04}"
            self.exact = Fraction(payable_minor)
            self._bring_to(Fraction(factored_minor), label)

    def _bring_to(self, amount: Fraction, label: str) -> None:
        """A line over the whole stay that brings the sum up, or down, to `amount`."""
        stay = self.stay
        self.add(label, amount - self.exact, times=1, starts_at=stay.starts_at, ends_at=stay.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _InForce:
    """What is in force, since when, until when; `rate` None is closed hours of which no rate says anything."""

    rate: Rate | None
    opened_at: datetime
    until: datetime


@dataclass(slots=True, kw_only=True)
class _Meter:
    """Runs through one stay; `taken` is what each period of each maximum has taken so far."""

    tariff: Tariff
    stay: PricedStay
    bill: _Bill
    rates: list[Rate] = field(init=False)
    maxima: list[Maximum] = field(init=False)
    taken: dict[tuple[str, int, datetime], Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        calendar = self.tariff.calendar
        self.rates = [one for one in self.tariff.rates if one.conditions.met_by(self.stay, calendar)]
        self.maxima = [one for one in self.tariff.maxima if one.conditions.met_by(self.stay, calendar)]

    def run(self) -> None:
        """Lay down all charges from entry to exit."""
        at = self.stay.starts_at
        while at < self.stay.ends_at:
            found = self._in_force(at)
            stretch_ends_at = ran_out_at = self._stretch_end(found)
            if found.rate is not None:
                for charge in found.rate.charges(at, stretch_ends_at):
                    self._lay(charge, found.rate, found.opened_at)
                    ran_out_at = charge.starts_at + charge.every * charge.quantity
            finish = self.tariff.on_rate_change is RateChange.FINISH_STEP
            at = max(ran_out_at, stretch_ends_at) if finish else stretch_ends_at

    def _in_force(self, at: datetime) -> _InForce:
        """The first rate from the top whose hours hold at `at`."""
        until = FOREVER_AT
        for rate in self.rates:
            spell = rate.spell_at(self.stay, self.tariff.calendar, at)
            until = min(until, spell.until)
            if spell.opened_at is not None:
                return _InForce(rate=rate, opened_at=spell.opened_at, until=until)
        closed_until = self.tariff.closed_until(at)
        if closed_until is None:
            raise NoRateApplies(self.tariff.id, at.astimezone(self.tariff.calendar.zone))
        return _InForce(rate=None, opened_at=at, until=min(until, closed_until))

    def _stretch_end(self, found: _InForce) -> datetime:
        """Until when, at most the exit, the same occurrence of the same rate stays in force."""
        until = found.until
        while until < self.stay.ends_at:
            following = self._in_force(until)
            if (following.rate, following.opened_at) != (found.rate, found.opened_at):
                return until
            until = following.until
        return self.stay.ends_at

    def _lay(self, charge: Charge, rate: Rate, opened_at: datetime) -> None:
        """Bill one charge, cut where a period of a maximum ends, each piece less what the maxima leave no room for."""
        at, every, left = charge.starts_at, charge.every, charge.quantity
        while left:
            caps, until = self._caps(rate, opened_at, at) if charge.step.price else ([], FOREVER_AT)
            times = min(left, -(-(until - at) // every))
            piece_ends_at = min(charge.ends_at, at + every * times)
            self.bill.add(rate.label, charge.step.price, times=times, starts_at=at, ends_at=piece_ends_at)
            over, by = self._take(charge.step.price * times, caps)
            if over:
                self.bill.add(by, -over, times=1, starts_at=at, ends_at=piece_ends_at)
            at, left = at + every * times, left - times

    def _caps(self, rate: Rate, opened_at: datetime, at: datetime) -> tuple[list[_Cap], datetime]:
        """The maxima that hold at `at`, and until when this stays so."""
        caps = []
        until = FOREVER_AT
        if rate.maximum is not None:
            key = ("rate", self.rates.index(rate), opened_at)
            caps.append(_Cap(key=key, label=rate.label, amount=rate.maximum))
        for index, maximum in enumerate(self.maxima):
            spell = maximum.spell_at(self.stay, self.tariff.calendar, at)
            until = min(until, spell.until)
            if spell.opened_at is not None:
                key = ("maximum", index, spell.opened_at)
                caps.append(_Cap(key=key, label=maximum.label, amount=maximum.amount))
        return caps, until

    def _take(self, amount: Fraction, caps: list[_Cap]) -> tuple[Fraction, str]:
        """How much of `amount` is over the tightest maximum, and its words; the rest is taken from all of them."""
        room, by = amount, ""
        for cap in caps:
            free = cap.amount - self.taken.get(cap.key, Fraction(0))
            if free < room:
                room, by = free, f"{cap.label}: at most {in_major(cap.amount, self.tariff.currency)}"
        for cap in caps:
            self.taken[cap.key] = self.taken.get(cap.key, Fraction(0)) + room
        return amount - room, by


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cap:
    key: tuple[str, int, datetime]
    label: str
    amount: Fraction
