from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from uuid import UUID, uuid4

import httpx
import pytest

from cloud.app import build_app
from cloud.bootstrap import Cloud
from cloud.named_sql import named_sql
from cloud.parking_lots.search import Around, Slice, Sort
from parking.geo import Point, distance_m
from parking.lot import SpotType
from tests.integration.cloud.conftest import LOT, Lane1, claim, stay

QUERIES = named_sql("cloud.parking_lots")
BERLIN = {"lat": 52.52, "lng": 13.405}


@pytest.fixture
async def client(cloud: Cloud) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=build_app(cloud))
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud/api/v1") as client:
        yield client


async def place_lots(cloud: Cloud, points: list[Point]) -> dict[UUID, Point]:
    """Lots at these points, as if imported."""
    lots = {uuid4(): point for point in points}
    async with cloud.database.connection() as connection:
        await connection.execute(
            QUERIES["lots_import"],
            {
                "id": list(lots),
                "operator_id": [None] * len(lots),
                "name": [f"Lot {n}" for n in range(len(lots))],
                "address": [""] * len(lots),
                "latitude": [point.latitude for point in lots.values()],
                "longitude": [point.longitude for point in lots.values()],
                "timezone": ["UTC"] * len(lots),
                "currency": ["EUR"] * len(lots),
                "total_spots": [10] * len(lots),
                "amenities": ["{}"] * len(lots),
                "reference": [str(lot) for lot in lots],
            },
        )
        await connection.execute(
            QUERIES["counts_import"],
            {
                "lots": list(lots),
                "lot": list(lots),
                "type": ["regular"] * len(lots),
                "total": [10] * len(lots),
            },
        )
        await connection.execute(b"ANALYZE parking_lots, lot_counts")
    return lots


CENTRES = {
    "Berlin": Point(latitude=52.52, longitude=13.405),
    "on the antimeridian": Point(latitude=-17.0, longitude=179.9995),
    "at the north pole": Point(latitude=89.999, longitude=25.0),
    "at the very south pole": Point(latitude=-90.0, longitude=0.0),
    "on the equator": Point(latitude=0.0, longitude=-180.0),
}


@pytest.mark.parametrize("where", CENTRES)
async def test_the_database_finds_and_ranks_what_memory_measures(cloud: Cloud, where: str) -> None:
    centre, random = CENTRES[where], Random(where)
    points = [
        Point(
            latitude=max(-90.0, min(90.0, centre.latitude + random.gauss(0, 0.03))),
            longitude=(centre.longitude + random.gauss(0, 0.05) + 540) % 360 - 180
            if abs(centre.latitude) < 80
            else random.uniform(-180, 180),
        )
        for _ in range(400)
    ]
    lots = await place_lots(cloud, points)
    for radius_m in (100.0, 1_000.0, 5_000.0):
        around = Around(point=centre, radius_m=radius_m)
        expected = sorted(
            ((distance_m(centre, point), lot) for lot, point in lots.items()), key=lambda found: found
        )
        inside = [(far_m, lot) for far_m, lot in expected if far_m <= radius_m]
        found, total = await cloud.search.near(around, Slice(per_page=100), Sort.DISTANCE)
        assert total == len(inside)
        assert {lot.id for lot in found} == {lot for _, lot in inside[:100]}
        for lot, (far_m, _) in zip(found, inside, strict=False):
            assert lot.distance_m == pytest.approx(far_m, abs=1e-5)


async def test_pages_of_a_search_are_whole_and_hold_each_lot_once(cloud: Cloud) -> None:
    same_place = [Point(latitude=10.0, longitude=10.0)] * 30
    near_by = [Point(latitude=10.0 + n / 100_000, longitude=10.0) for n in range(31)]
    lots = await place_lots(cloud, same_place + near_by)
    around = Around(point=Point(latitude=10.0, longitude=10.0))
    pages = [
        await cloud.search.near(around, Slice(page=n, per_page=20), Sort.DISTANCE) for n in (1, 2, 3, 4, 5)
    ]
    assert [len(found) for found, _ in pages] == [20, 20, 20, 1, 0]
    assert {total for _, total in pages} == {61}
    assert {lot.id for found, _ in pages for lot in found} == set(lots)


async def test_a_lot_says_what_may_be_sold_by_type_and_until_when(
    gateway: Lane1, client: httpx.AsyncClient
) -> None:
    taken = claim("R-001")
    gateway.log.claim(taken)
    gateway.log.stay("stay_admitted", stay(of=taken))
    await gateway.send()
    answer = (await client.get("/parking-lots", params=BERLIN)).json()
    assert {name: answer[name] for name in ("total", "page", "per_page", "has_next", "has_prev")} == {
        "total": 1,
        "page": 1,
        "per_page": 20,
        "has_next": False,
        "has_prev": False,
    }
    (lot,) = answer["items"]
    assert (lot["id"], lot["status"], lot["guarantee"]) == (LOT, "free", "type")
    assert (lot["sellable_total"], lot["spots_total"]) == (5, 6)
    assert [(count["type"], count["sellable"], count["total"]) for count in lot["counts"]] == [
        ("ev", 2, 2),
        ("regular", 3, 4),
    ]
    assert lot["counts"][1]["holds_until"].startswith("2026-11-24T16:00")
    assert lot["freshness"]["link"] == "up"
    assert lot["freshness"]["age_s"] < 60
    assert lot["distance_m"] == pytest.approx(0, abs=0.001)


async def test_full_is_only_what_has_no_place_left_and_stays_within_its_bounds(
    gateway: Lane1, client: httpx.AsyncClient
) -> None:
    for number in ("R-001", "R-002", "R-003", "R-004", "E-001", "E-002"):
        gateway.log.claim(claim(number, type_=SpotType.EV if number[0] == "E" else SpotType.REGULAR))
    for _ in range(3):  # let in over the count
        gateway.log.stay("stay_admitted", stay())
    await gateway.send()
    (lot,) = (await client.get("/parking-lots", params=BERLIN)).json()["items"]
    assert (lot["status"], lot["sellable_total"]) == ("full", 0)
    assert all(0 <= count["sellable"] <= count["total"] for count in lot["counts"])


async def test_closed_is_not_full_and_not_known_is_neither(gateway: Lane1, client: httpx.AsyncClient) -> None:
    """Complaints row 13: an always-full lot was in fact closed."""
    await gateway.rows_do('UPDATE parking_lots SET operating_hours = \'{"1": ["20:00", "22:00"]}\'')
    (lot,) = (await client.get("/parking-lots", params=BERLIN)).json()["items"]
    assert lot["status"] == "closed"
    await gateway.rows_do("UPDATE parking_lots SET operating_hours = NULL")
    await gateway.rows_do("UPDATE gateways SET state = 'quarantined'")
    (lot,) = (await client.get("/parking-lots", params=BERLIN)).json()["items"]
    assert (lot["status"], lot["sellable_total"]) == ("unknown", None)


async def test_a_lot_without_a_gateway_has_places_but_nobody_knows_how_many_are_free(
    cloud: Cloud, client: httpx.AsyncClient
) -> None:
    await place_lots(cloud, [Point(latitude=52.52, longitude=13.405)])
    (lot,) = (await client.get("/parking-lots", params=BERLIN)).json()["items"]
    assert (lot["status"], lot["spots_total"], lot["sellable_total"]) == ("unknown", 10, None)
    assert lot["counts"] == [{"type": "regular", "total": 10, "sellable": None, "holds_until": None}]
    assert lot["freshness"] == {"link": "none", "last_heard_at": None, "age_s": None}
    spots = (await client.get(f"/parking-lots/{lot['id']}/spots")).json()
    assert (spots["items"], spots["total"]) == ([], 0)


async def test_only_lots_with_places_of_the_type_are_found_and_most_room_comes_first_where_asked(
    gateway: Lane1, client: httpx.AsyncClient
) -> None:
    await place_lots(gateway.cloud, [Point(latitude=52.52, longitude=13.405)])
    assert (await client.get("/parking-lots", params=BERLIN)).json()["total"] == 2
    electric = (await client.get("/parking-lots", params={**BERLIN, "type": "ev"})).json()
    assert [lot["id"] for lot in electric["items"]] == [LOT]
    freest = (await client.get("/parking-lots", params={**BERLIN, "sort": "free"})).json()
    assert next(lot["id"] for lot in freest["items"]) == LOT


async def test_spots_show_the_sensors_and_lie_where_their_lot_lies(
    gateway: Lane1, client: httpx.AsyncClient
) -> None:
    spots = (await client.get(f"/parking-lots/{LOT}/spots", params={"per_page": 4})).json()
    assert [spot["number"] for spot in spots["items"]] == ["R-001", "R-002", "R-003", "R-004"]
    assert (spots["total"], spots["has_next"]) == (6, True)
    assert {(spot["state"], spot["confidence"]) for spot in spots["items"]} == {("unknown", 0.0)}
    assert (await client.get(f"/parking-lots/{LOT}/spots", params={"type": "ev"})).json()["total"] == 2
    near = (await client.get("/parking-spots", params=BERLIN)).json()
    assert (near["total"], near["items"][0]["number"]) == (6, "R-001")
    assert (await client.get("/parking-spots", params={"lat": 53, "lng": 13})).json()["total"] == 0


async def test_one_lot_tells_its_zones_and_lanes(gateway: Lane1, client: httpx.AsyncClient) -> None:
    lot = (await client.get(f"/parking-lots/{LOT}")).json()
    assert lot["name"] == "Market Square"
    assert [lane["id"] for lane in lot["lanes"]] == ["entry-1", "exit-1"]
    assert lot["zones"] == [{"id": "ground", "level": "0", "kind": "free_choice", "enforced_by": None}]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/parking-lots", "query.lat"),
        ("/parking-lots?lat=1", "query.lng"),
        ("/parking-lots?lat=91&lng=0", "query.lat"),
        ("/parking-lots?lat=nan&lng=0", "query.lat"),
        ("/parking-lots?lat=0&lng=181", "query.lng"),
        ("/parking-lots?lat=0&lng=0&radius=0", "query.radius"),
        ("/parking-lots?lat=0&lng=0&radius=50001", "query.radius"),
        ("/parking-lots?lat=0&lng=0&type=lorry", "query.type"),
        ("/parking-lots?lat=0&lng=0&sort=price", "query.sort"),
        ("/parking-lots?lat=0&lng=0&page=0", "query.page"),
        ("/parking-lots?lat=0&lng=0&per_page=101", "query.per_page"),
        ("/parking-lots?lat=0&lng=0&raduis=5", "query.raduis"),
        ("/parking-spots?lat=0&lng=0&state=blue", "query.state"),
        ("/parking-lots/17", "path.lot"),
    ],
)
async def test_a_wrong_question_is_told_which_field_and_what_to_do(
    client: httpx.AsyncClient, path: str, field: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    found = {error["field"]: error for error in answer.json()["errors"]}
    assert field in found
    assert found[field]["problem"]
    assert found[field]["fix"]


async def test_a_lot_that_is_not_there_is_a_problem_too(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/parking-lots/{uuid4()}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_who_has_the_answer_already_is_not_sent_it_again(
    gateway: Lane1, client: httpx.AsyncClient
) -> None:
    first = await client.get("/parking-lots", params=BERLIN)
    again = await client.get("/parking-lots", params=BERLIN, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    gateway.log.claim(claim("R-001"))
    await gateway.send()
    changed = await client.get(
        "/parking-lots", params=BERLIN, headers={"If-None-Match": first.headers["etag"]}
    )
    assert changed.status_code == 200


async def test_requests_are_counted_by_the_template_of_their_route(
    gateway: Lane1, client: httpx.AsyncClient
) -> None:
    await client.get(f"/parking-lots/{LOT}")
    text = gateway.cloud.metrics.text().decode()
    assert (
        'parking_api_requests_total{endpoint="/api/v1/parking-lots/{lot}",method="GET",status="200"} 1.0'
        in text
    )
    assert (
        'parking_api_request_duration_seconds_count{endpoint="/api/v1/parking-lots/{lot}",method="GET"}'
        in text
    )
