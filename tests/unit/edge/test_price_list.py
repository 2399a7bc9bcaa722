"""The tariffs a lot knows, and which of them a stay is priced by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.price_list import PriceList
from parking.ids import StayId
from parking.lot import SpotType
from parking.stays import Credential, CredentialKind, Stay, StayState
from tests.unit.edge.lot_at_work import tariff

NOON_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def stay(version: str) -> Stay:
    return Stay(
        id=StayId("stay"),
        credential=Credential(kind=CredentialKind.TICKET, subject="stay"),
        type=SpotType.REGULAR,
        state=StayState.INSIDE,
        lane="entry-1",
        admitted_at=NOON_AT,
        tariff_version=version,
    )


def test_the_highest_version_that_is_valid_is_in_force() -> None:
    prices = PriceList([tariff(1), tariff(2), tariff(3, valid_from="2027-01-01")])
    assert prices.in_force(NOON_AT).version == 2
    assert prices.in_force(NOON_AT + timedelta(days=60)).version == 3


@pytest.mark.parametrize(("years", "version"), [(-50, 1), (-1, 1), (0, 2), (3, 3)])
def test_where_no_version_is_valid_the_lot_goes_on_with_the_nearest(years: int, version: int) -> None:
    """The clock is not set after a power cut, or the next tariff is late: neither may end the agent."""
    prices = PriceList(
        [
            tariff(1, valid_from="2026-01-01", valid_until="2026-06-01"),
            tariff(2, valid_from="2026-06-01", valid_until="2026-09-01"),
            tariff(3, valid_from="2027-01-01", valid_until="2028-01-01"),
        ]
    )
    assert prices.in_force(NOON_AT + timedelta(days=365 * years)).version == version


def test_a_stay_keeps_its_version_and_one_whose_version_is_lost_goes_by_its_entry() -> None:
    prices = PriceList([tariff(1), tariff(2, rate=[{"label": "Dear", "price": "9.00", "per_min": 60}])])
    until_at = NOON_AT + timedelta(minutes=30)
    assert prices.price_of(stay("t/1"), until_at).total_minor == 300
    assert prices.price_of(stay("lost/7"), until_at).total_minor == 900


def test_a_glance_follows_a_new_tariff_at_once() -> None:
    prices = PriceList([tariff(1)])
    assert prices.glance(NOON_AT).amount_minor == 300
    prices.add(tariff(2, rate=[{"label": "Dear", "price": "9.00", "per_min": 60}]))
    assert prices.glance(NOON_AT).amount_minor == 900
