"""Where things stand on the map and on a level's plan: plain geometry, in SVG units. Templates draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, radians

from psycopg.rows import DictRow

from parking.geo import Point

MAP_WIDTH, MAP_HEIGHT = 740.0, 470.0
MAP_EDGE = 70.0
LEAST_SPAN_M = 1_600.0
M_PER_DEGREE = 111_195.0
RULERS_M = (
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
)

PER_ROW = 22
PITCH, WIDTH, HEIGHT = 28, 26, 44
PAIR_PITCH = 146
DOUBTFUL_BELOW_1E4 = 5_000


@dataclass(frozen=True, slots=True)
class Projection:
    """Equirectangular around a middle: true enough over a town, honest about more by its ruler."""

    middle: Point
    m_per_unit: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> Projection:
        """A map that holds all of `points`."""
        south, north = min(p.latitude for p in points), max(p.latitude for p in points)
        west, east = min(p.longitude for p in points), max(p.longitude for p in points)
        middle = Point(latitude=(south + north) / 2, longitude=(west + east) / 2)
        wide_m = (east - west) * M_PER_DEGREE * cos(radians(middle.latitude))
        high_m = (north - south) * M_PER_DEGREE
        m_per_unit = max(
            wide_m / (MAP_WIDTH - 2 * MAP_EDGE),
            high_m / (MAP_HEIGHT - 2 * MAP_EDGE),
            LEAST_SPAN_M / MAP_WIDTH,
        )
        return cls(middle, m_per_unit)

    @property
    def radius_m(self) -> float:
        """How far the farthest corner is from the middle."""
        return hypot(MAP_WIDTH, MAP_HEIGHT) / 2 * self.m_per_unit

    @property
    def ruler_m(self) -> int:
        """A round length that takes about a fifth of the width."""
        fitting = [length for length in RULERS_M if length / self.m_per_unit <= MAP_WIDTH / 4]
        return fitting[-1] if fitting else RULERS_M[0]

    def place(self, point: Point) -> tuple[float, float]:
        """Where `point` is drawn, from the top left."""
        east_m = (point.longitude - self.middle.longitude) * M_PER_DEGREE * cos(radians(self.middle.latitude))
        north_m = (point.latitude - self.middle.latitude) * M_PER_DEGREE
        return (
            round(MAP_WIDTH / 2 + east_m / self.m_per_unit, 1),
            round(MAP_HEIGHT / 2 - north_m / self.m_per_unit, 1),
        )


def on_map(x: float, y: float) -> bool:
    """Whether a place is on the map at all."""
    return 0 <= x <= MAP_WIDTH and 0 <= y <= MAP_HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A spot on the plan: its corner, what its sensor says (taken, free, doubtful, silent), and its number where it is written."""

    x: int
    y: int
    state: str
    type: str
    number: str
    label_y: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A level drawn: its size, its cells and the heights of its aisles."""

    width: int
    height: int
    cells: tuple[Cell, ...]
    aisles: tuple[int, ...]


def spot_state(row: DictRow) -> str:
    """A spot in one word: what its sensor says, and whether that is believed."""
    if row["state"] == "unknown":
        return "silent"
    if row["confidence_1e4"] < DOUBTFUL_BELOW_1E4:
        return "doubtful"
    return "taken" if row["state"] == "occupied" else "free"


def plan_of(spots: Sequence[DictRow]) -> Plan:
    """Rows of spots, two on each aisle, in the order in which they are painted."""
    rows = max(1, -(-len(spots) // PER_ROW))
    cells = tuple(_cell(index, row) for index, row in enumerate(spots))
    last_y = _row_y(rows - 1)
    aisles = tuple(_row_y(row) + HEIGHT + 12 for row in range(0, rows, 2))
    return Plan(width=PER_ROW * PITCH + 26, height=last_y + HEIGHT + 24, cells=cells, aisles=aisles)


def _row_y(row: int) -> int:
    return 20 + row // 2 * PAIR_PITCH + row % 2 * 68


def _cell(index: int, spot: DictRow) -> Cell:
    row, column = divmod(index, PER_ROW)
    y = _row_y(row)
    written = column % 5 == 0
    below = row % 2 == 1
    return Cell(
        x=14 + column * PITCH,
        y=y,
        state=spot_state(spot),
        type=spot["type"],
        number=spot["number"],
        label_y=(y + HEIGHT + 11 if below else y - 5) if written else None,
    )
