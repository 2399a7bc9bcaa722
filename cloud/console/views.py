"""What the console's pages show, gathered and ready: templates only write it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cloud.console.drawing import Plan
from cloud.console.tasks import Task
from cloud.console.words import Sentence, Tag, duration
from cloud.gateways.reading import GatewayState
from cloud.parking_lots.search import FoundLot
from cloud.payments.reading import Taking
from cloud.reservations.reading import Owned, StayFigures

FRESH_S, LATE_S, STALE_S = 15.0, 120.0, 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old a number is, and how that is said: fresh, late, stale, gone or never."""

    kind: str
    text: str

    @classmethod
    def of(cls, age_s: float | None, as_of: datetime | None) -> Age:
        """`as_of`: the lot's civil time at which the number was true."""
        if age_s is None or as_of is None:
            return cls(kind="never", text="never heard")
        if age_s <= FRESH_S:
            return cls(kind="fresh", text=f"{duration(age_s)} ago")
        if age_s <= LATE_S:
            return cls(kind="late", text=f"{duration(age_s)} ago")
        if age_s <= STALE_S:
            return cls(kind="stale", text=f"as of {as_of:%H:%M}")
        day = "" if age_s < timedelta(hours=20).total_seconds() else f"{as_of:%a} {as_of.day} {as_of:%b} "
        return cls(kind="gone", text=f"last heard {day}{as_of:%H:%M}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Shares of a lot's places in percent, in the order in which they are drawn; the rest is free."""

    taken: float
    kept: float
    blocked: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LotLineView:
    """A lot in a list or on the map."""

    lot: FoundLot
    tag: Tag
    age: Age
    bar: Bar | None
    inside: int
    kept: int
    blocked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A lot's sign on the map."""

    x: float
    y: float
    line: LotLineView
    taken_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A car park on the map that we know of and do not run."""

    x: float
    y: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """The map: signs, dots and a ruler."""

    pins: tuple[Pin, ...]
    dots: tuple[Dot, ...]
    ruler_text: str
    ruler_width: float
    grid_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every page has around it."""

    tasks: tuple[Task, ...]
    now: datetime
    staff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewView:
    """The first page."""

    frame: Frame
    lots: tuple[LotLineView, ...]
    spots_ours: int
    known_lots: int
    known_spots: int
    map: MapView | None
    figures: StayFigures
    takings: tuple[Taking, ...]
    refused: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLine:
    """A lane as it is now. `arm`: down, half up, up or unknown."""

    id: str
    name: str
    kind: str
    tag: Tag
    arm: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A row of the log; `at` in the lot's civil time."""

    at: datetime | None
    said: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class StayLine:
    """A car inside; `came_at` in the lot's civil time."""

    short: str
    type: str
    by: str
    came_at: datetime
    so_far: str
    over_count: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotLine:
    """A spot in the table: what its sensor says and how sure that is (1 … 4 bars and a word)."""

    number: str
    type: str
    says: str
    state: str
    bars: int
    sure: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtLine:
    """A booking on its way between centre and lot; `starts_at` and `ends_at` in the lot's civil time, `since` as people say it."""

    short: str
    revision: int
    type: str
    starts_at: datetime | None
    ends_at: datetime | None
    tag: Tag
    text: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A lane that somebody opened from here, or tried to: what became of it, how long ago it was sent."""

    lane: str
    by: str
    reason: str
    tag: Tag
    text: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPageView:
    """A lot's page."""

    frame: Frame
    line: LotLineView
    gateway: GatewayState | None
    levels: tuple[str, ...]
    level: str
    plan: Plan
    spots: tuple[SpotLine, ...]
    as_table: bool
    sensed: Mapping[str, int]
    lanes: tuple[LaneLine, ...]
    log: tuple[LogLine, ...]
    stays: tuple[StayLine, ...]
    doubts: tuple[DoubtLine, ...] = ()
    commands: tuple[CommandLine, ...] = ()
    command_key: str = ""
    problem: str = ""
    owned: Mapping[str, Owned] = field(default_factory=dict)

    @property
    def gateway_id(self) -> str:
        """The lot's gateway, "" where it has none."""
        return "" if self.gateway is None else self.gateway.id

    def local(self, at: datetime) -> datetime:
        """An instant in the lot's civil time."""
        return at.astimezone(ZoneInfo(self.line.lot.timezone))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLine:
    """A gateway in the fleet's table."""

    gateway: GatewayState
    tag: Tag
    age: Age


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaysView:
    """The fleet."""

    frame: Frame
    lines: tuple[GatewayLine, ...]
    on_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LotsView:
    """A page of all lots."""

    frame: Frame
    lines: tuple[LotLineView, ...]
    text: str
    page: int
    total: int
    has_next: bool
