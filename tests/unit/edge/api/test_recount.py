"""A count of the cars, typed in by staff."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from edge.recounts import NotStoring, Recounted
from parking.clock import CivilScale, ScaledClock
from parking.lot import SpotType
from parking.recount import Miscount, MiscountFound, Recount
from tests.unit.edge.api.scenes import DEVICES, NOW, SITE, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk

COUNT = {"counted": {"regular": 23, "ev": 2}, "by": "Anna", "reason": "night walk"}


class Desk:
    """Takes every count in, unless told what is wrong with it."""

    def __init__(self) -> None:
        self.taken: list[tuple[Mapping[SpotType, int], str, str]] = []
        self.wrong: MiscountFound | NotStoring | None = None

    async def recount(
        self, counted: Mapping[SpotType, int], *, by: str, reason: str
    ) -> Recounted | MiscountFound | NotStoring:
        if self.wrong is not None:
            return self.wrong
        self.taken.append((counted, by, reason))
        return Recounted(recount=Recount(before=dict.fromkeys(counted, 25), counted=counted), durable=True)


@pytest.fixture
def counts() -> Desk:
    return Desk()


@pytest.fixture
def app(desk: StagedDesk, counts: Desk) -> FastAPI:
    scale = CivilScale(anchor_at=NOW, anchor_monotonic=1000.0, speed=1)
    clock = ScaledClock(source=lambda: 1000.0, scale=scale)
    return make_app(desk, DEVICES, clock, SITE, CollectorRegistry(), recounts=counts)


async def told(app: FastAPI, device: str, body: Mapping[str, object]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKENS[device]}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://lot", headers=headers) as client:
        return await client.post("/api/v1/recount", json=body)


async def test_staff_tell_what_they_counted_and_hear_what_was_on_record(app: FastAPI, counts: Desk) -> None:
    answer = await told(app, "staff", COUNT)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "before": {"regular": 25, "ev": 25},
            "counted": {"regular": 23, "ev": 2},
            "closed": 0,
            "opened": 0,
            "over_count": 0,
            "durable": True,
        },
    )
    assert counts.taken == [({SpotType.REGULAR: 23, SpotType.EV: 2}, "Anna", "night walk")]


async def test_a_kiosk_counts_nothing(app: FastAPI, counts: Desk) -> None:
    assert (await told(app, "kiosk-1", COUNT)).status_code == 403
    assert counts.taken == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"counted": {"lorry": 1}},
        {"counted": {"regular": "23"}},
        {"counted": {"regular": 2.5}},
        {"counted": {"regular": True}},
        {"counted": {"regular": 10**9}},
        {"reason": ""},
        {"by": "x"},
        {"more": 1},
    ],
)
async def test_a_count_that_is_none_changes_nothing_and_the_field_is_named(
    app: FastAPI, counts: Desk, wrong: Mapping[str, object]
) -> None:
    answer = await told(app, "staff", {**COUNT, **wrong})
    assert answer.status_code == 422
    assert next(iter(wrong)) in answer.text
    assert counts.taken == []


@pytest.mark.parametrize("problem", list(Miscount))
async def test_what_the_lot_cannot_hold_is_refused_by_name_with_the_type_and_a_fix(
    app: FastAPI, counts: Desk, problem: Miscount
) -> None:
    counts.wrong = MiscountFound(problem=problem, type=SpotType.EV, most=4)
    answer = await told(app, "staff", COUNT)
    said = answer.json()
    assert (answer.status_code, said["field"]) == (422, "counted.ev")
    assert said["type"].endswith(problem)
    assert said["detail"].endswith(".")
    assert said["fix"].endswith(".")
    assert "{" not in said["detail"] + said["fix"]


async def test_a_disk_that_takes_nothing_takes_no_count(app: FastAPI, counts: Desk) -> None:
    counts.wrong = NotStoring.NOT_STORING
    answer = await told(app, "staff", COUNT)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("not_storing")
