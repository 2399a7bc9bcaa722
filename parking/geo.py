"""Where things are: distances on the sphere and cells of the globe (geohash).

Distances are great circles on a sphere of the Earth's mean radius, R1 = (2a + b) / 3 of WGS 84 (Moritz, Geodetic Reference System 1980);
they differ from the ellipsoid's by at most 0.6 %. A geohash cell of precision p is one of 2^⌊5p/2⌋ rows from pole to pole and one of
2^⌈5p/2⌉ columns around, written in base 32, column and row bits by turns (Niemeyer 2008). The columns go around: the last touches the
first. The rows end at the poles: no cell lies beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, atan2, cos, degrees, hypot, radians, sin

EARTH_RADIUS_M = 6_371_008.7714
MOST_PRECISE = 12
ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place by latitude and longitude in degrees.

    Raises:
        ValueError: latitude beyond ±90, longitude beyond ±180, or not a number.
    """

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90:
            raise ValueError(f"latitude {self.latitude} is not within -90 … 90 degrees")
        if not -180 <= self.longitude <= 180:
            raise ValueError(f"longitude {self.longitude} is not within -180 … 180 degrees")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The edges of a cell in degrees."""

    south: float
    north: float
    west: float
    east: float


@dataclass(frozen=True, slots=True)
class _Cell:
    row: int
    column: int
    precision: int


@dataclass(frozen=True, slots=True)
class _Band:
    """South and north, and how far `reach` goes east and west of `longitude`, in degrees; 180 where a pole is inside."""

    south: float
    north: float
    longitude: float
    reach: float


def distance_m(one: Point, other: Point) -> float:
    """The great-circle distance in metres, exact near zero and near the antipodes (the spherical case of Vincenty's formula)."""
    lat1, lat2 = radians(one.latitude), radians(other.latitude)
    turn = radians(other.longitude - one.longitude)
    across = cos(lat2) * sin(turn)
    along = cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(turn)
    inward = sin(lat1) * sin(lat2) + cos(lat1) * cos(lat2) * cos(turn)
    return EARTH_RADIUS_M * atan2(hypot(across, along), inward)


def geohash(point: Point, precision: int) -> str:
    """The cell of `precision` letters (1 … 12) that holds `point`. The north pole is in the last row, longitude 180 in the first column.

    Raises:
        ValueError: another precision.
    """
    if not 1 <= precision <= MOST_PRECISE:
        raise ValueError(f"precision {precision} is not within 1 … {MOST_PRECISE}")
    return _written(_cell(point.latitude, point.longitude, precision))


def box(cell: str) -> Box:
    """The edges of a geohash cell.

    Raises:
        ValueError: not a geohash of 1 … 12 letters.
    """
    read = _read(cell)
    rows, columns = _grid(read.precision)
    return Box(
        south=read.row * 180 / rows - 90,
        north=(read.row + 1) * 180 / rows - 90,
        west=read.column * 360 / columns - 180,
        east=(read.column + 1) * 360 / columns - 180,
    )


def neighbours(cell: str) -> frozenset[str]:
    """The cells around `cell`: 8, across the antimeridian too; 5 in the rows at the poles.

    Raises:
        ValueError: not a geohash of 1 … 12 letters.
    """
    read = _read(cell)
    rows, columns = _grid(read.precision)
    around = {
        _Cell(row, (read.column + step) % columns, read.precision)
        for row in range(max(0, read.row - 1), min(rows, read.row + 2))
        for step in (-1, 0, 1)
    }
    return frozenset(_written(other) for other in around - {read})


def covering(centre: Point, radius_m: float, *, at_most: int = 16) -> frozenset[str]:
    """Cells of one precision that together hold every point within `radius_m`: the smallest that need no more than `at_most`.

    They hold more than that: look up by cells, then filter by `distance_m`. An empty set means the whole globe: no precision will do.

    Raises:
        ValueError: a negative radius.
    """
    if radius_m < 0:
        raise ValueError(f"radius_m {radius_m} is negative")
    band = _band(centre, radius_m)
    for precision in range(MOST_PRECISE, 0, -1):
        cells = _across(band, precision, at_most)
        if cells is not None:
            return frozenset(_written(cell) for cell in cells)
    return frozenset()


def _band(centre: Point, radius_m: float) -> _Band:
    """What holds a circle. A hair is added for the rounding of degrees: 1e-9 of them are a tenth of a millimetre."""
    angle = radius_m / EARTH_RADIUS_M
    south = centre.latitude - degrees(angle) - 1e-9
    north = centre.latitude + degrees(angle) + 1e-9
    if south <= -90 or north >= 90:
        reach = 180.0
    else:
        reach = degrees(asin(min(1, sin(angle) / cos(radians(centre.latitude))))) + 1e-9
    return _Band(max(south, -90), min(north, 90), centre.longitude, reach)


def _across(band: _Band, precision: int, at_most: int) -> Sequence[_Cell] | None:
    """The cells of a band; None where they are too many."""
    _, columns = _grid(precision)
    first_row = _cell(band.south, 0, precision).row
    last_row = _cell(band.north, 0, precision).row
    # 540 is 180 to count columns from the antimeridian, and a whole turn to stay positive.
    west = int((band.longitude - band.reach + 540) / 360 * columns)
    east = int((band.longitude + band.reach + 540) / 360 * columns)
    width = min(columns, east - west + 1)
    if width * (last_row - first_row + 1) > at_most:
        return None
    return [
        _Cell(row, (west + step) % columns, precision)
        for row in range(first_row, last_row + 1)
        for step in range(width)
    ]


def _grid(precision: int) -> tuple[int, int]:
    """Rows and columns of the globe."""
    bits = 5 * precision
    return 1 << (bits // 2), 1 << ((bits + 1) // 2)


def _cell(latitude: float, longitude: float, precision: int) -> _Cell:
    rows, columns = _grid(precision)
    row = min(rows - 1, int((latitude + 90) / 180 * rows))
    # A hair west of the antimeridian the sum rounds up to 360: still the last column, not the first.
    column = 0 if longitude >= 180 else min(columns - 1, int((longitude + 180) / 360 * columns))
    return _Cell(row, column, precision)


def _written(cell: _Cell) -> str:
    """Column and row bits by turns, five to a letter, the column's first."""
    bits = 5 * cell.precision
    number, row, column = 0, cell.row, cell.column
    for at in range(bits):
        # The last bit is the column's where the number of bits is odd.
        if (bits - 1 - at) % 2 == 0:
            number |= (column & 1) << at
            column >>= 1
        else:
            number |= (row & 1) << at
            row >>= 1
    return "".join(ALPHABET[number >> shift & 31] for shift in range(bits - 5, -1, -5))


def _read(cell: str) -> _Cell:
    if not 1 <= len(cell) <= MOST_PRECISE or any(letter not in _VALUES for letter in cell):
        raise ValueError(f"{cell!r} is not a geohash of 1 … {MOST_PRECISE} letters of {ALPHABET}")
    row = column = 0
    for at in range(5 * len(cell)):
        bit = _VALUES[cell[at // 5]] >> (4 - at % 5) & 1
        if at % 2 == 0:
            column = column << 1 | bit
        else:
            row = row << 1 | bit
    return _Cell(row, column, len(cell))
