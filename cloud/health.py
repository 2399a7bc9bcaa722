"""/health says that the process lives, /ready that it can serve, /metrics what it measures."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from cloud.database import newest_revision, revision_of
from cloud.errors import NotReady
from cloud.gateways.hearing import Hearing
from cloud.gateways.reading import heard_how
from cloud.named_sql import named_sql
from cloud.reservations.reading import open_transactions

QUERIES = named_sql("cloud")
router = APIRouter(tags=["health"])


@router.get("/health", summary="The process lives")
async def health() -> dict[str, str]:
    """Always ok: whoever cannot answer this is dead."""
    return {"status": "ok"}


@router.get("/ready", summary="The process can serve")
async def ready(request: Request) -> dict[str, str]:
    """The database answers and has the schema that this program needs."""
    cloud = request.app.state.cloud
    async with cloud.database.connection(timeout=2) as connection:
        revision = await revision_of(connection)
    if revision != newest_revision():
        raise NotReady(
            f"the schema is at {revision or 'nothing'}, {newest_revision()} is needed: lotgate cloud migrate"
        )
    if not cloud.events.listening.is_set():
        raise NotReady("the event bus has no database yet")
    return {"status": "ready", "revision": revision}


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """What the centre measures of itself, in Prometheus' text format."""
    cloud = request.app.state.cloud
    pool = cloud.database.get_stats()
    cloud.metrics.pool_size.set(pool.get("pool_size", 0))
    cloud.metrics.pool_idle.set(pool.get("pool_available", 0))
    cloud.metrics.pool_waiting.set(pool.get("requests_waiting", 0))
    cloud.metrics.outbox_published.set(cloud.events.published_total)
    async with cloud.database.connection(timeout=2) as connection:
        row = await (await connection.execute(QUERIES["figures"])).fetchone()
        heard = await heard_how(connection)
        transactions = await open_transactions(connection)
    cloud.metrics.transactions_are({one.state: (one.count, one.age_s) for one in transactions})
    for hearing in Hearing:
        cloud.metrics.gateways.labels(str(hearing)).set(heard.get(hearing, 0))
    if row is not None:
        cloud.metrics.conflicts_open.set(row["conflicts_open"])
        cloud.metrics.unexplained.set(row["unexplained"])
        cloud.metrics.active_reservations.set(row["active_reservations"])
    return Response(cloud.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
