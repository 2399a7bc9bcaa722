"""What strangers ask of lots and what they are told: the wire's words, with bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from cloud.parking_lots.search import EVERY_RADIUS_M, Around, FoundLot, Link, Slice, Sort, Status
from parking.geo import Point
from parking.lot import SpotType

Item = TypeVar("Item")
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False, description="degrees, WGS 84")]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False, description="degrees, WGS 84")]
Radius = Annotated[float, Field(gt=0, le=EVERY_RADIUS_M, allow_inf_nan=False, description="metres")]
PageNumber = Annotated[int, Field(ge=1, le=10_000, description="pages count from 1")]
SensorState = Annotated[str, Field(pattern="^(occupied|free|unknown)$")]


class Paged(BaseModel):
    """Which page of a list. A parameter that is not known is refused, not overlooked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: PageNumber = 1
    per_page: Annotated[int, Field(ge=1, le=100)] = 20

    def slice(self) -> Slice:
        """The same for the search."""
        return Slice(page=self.page, per_page=self.per_page)


class NearQuery(Paged):
    """Around a point."""

    lat: Latitude
    lng: Longitude
    radius: Radius = 1_000.0
    type: SpotType | None = None

    def around(self) -> Around:
        """The same for the search."""
        point = Point(latitude=self.lat, longitude=self.lng)
        return Around(point=point, radius_m=self.radius, type=self.type)


class LotsQuery(NearQuery):
    """Lots around a point."""

    sort: Sort = Sort.DISTANCE


class SpotsNearQuery(NearQuery):
    """Spots around a point."""

    state: SensorState | None = None


class SpotsQuery(Paged):
    """Spots of a lot."""

    per_page: Annotated[int, Field(ge=1, le=1_000)] = 500
    level: Annotated[str, Field(max_length=64)] | None = None
    type: SpotType | None = None
    state: SensorState | None = None


class PageOf(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int
    page: int
    per_page: int
    has_next: bool
    has_prev: bool

    @classmethod
    def of(cls, items: Sequence[Item], total: int, which: Slice) -> PageOf[Item]:
        """The page `which` of `total` items."""
        return cls(
            items=list(items),
            total=total,
            page=which.page,
            per_page=which.per_page,
            has_next=which.page * which.per_page < total,
            has_prev=which.page > 1,
        )


class CountView(BaseModel):
    """Places of one type: `sellable` now of `total` (null: not known), until the civil instant `holds_until` at least."""

    type: SpotType
    total: int
    sellable: int | None
    holds_until: datetime | None


class FreshnessView(BaseModel):
    """How far the numbers can be trusted: the line to the lot, and when it was last heard (real time)."""

    link: Link
    last_heard_at: datetime | None
    age_s: float | None


class LotView(BaseModel):
    """A lot: what may be sold there now is what its ledger says; a place of a type is promised, not a number."""

    id: UUID
    name: str
    address: str
    latitude: float | None
    longitude: float | None
    timezone: str
    currency: str
    distance_m: float | None
    status: Status
    guarantee: str = "type"
    spots_total: int
    sellable_total: int | None
    counts: list[CountView]
    freshness: FreshnessView
    amenities: dict[str, object]


class ZoneView(BaseModel):
    """A part of one level."""

    id: str
    level: str
    kind: str
    enforced_by: str | None


class LaneView(BaseModel):
    """A lane."""

    id: str
    kind: str


class LotDetailView(LotView):
    """A lot with its zones and lanes."""

    zones: list[ZoneView]
    lanes: list[LaneView]


class SpotView(BaseModel):
    """What the sensors see at one spot; it says nothing of what may be sold."""

    id: UUID
    lot_id: UUID
    number: str
    level: str
    zone: str
    type: SpotType
    state: str
    confidence: float
    source: str | None
    last_updated: datetime | None
    distance_m: float | None


def lot_fields(lot: FoundLot) -> dict[str, object]:
    """The fields of `LotView`."""
    counts = [
        {
            "type": count.type,
            "total": count.total,
            "sellable": count.sellable,
            "holds_until": count.holds_until,
        }
        for count in lot.counts
    ]
    line = lot.line
    return {
        "id": lot.id,
        "name": lot.name,
        "address": lot.address,
        "latitude": None if lot.point is None else lot.point.latitude,
        "longitude": None if lot.point is None else lot.point.longitude,
        "timezone": lot.timezone,
        "currency": lot.currency,
        "distance_m": lot.distance_m,
        "status": lot.status,
        "spots_total": lot.total,
        "sellable_total": lot.sellable,
        "counts": counts,
        "freshness": {"link": line.link, "last_heard_at": line.last_heard_at, "age_s": line.age_s},
        "amenities": lot.facts,
    }


def lot_view(lot: FoundLot) -> LotView:
    """A lot in the wire's words."""
    return LotView.model_validate(lot_fields(lot))


def lot_detail(lot: FoundLot, structure: Mapping[str, object]) -> LotDetailView:
    """A lot with its zones and lanes in the wire's words."""
    return LotDetailView.model_validate({**lot_fields(lot), **structure})


def spot_view(row: DictRow) -> SpotView:
    """A spot in the wire's words."""
    return SpotView.model_validate({**row, "confidence": row["confidence_1e4"] / 10_000})
