"""The tariffs this lot knows: the one from its own file and those that the centre sent, by the name of their version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from parking.least_price import least_price
from parking.price import Price, hourly_hint, price
from parking.stays import Stay
from parking.tariff import Tariff, tariff_in_force

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
FREE_MINUTES = (60, 45, 30, 20, 15, 10, 5)
MOST_CHANGES = 2
EARLIEST_AT = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAtAGlance:
    """What a driver who comes now sees: the first hour, how it changes later today, the most for 24 hours, the minutes that cost nothing.

    Amounts in the smallest unit of `currency`; `later` holds at most two (instant, amount of the first hour from then on).
    """

    amount_minor: int
    currency: str
    later: tuple[tuple[datetime, int], ...]
    maximum_minor: int
    free_min: int | None


class PriceList:
    """What a stay costs here. A stay keeps the tariff that was in force when it came in."""

    def __init__(self, tariffs: Iterable[Tariff]) -> None:
        """A list holds at least one tariff, that of the lot's own file."""
        self._by_version: dict[str, Tariff] = {}
        self._glance: tuple[datetime, PriceAtAGlance] | None = None
        for tariff in tariffs:
            self.add(tariff)

    def add(self, tariff: Tariff) -> None:
        """Take in a version, from the centre or from the file."""
        self._by_version[tariff.name_of_version] = tariff
        self._glance = None

    def in_force(self, at: datetime) -> Tariff:
        """The tariff for stays that begin at `at`.

        Where no version is valid then (the clock is not set, or the next tariff is late) the lot goes on: the last that has begun, or else the
        first to begin.
        """
        versions = self._by_version.values()
        found = tariff_in_force(versions, at)
        if found is not None:
            return found
        begun = [one for one in versions if one.valid_from_at is None or one.valid_from_at <= at]
        if begun:
            return max(begun, key=lambda one: (one.valid_from_at or EARLIEST_AT, one.version))
        return min(versions, key=lambda one: (one.valid_from_at or EARLIEST_AT, -one.version))

    def of(self, stay: Stay) -> Tariff:
        """The tariff that the stay's price is locked to; the one in force at its entry where that version is not here."""
        return self._by_version.get(stay.tariff_version) or self.in_force(stay.admitted_at)

    def price_of(self, stay: Stay, until: datetime) -> Price:
        """What the stay costs from its entry until `until`, with its locked factor."""
        since = stay.entered_at or stay.admitted_at
        return price(self.of(stay), since, max(since, until), spot_type=stay.type, factor_1e4=stay.factor_1e4)

    def least_price_of(self, stay: Stay, since: datetime, until: datetime) -> Price:
        """What the stay costs at the least for what passed from `since` until `until`, whatever hours these were."""
        elapsed = max(since, until) - since
        return least_price(self.of(stay), since, elapsed, spot_type=stay.type, factor_1e4=stay.factor_1e4)

    def glance(self, at: datetime) -> PriceAtAGlance:
        """The price as a screen shows it, computed once for each minute."""
        minute = at.replace(second=0, microsecond=0)
        if self._glance is None or self._glance[0] != minute:
            self._glance = (minute, self._look(minute))
        return self._glance[1]

    def _look(self, at: datetime) -> PriceAtAGlance:
        tariff = self.in_force(at)
        first = hourly_hint(tariff, at)
        free = (n for n in FREE_MINUTES if price(tariff, at, at + timedelta(minutes=n)).total_minor == 0)
        return PriceAtAGlance(
            amount_minor=first.amount_minor,
            currency=first.currency,
            later=self._later(tariff, at, first.amount_minor),
            maximum_minor=price(tariff, at, at + DAY).total_minor,
            free_min=next(free, None),
        )

    def _later(self, tariff: Tariff, at: datetime, amount_minor: int) -> tuple[tuple[datetime, int], ...]:
        """The full hours of today from which on the first hour costs another amount."""
        today = tariff.calendar.date_at(at)
        hour = at.replace(minute=0) + HOUR
        found: list[tuple[datetime, int]] = []
        while tariff.calendar.date_at(hour) == today and len(found) < MOST_CHANGES:
            then_minor = hourly_hint(tariff, hour).amount_minor
            if then_minor != amount_minor:
                found.append((hour, then_minor))
                amount_minor = then_minor
            hour += HOUR
        return tuple(found)
