from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cloud.console.drawing import MAP_HEIGHT, MAP_WIDTH, PER_ROW, Projection, on_map, plan_of, spot_state
from parking.geo import Point

towns = st.lists(
    st.builds(Point, latitude=st.floats(-70, 70), longitude=st.floats(-179, 179)), min_size=1, max_size=12
)


@given(towns)
def test_every_lot_of_ours_is_on_the_map_with_room_for_its_sign(points: list[Point]) -> None:
    projection = Projection.around(points)
    for point in points:
        x, y = projection.place(point)
        assert 31 <= x <= MAP_WIDTH - 31
        assert 45 <= y <= MAP_HEIGHT
        assert on_map(x, y)
    assert projection.ruler_m / projection.m_per_unit <= MAP_WIDTH


def test_north_is_up_and_east_is_right() -> None:
    middle = Point(latitude=52.0, longitude=13.0)
    projection = Projection.around([middle])
    x, y = projection.place(Point(latitude=52.001, longitude=13.001))
    assert x > MAP_WIDTH / 2
    assert y < MAP_HEIGHT / 2


def spot(number: int, state: str = "free", confidence: int = 9_900) -> dict[str, object]:
    return {"number": f"A-{number:03}", "type": "regular", "state": state, "confidence_1e4": confidence}


@given(st.integers(0, 300))
def test_no_two_spots_of_a_plan_lie_on_each_other_and_all_are_inside(count: int) -> None:
    plan = plan_of([spot(number) for number in range(count)])
    corners = {(cell.x, cell.y) for cell in plan.cells}
    assert len(corners) == count
    assert all(x >= 0 and x + 26 <= plan.width and y >= 0 and y + 44 <= plan.height for x, y in corners)
    rows = sorted({y for _, y in corners})
    assert all(below - above >= 44 for above, below in itertools.pairwise(rows))
    assert len(rows) == -(-count // PER_ROW)


def test_only_doubtful_and_silent_sensors_are_drawn_differently() -> None:
    assert spot_state(spot(1, "occupied")) == "taken"
    assert spot_state(spot(1, "free")) == "free"
    assert spot_state(spot(1, "free", 4_999)) == "doubtful"
    assert spot_state(spot(1, "unknown", 0)) == "silent"
