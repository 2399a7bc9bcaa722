from __future__ import annotations

import pytest

from cloud.parking_lots.published import COLUMNS, read_row
from parking.lot import SpotType

GOOD = {
    **dict.fromkeys(COLUMNS, ""),
    "lot_id": "17",
    "source": "town",
    "name": "Market",
    "country": "DE",
    "city": "Ulm",
    "address": "Markt 1",
    "lat": "48.4",
    "lon": "9.99",
    "capacity": "100",
    "capacity_disabled": "4",
    "capacity_ev": "6",
    "timezone": "Europe/Berlin",
}


def test_every_place_is_counted_once_by_type() -> None:
    lot, problems = read_row(1, GOOD)
    assert lot is not None
    assert problems == ()
    assert lot.spots == {SpotType.REGULAR: 90, SpotType.DISABLED: 4, SpotType.EV: 6}
    assert (lot.address, lot.currency, lot.reference) == ("Markt 1, Ulm", "EUR", "town/17")


def test_the_same_source_and_number_are_the_same_lot_at_every_import() -> None:
    one, _ = read_row(1, GOOD)
    other, _ = read_row(9, {**GOOD, "name": "Market hall"})
    elsewhere, _ = read_row(2, {**GOOD, "source": "city"})
    assert one is not None
    assert other is not None
    assert elsewhere is not None
    assert one.id == other.id != elsewhere.id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lot_id", ""),
        ("source", " "),
        ("name", ""),
        ("name", "a\0b"),
        ("name", "x" * 1_001),
        ("country", "XX"),
        ("timezone", "Berlin"),
        ("lat", ""),
        ("lat", "north"),
        ("lat", "nan"),
        ("lat", "91"),
        ("capacity", ""),
        ("capacity", "0"),
        ("capacity", "-4"),
        ("capacity", "many"),
        ("capacity", "²"),
        ("capacity", "50001"),
        ("capacity_disabled", "101"),
        ("capacity_ev", "97"),
        ("capacity_ev", "-1"),
    ],
)
def test_a_row_that_cannot_be_believed_is_refused_and_says_where_and_how_to_mend_it(
    field: str, value: str
) -> None:
    lot, (problem,) = read_row(12, {**GOOD, field: value})
    assert lot is None
    assert problem.refused
    assert problem.row == 12
    assert problem.field == (field if field != "capacity_ev" or value == "-1" else problem.field)
    assert problem.problem
    assert problem.fix


def test_a_place_in_the_sea_off_africa_is_a_place_that_nobody_knew() -> None:
    lot, (problem,) = read_row(1, {**GOOD, "lat": "2.3e-05", "lon": "2.9e-05"})
    assert lot is None
    assert problem.field == "lat"
    assert "0 N 0 E" in problem.problem


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_height_cm", "-1100"), ("max_height_cm", "60"), ("max_height_cm", "tall"), ("fee", "perhaps")],
)
def test_a_wrong_side_fact_is_left_out_and_told_while_the_lot_is_taken(field: str, value: str) -> None:
    lot, (problem,) = read_row(3, {**GOOD, field: value})
    assert lot is not None
    assert field not in lot.facts
    assert (problem.field, problem.refused) == (field, False)


def test_a_height_of_nought_is_how_sources_say_that_they_do_not_know() -> None:
    lot, problems = read_row(1, {**GOOD, "max_height_cm": "0"})
    assert lot is not None
    assert problems == ()
    assert "max_height_cm" not in lot.facts
