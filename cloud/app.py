"""The HTTP application: the routers of the services, one list, under one guard."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, FastAPI

from cloud import health
from cloud.bootstrap import Cloud
from cloud.console import endpoints as console
from cloud.gateways import endpoints as gateways
from cloud.middleware import RequestGuard
from cloud.notifications import endpoints as notifications
from cloud.parking_lots import endpoints as parking_lots
from cloud.payments import endpoints as payments
from cloud.problems import install_problems
from cloud.reservations import endpoints as reservations

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    gateways.router,
    parking_lots.router,
    reservations.router,
    payments.router,
    notifications.router,
    console.router,
)


def build_app(cloud: Cloud, *, version: str = "0.1.0") -> FastAPI:
    """The application over `cloud`, which must be `running` while it serves."""
    app = FastAPI(
        title="lotgate", version=version, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    app.state.cloud = cloud
    install_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(
        RequestGuard,
        metrics=cloud.metrics,
        body_max_bytes=cloud.settings.body_max_bytes,
        new_id=lambda: secrets.token_hex(8),
    )
    return app
