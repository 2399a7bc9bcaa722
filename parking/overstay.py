"""What a car pays that stays past its booking's end: the tariff's price, times the lot's overstay rate, as a line of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from parking.price import FACTOR_ONE_1E4, Price, PriceLine, rounded
from parking.tariff import Rounding


def with_overstay(
    price: Price, *, factor_1e4: int, booked_until: datetime, until: datetime, round_to_minor: int = 1
) -> Price:
    """`price` of the time from `booked_until` until `until`, times `factor_1e4` ten-thousandths; the surcharge is the last line.

    Rounded half-even to `round_to_minor`, as the dynamic factor is. The lines still add up to the total.
    """
    whole_minor = rounded(
        Fraction(price.total_minor * factor_1e4, FACTOR_ONE_1E4), Rounding.HALF_EVEN, round_to_minor
    )
    surcharge_minor = whole_minor - price.total_minor
    if not surcharge_minor:
        return price
    line = PriceLine(
        label=f"after the booking's end: × {factor_1e4 / FACTOR_ONE_1E4:.4g}",
        from_at=booked_until,
        to_at=until,
        quantity=1,
        unit_amount=Fraction(surcharge_minor),
        amount_minor=surcharge_minor,
    )
    return replace(price, lines=(*price.lines, line), total_minor=whole_minor)
