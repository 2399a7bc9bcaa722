"""The tariffs this lot knows: the one from its own file and those that the centre sent, by the name of their version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from parking.errors import NoRateApplies
from parking.money import Money
from parking.price import Price, hourly_hint, price
from parking.stays import Stay
from parking.tariff import Tariff, tariff_in_force


class PriceList:
    """What a stay costs here. A stay keeps the tariff that was in force when it came in."""

    def __init__(self, tariffs: Iterable[Tariff]) -> None:
        self._by_version: dict[str, Tariff] = {}
        for tariff in tariffs:
            self.add(tariff)

    def add(self, tariff: Tariff) -> None:
        """Take in a version, from the centre or from the file."""
        self._by_version[tariff.name_of_version] = tariff

    def in_force(self, at: datetime) -> Tariff:
        """The tariff for stays that begin at `at`.

        Raises:
            NoRateApplies: no version is valid then.
        """
        found = tariff_in_force(self._by_version.values(), at)
        if found is None:
            raise NoRateApplies("of this lot", at)
        return found

    def of(self, stay: Stay) -> Tariff:
        """The tariff that the stay's price is locked to; the one in force at its entry where that version is not here."""
        return self._by_version.get(stay.tariff_version) or self.in_force(stay.admitted_at)

    def price_of(self, stay: Stay, until: datetime) -> Price:
        """What the stay costs from its entry until `until`, with its locked factor."""
        since = stay.entered_at or stay.admitted_at
        return price(self.of(stay), since, until, spot_type=stay.type, factor_1e4=stay.factor_1e4)

    def hint(self, at: datetime) -> Money:
        """What the first hour costs to a driver who comes at `at`."""
        return hourly_hint(self.in_force(at), at)
