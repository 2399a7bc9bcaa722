"""Lots for everyone: search near a point, one lot, its spots. Public, read-only, and careful with what it does not know."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from cloud.errors import NotFound
from cloud.parking_lots.schemas import (
    LotDetailView,
    LotsQuery,
    LotView,
    PageOf,
    SpotsNearQuery,
    SpotsQuery,
    SpotView,
    lot_detail,
    lot_view,
    spot_view,
)
from cloud.parking_lots.search import FoundLot, LotSearch

router = APIRouter(prefix="/api/v1", tags=["parking lots"])

# Every answer is asked for again, and costs nothing where nothing changed: counts are never served stale from a cache.
CACHE_CONTROL = "public, no-cache"


@router.get("/parking-lots", summary="Lots near a point", response_model=PageOf[LotView])
async def parking_lots(request: Request, query: Annotated[LotsQuery, Query()]) -> Response:
    """Nearest first on the sphere, or most places first; what may be sold now by type, and how fresh that is."""
    lots, total = await _search(request).near(query.around(), query.slice(), query.sort)
    return _answer(request, PageOf[LotView].of([lot_view(lot) for lot in lots], total, query.slice()))


@router.get("/parking-lots/{lot}", summary="One lot", response_model=LotDetailView)
async def parking_lot(request: Request, lot: UUID) -> Response:
    """A lot with its zones, lanes and what may be sold there now."""
    found = await _lot(request, lot)
    structure = await _search(request).structure(lot)
    return _answer(request, lot_detail(found, structure or {"zones": [], "lanes": []}))


@router.get("/parking-lots/{lot}/spots", summary="A lot's spots", response_model=PageOf[SpotView])
async def lot_spots(request: Request, lot: UUID, query: Annotated[SpotsQuery, Query()]) -> Response:
    """What the lot's sensors see, spot by spot; a lot without a gateway has none."""
    await _lot(request, lot)
    rows, total = await _search(request).spots_of(
        lot, query.slice(), level=query.level, type=query.type, state=query.state
    )
    return _answer(request, PageOf[SpotView].of([spot_view(row) for row in rows], total, query.slice()))


@router.get("/parking-spots", summary="Spots near a point", response_model=PageOf[SpotView])
async def parking_spots(request: Request, query: Annotated[SpotsNearQuery, Query()]) -> Response:
    """What sensors see around a point, nearest lot first."""
    rows, total = await _search(request).spots_near(query.around(), query.slice(), query.state)
    return _answer(request, PageOf[SpotView].of([spot_view(row) for row in rows], total, query.slice()))


def _search(request: Request) -> LotSearch:
    search: LotSearch = request.app.state.cloud.search
    return search


async def _lot(request: Request, lot: UUID) -> FoundLot:
    found = await _search(request).by_id([lot])
    if not found:
        raise NotFound(f"there is no lot {lot}", "lot", "take an id from GET /api/v1/parking-lots")
    return found[0]


def _answer(request: Request, view: BaseModel) -> Response:
    """`view` as JSON with its entity tag, or 304 where the asker has it."""
    plain = view.model_dump(mode="json")
    body = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    lasting = json.dumps(_without_ages(plain)).encode()
    headers = {"ETag": f'W/"{sha256(lasting).hexdigest()[:24]}"', "Cache-Control": CACHE_CONTROL}
    given = request.headers.get("if-none-match", "")
    if headers["ETag"] in {tag.strip() for tag in given.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _without_ages(view: dict[str, object]) -> dict[str, object]:
    """The age of a number grows while nothing changes; that is no reason to send it again."""
    for part in (view, *cast("list[dict[str, object]]", view.get("items", []))):
        freshness = cast("dict[str, object]", part.get("freshness", {}))
        for name in ("last_heard_at", "age_s"):
            freshness.pop(name, None)
    return view
