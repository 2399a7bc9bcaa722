"""Bookings in doubt, for the people on site."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from parking.clock import CivilScale, ScaledClock
from sync.part import Part, ParticipantState
from sync.participants import Doubt
from sync.transaction import Outcome, TransactionId
from tests.unit.edge.api.scenes import DEVICES, NOW, SITE, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk

ID = TransactionId(reservation="r-1", revision=2)
WORD = {"outcome": "aborted", "by": "Anna", "reason": "the centre burnt down"}


class OneDoubt:
    """Somebody who is in doubt about one booking."""

    def __init__(self) -> None:
        self.decided: list[tuple[TransactionId, Outcome, str, str]] = []

    def doubts(self) -> Sequence[Doubt]:
        part = Part(id=ID, state=ParticipantState.PREP, prepared_at=NOW)
        return [] if self.decided else [Doubt(part=part, overdue=True)]

    def decided_by_hand(self, transaction: TransactionId, outcome: Outcome, *, by: str, reason: str) -> bool:
        if transaction != ID or self.decided:
            return False
        self.decided.append((transaction, outcome, by, reason))
        return True


@pytest.fixture
def doubts() -> OneDoubt:
    return OneDoubt()


@pytest.fixture
def app(desk: StagedDesk, doubts: OneDoubt) -> FastAPI:
    scale = CivilScale(anchor_at=NOW, anchor_monotonic=1000.0, speed=1)
    clock = ScaledClock(source=lambda: 1000.0, scale=scale)
    return make_app(desk, DEVICES, clock, SITE, CollectorRegistry(), doubts=doubts)


def calling(app: FastAPI, device: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {TOKENS[device]}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://lot", headers=headers)


async def test_staff_see_what_waits_and_end_it_once_with_name_and_reason(
    app: FastAPI, doubts: OneDoubt
) -> None:
    async with calling(app, "staff") as client:
        (waiting,) = (await client.get("/api/v1/doubts")).json()
        assert (waiting["reservation"], waiting["revision"], waiting["state"]) == ("r-1", 2, "prep")
        assert (await client.post("/api/v1/doubts/r-1/2", json=WORD)).status_code == 202
        assert doubts.decided == [(ID, Outcome.ABORTED, "Anna", "the centre burnt down")]
        again = await client.post("/api/v1/doubts/r-1/2", json=WORD)
        assert again.status_code == 404
        assert again.json()["type"].endswith("no_such_doubt")


@pytest.mark.parametrize("wrong", [{"outcome": "perhaps"}, {"reason": ""}, {"by": "x"}, {"more": 1}])
async def test_a_word_that_is_none_changes_nothing(
    app: FastAPI, doubts: OneDoubt, wrong: dict[str, object]
) -> None:
    async with calling(app, "staff") as client:
        assert (await client.post("/api/v1/doubts/r-1/2", json=WORD | wrong)).status_code == 422
        assert doubts.decided == []


async def test_a_kiosk_ends_no_doubt(app: FastAPI, doubts: OneDoubt) -> None:
    async with calling(app, "kiosk-1") as client:
        assert (await client.get("/api/v1/doubts")).status_code == 403
        assert (await client.post("/api/v1/doubts/r-1/2", json=WORD)).status_code == 403
        assert doubts.decided == []
