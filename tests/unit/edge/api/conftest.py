"""A staged lot with its app, and a caller for each of its devices."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from parking.clock import CivilScale, ScaledClock
from tests.unit.edge.api.scenes import DEVICES, ENTRY, EXIT, NOW, SITE, STATUS, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk

Caller = Callable[[str | None], httpx.AsyncClient]


@pytest.fixture
def desk() -> StagedDesk:
    return StagedDesk({"lane-1": ENTRY, "lane-3": EXIT}, STATUS)


@pytest.fixture
def app(desk: StagedDesk) -> FastAPI:
    scale = CivilScale(anchor_at=NOW, anchor_monotonic=1000.0, speed=1)
    return make_app(desk, DEVICES, ScaledClock(source=lambda: 1000.0, scale=scale), SITE, CollectorRegistry())


@pytest.fixture
def caller(app: FastAPI) -> Caller:
    """A client that shows the token of the named device, or none."""

    def called(device: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {TOKENS[device]}"} if device else {}
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://lot", headers=headers)

    return called
