from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import (
    Enforcement,
    Lane,
    LaneKind,
    Lot,
    LotPolicy,
    OpeningHours,
    Spot,
    SpotType,
    Zone,
    ZoneKind,
)
from sync.errors import MalformedFrame
from sync.layout import layout_body, layout_hash, lot_from_layout
from sync.message_pack import pack, unpack
from tests.unit.sync.refusals import refusal

LOT = LotId("11111111-2222-4333-8444-555555555555")


def a_lot(spots: int = 3) -> Lot:
    return Lot(
        id=LOT,
        name="Rathaus",
        timezone=ZoneInfo("Europe/Berlin"),
        currency="EUR",
        latitude=52.5,
        longitude=13.4,
        zones=(
            Zone(id=ZoneId("P1"), level="-1"),
            Zone(id=ZoneId("P2"), level="-2", kind=ZoneKind.ASSIGNED, enforced_by=Enforcement.LAMP),
        ),
        spots=tuple(
            Spot(id=spot_id(LOT, f"A-{n:03}"), zone=ZoneId("P1"), number=f"A-{n:03}", type=SpotType.REGULAR)
            for n in range(spots)
        ),
        lanes=(Lane(id=LaneId("in-1"), kind=LaneKind.ENTRY),),
        policy=LotPolicy(assumed_stay=timedelta(hours=3), spare_spots={SpotType.REGULAR: 2}),
        opening_hours=OpeningHours(by_weekday={0: (time(6), time(23, 30)), 5: (time(8), time(2))}),
    )


def test_a_lot_comes_out_of_its_layout_as_it_went_in() -> None:
    assert lot_from_layout(layout_body(a_lot())) == a_lot()
    always_open = replace(a_lot(), opening_hours=None)
    assert lot_from_layout(layout_body(always_open)) == always_open


def test_equal_lots_have_one_hash_and_a_moved_spot_another() -> None:
    assert layout_hash(layout_body(a_lot())) == layout_hash(layout_body(a_lot()))
    assert layout_hash(layout_body(a_lot(3))) != layout_hash(layout_body(a_lot(4)))


def test_the_layout_of_five_thousand_spots_fits_one_frame() -> None:
    assert len(layout_body(a_lot(5_000))) < 200_000


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("latitude", 91, "layout.latitude"),
        ("timezone", "Europe/Atlantis", "layout.timezone"),
        ("zones", [["P1", "-1", "open_air", None]], "layout.zones[0][2]"),
        ("zones", [["P1", "-1", "assigned", None]], "layout.zones[0]"),
        ("spots", [["P9", "A-1", "regular"]], "layout"),
        ("spots", [["P1", "A-1", "boat"]], "layout.spots[0][2]"),
        ("policy", {"spare_spots": {"regular": -1}}, "layout.policy.spare_spots.regular"),
        ("opening_hours", [[0, 360, 1440]], "layout.opening_hours[0][2]"),
        ("id", "no-uuid-but-thirty-six-characters-xx", "layout"),
    ],
)
def test_a_wrong_part_of_a_layout_is_named(name: str, value: object, field: str) -> None:
    body = unpack(layout_body(a_lot()), "layout")
    assert isinstance(body, dict)
    with pytest.raises(MalformedFrame) as caught:
        lot_from_layout(pack(body | {name: value}))
    assert caught.value.field == field


@given(st.data())
def test_a_damaged_layout_is_a_lot_or_a_named_error(data: st.DataObject) -> None:
    body = bytearray(layout_body(a_lot()))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    refused = refusal(MalformedFrame, lambda: lot_from_layout(bytes(body)))
    assert refused is None or refused.field
