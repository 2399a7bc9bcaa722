"""Distances and cells, at home, at the poles and at the antimeridian."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parking.geo import EARTH_RADIUS_M, Point, box, covering, distance_m, geohash, neighbours

VECTORS = Path(__file__).parents[3] / "../shared/vectors/geo"
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the shared geo vectors lie beside the checkout, and are not there"
)
VECTORS_RADIUS_M = 6_371_000
"""The published distances are for this radius; a great circle is proportional to it."""

points = st.builds(
    Point,
    latitude=st.floats(-90, 90, allow_nan=False),
    longitude=st.floats(-180, 180, allow_nan=False),
)


# Our own facts: a degree of a great circle is R·π/180, half of one is R·π; the cells are from Niemeyer's definition, by hand.
@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((0, 0), (0, 1), EARTH_RADIUS_M * 0.017453292519943295),
        ((0, 179.5), (0, -179.5), EARTH_RADIUS_M * 0.017453292519943295),
        ((60, 0), (61, 0), EARTH_RADIUS_M * 0.017453292519943295),
        ((90, 0), (-90, 120), EARTH_RADIUS_M * 3.141592653589793),
        ((0, 0), (0, 180), EARTH_RADIUS_M * 3.141592653589793),
        ((90, 10), (90, -170), 0.0),
        ((48.1, 17.1), (48.1, 17.1), 0.0),
    ],
)
def test_known_distances_on_the_sphere(
    one: tuple[float, float], other: tuple[float, float], metres: float
) -> None:
    found = distance_m(Point(latitude=one[0], longitude=one[1]), Point(latitude=other[0], longitude=other[1]))
    assert found == pytest.approx(metres, rel=1e-12, abs=1e-6)


@pytest.mark.parametrize(
    ("latitude", "longitude", "cell"),
    [
        (0, 0, "s0000"),
        (90, 0, "upbpb"),
        (-90, 0, "h0000"),
        (0, 180, "80000"),
        (0, -180, "80000"),
        (90, 180, "bpbpb"),
    ],
)
def test_the_corners_of_the_globe_have_their_cells(latitude: float, longitude: float, cell: str) -> None:
    assert geohash(Point(latitude=latitude, longitude=longitude), 5) == cell


def test_the_cells_across_the_antimeridian_are_neighbours() -> None:
    assert "8" in neighbours("x")
    assert "x" in neighbours("8")


def test_no_cell_lies_beyond_a_pole() -> None:
    assert len(neighbours("upbpb")) == 5
    assert len(neighbours("h0000")) == 5


@example(Point(latitude=0.0, longitude=math.nextafter(180.0, 0.0)), 1)
@example(Point(latitude=math.nextafter(90.0, 0.0), longitude=math.nextafter(180.0, 0.0)), 12)
@given(points, st.integers(1, 12))
def test_a_point_lies_in_its_cell(point: Point, precision: int) -> None:
    found = box(geohash(point, precision))
    hair = 1e-12  # degrees: what is lost where a float of 1e-20 is counted from the pole
    assert found.south - hair <= point.latitude <= found.north + hair
    assert found.west - hair <= point.longitude <= found.east + hair or point.longitude == 180


@given(points, st.integers(1, 12))
def test_neighbours_are_mutual_and_touch(point: Point, precision: int) -> None:
    cell = geohash(point, precision)
    here = box(cell)
    for other in neighbours(cell):
        assert cell in neighbours(other)
        there = box(other)
        assert there.south <= here.north
        assert here.south <= there.north
        assert (
            there.west in {here.west, here.east}
            or there.east == here.west
            or {here.west, there.west} == {-180, 180 - (here.east - here.west)}
        )


@given(points, st.integers(2, 12))
def test_every_cell_lies_in_the_cell_of_one_letter_less(point: Point, precision: int) -> None:
    for shorter, longer in pairwise(geohash(point, p) for p in range(1, precision + 1)):
        assert longer.startswith(shorter)


@given(
    points, points, st.floats(0, 20_100_000), st.sampled_from([1, 0.999_999, 0.5, 0.01]), st.integers(4, 64)
)
@example(Point(latitude=89.9, longitude=0), Point(latitude=89.9, longitude=180), 30_000, 1, 16)
@example(Point(latitude=0, longitude=179.99), Point(latitude=0, longitude=-179.99), 5_000, 1, 16)
def test_a_circle_is_covered(
    centre: Point, other: Point, radius_m: float, share: float, at_most: int
) -> None:
    """A point within the radius is in one of the cells; the other point is drawn nearer until it is within."""
    near = Point(
        latitude=centre.latitude + (other.latitude - centre.latitude) * share,
        longitude=centre.longitude + (other.longitude - centre.longitude) * share,
    )
    cells = covering(centre, radius_m, at_most=at_most)
    assert len(cells) <= at_most
    if cells and distance_m(centre, near) <= radius_m:
        assert geohash(near, len(next(iter(cells)))) in cells


def test_a_walk_to_town_is_covered_by_cells_of_its_own_size() -> None:
    cells = covering(Point(latitude=48.1486, longitude=17.1077), 500)
    assert 1 <= len(cells) <= 16
    assert {len(cell) for cell in cells} == {6}


def test_the_whole_globe_needs_no_cells() -> None:
    assert covering(Point(latitude=0, longitude=0), 20_100_000) == frozenset()


@pytest.mark.parametrize(("latitude", "longitude"), [(90.1, 0), (0, 180.1), (float("nan"), 0)])
def test_a_place_off_the_globe_is_refused(latitude: float, longitude: float) -> None:
    with pytest.raises(ValueError, match="degrees"):
        Point(latitude=latitude, longitude=longitude)


@pytest.mark.parametrize("cell", ["", "a", "S", "0123456789bcd"])
def test_what_is_no_geohash_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="not a geohash"):
        box(cell)


@needs_vectors
def test_all_published_distances_come_out() -> None:
    vectors = json.loads((VECTORS / "distances.json").read_text())["vectors"]
    assert vectors
    for vector in vectors:
        found = distance_m(
            Point(latitude=vector["lat1"], longitude=vector["lon1"]),
            Point(latitude=vector["lat2"], longitude=vector["lon2"]),
        )
        expected = vector["expected"]["great_circle_m"] * EARTH_RADIUS_M / VECTORS_RADIUS_M
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-5), vector["id"]


@needs_vectors
def test_all_published_cells_come_out() -> None:
    vectors = json.loads((VECTORS / "geohash.json").read_text())["vectors"]
    assert vectors
    for vector in vectors:
        expected = vector["expected"]
        cell = geohash(Point(latitude=vector["lat"], longitude=vector["lon"]), vector["precision"])
        assert cell == expected["geohash"], vector["id"]
        found = box(cell)
        edges = (found.south, found.north, found.west, found.east)
        assert edges == pytest.approx([expected["bbox"][edge] for edge in "snwe"], abs=1e-9), vector["id"]
        if "neighbours_set" in expected:
            assert neighbours(cell) == set(expected["neighbours_set"]), vector["id"]
