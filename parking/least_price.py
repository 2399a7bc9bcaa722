"""What a stay costs at the least, where only its length is known and not its hours: the clock was never set, or the box was dark.

Theory. Length alone does not give a price: nights, weekends and days' maxima lie somewhere in it. So the stay is laid over the whole week to
come, in steps, and the cheapest of these prices is asked. An amount changes with the hour only where the stay's begin or its end crosses a
multiple of a rate's step, counted from a change of rates; both grids are tried. A tariff that knows no hours is asked once.

Two things are not in it: that a longer stay costs less than a shorter one, and days that go by a name of their own later than in a week.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from parking.lot import SpotType
from parking.price import FACTOR_ONE_1E4, Price, price
from parking.rates import Conditions, Maximum, Rate
from parking.tariff import Tariff

STEP = timedelta(hours=1)
WEEK = timedelta(days=7)


def least_price(
    tariff: Tariff,
    from_at: datetime,
    elapsed: timedelta,
    *,
    spot_type: SpotType = SpotType.REGULAR,
    factor_1e4: int = FACTOR_ONE_1E4,
) -> Price:
    """The lowest price of a stay of `elapsed` that begins at `from_at` or at any time in the week after.

    Raises:
        NoRateApplies: the tariff says nothing of some time in that week.
    """
    starts = [from_at] if _knows_no_hours(tariff) else _starts(from_at.astimezone(UTC), elapsed)
    prices = (price(tariff, at, at + elapsed, spot_type=spot_type, factor_1e4=factor_1e4) for at in starts)
    return min(prices, key=lambda each: each.total_minor)


def _starts(from_at: datetime, elapsed: timedelta) -> Iterator[datetime]:
    """Where to lay the stay: begins on the grid, and ends on it."""
    yield from_at
    first = from_at.replace(minute=0, second=0, microsecond=0)
    for n in range(WEEK // STEP + 1):
        yield first + n * STEP
        yield first + n * STEP - elapsed


def _knows_no_hours(tariff: Tariff) -> bool:
    parts: tuple[Rate | Maximum, ...] = (*tariff.rates, *tariff.maxima)
    return not tariff.closed and not any(part.window or _asks_the_hour(part.conditions) for part in parts)


def _asks_the_hour(conditions: Conditions) -> bool:
    return conditions.entered is not None or conditions.left is not None or conditions.same_day
