"""The local API of one lot, put together: constructor calls only, no state outside of what is handed in."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry

from edge.api.body_limit import BodyLimit
from edge.api.booking_desk import BookingDesk
from edge.api.booking_endpoints import booking_endpoints
from edge.api.booking_pages import booking_pages
from edge.api.camera_endpoints import LARGER, Cameras, camera_endpoints
from edge.api.desk import Desk
from edge.api.devices import Device, Devices
from edge.api.doubt_endpoints import DoubtDesk, doubt_endpoints
from edge.api.kiosk_pages import kiosk_pages
from edge.api.lane_endpoints import lane_endpoints
from edge.api.metrics import ApiCounts, StatusCollector
from edge.api.page_headers import PageHeaders
from edge.api.pages.booking_renderer import BookingRenderer
from edge.api.pages.renderer import STATIC, Renderer, Site
from edge.api.pages.wording import load_languages
from edge.api.problems import answer_with_problems
from edge.api.recount_endpoints import RecountDesk, recount_endpoints
from edge.api.sensor_endpoints import Sensors, sensor_endpoints
from edge.api.status_pages import status_pages, watch_points
from edge.api.streams import BEAT_S, Streams
from parking.clock import Clock


def make_app(
    desk: Desk,
    devices: Iterable[Device],
    clock: Clock,
    site: Site,
    registry: CollectorRegistry,
    *,
    doubts: DoubtDesk | None = None,
    recounts: RecountDesk | None = None,
    bookings: BookingDesk | None = None,
    cameras: Cameras | None = None,
    sensors: Sensors | None = None,
    beat_s: float = BEAT_S,
) -> FastAPI:
    """The app that uvicorn serves. `registry` is what /metrics tells; the app adds its own figures to it.

    Open streams end only when their pages go: serve with a short `timeout_graceful_shutdown`.
    """
    known, streams = Devices(devices), Streams()
    renderer = Renderer(load_languages(), site)
    counts = ApiCounts(registry)
    registry.register(StatusCollector(desk.status, lambda: streams.open))

    app = FastAPI(
        title="lotgate, the lot's own API", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    answer_with_problems(app, counts.problem)
    app.include_router(watch_points(desk, registry))
    app.include_router(lane_endpoints(desk, known, renderer, streams, beat_s=beat_s))
    if doubts is not None:
        app.include_router(doubt_endpoints(doubts, known))
    if recounts is not None:
        app.include_router(recount_endpoints(recounts, known))
    if bookings is not None:
        app.include_router(booking_endpoints(bookings, known))
        app.include_router(booking_pages(desk, bookings, known, BookingRenderer(renderer)))
    if cameras is not None:
        app.include_router(camera_endpoints(cameras, known))
    if sensors is not None:
        app.include_router(sensor_endpoints(sensors, known))
    app.include_router(kiosk_pages(desk, known, renderer))
    app.include_router(status_pages(desk, known, renderer, streams, clock=clock, beat_s=beat_s))
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(BodyLimit, larger=LARGER)
    app.add_middleware(PageHeaders, counts=counts)
    return app
