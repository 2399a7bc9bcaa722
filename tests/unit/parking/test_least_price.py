"""A stay of known length and unknown hours never costs more than it would have, by every tariff that is shipped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.least_price import least_price
from parking.price import price
from tests.unit.parking.test_tariff_price import SHIPPED, shipped

NOON_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMES = sorted(path.stem for path in SHIPPED.glob("*.toml"))
LENGTHS_MIN = (7, 50, 125, 600, 1_700)
LEAST: dict[tuple[str, timedelta], int] = {}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(starts_min=st.integers(0, 7 * 24 * 60))
def test_the_least_price_is_at_most_the_true_one_whenever_the_car_came(name: str, starts_min: int) -> None:
    tariff = shipped(name)
    length = timedelta(minutes=LENGTHS_MIN[starts_min % len(LENGTHS_MIN)])
    came_at = NOON_AT + timedelta(minutes=starts_min)
    asked = LEAST.setdefault((name, length), least_price(tariff, NOON_AT, length).total_minor)
    assert asked <= price(tariff, came_at, came_at + length).total_minor


def test_a_tariff_without_hours_is_asked_for_its_one_price() -> None:
    tariff = shipped(next(name for name in NAMES if not any(rate.window for rate in shipped(name).rates)))
    length = timedelta(hours=3)
    assert (
        least_price(tariff, NOON_AT, length).total_minor
        <= price(tariff, NOON_AT, NOON_AT + length).total_minor
    )
