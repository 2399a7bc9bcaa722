"""What every HTTP answer of the centre keeps to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from cloud.app import build_app
from cloud.bootstrap import Cloud, build_cloud
from cloud.settings import CloudSettings
from tests.integration.cloud.conftest import STAFF


@pytest.fixture
async def client(cloud: Cloud) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=build_app(cloud), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as made:
        yield made


async def test_a_wrong_field_is_named_with_its_fix(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/gateways/enrol", json={"code": "short", "public_key": "k" * 44})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    document = answer.json()
    assert document["status"] == 422
    assert document["errors"][0]["field"] == "body.code"
    assert document["errors"][0]["fix"]


async def test_a_key_that_is_none_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/gateways/enrol", json={"code": "ABCD-EFGH-JKLM", "public_key": "?" * 44}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "public_key"


async def test_an_unknown_code_is_refused_and_says_what_to_do(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/gateways/enrol", json={"code": "ABCD-EFGH-JKLM", "public_key": "11" * 32}
    )
    assert answer.status_code == 422
    assert "gateways invite" in answer.json()["errors"][0]["fix"]


async def test_a_body_beyond_its_bound_is_refused_announced_or_not(
    client: httpx.AsyncClient, cloud: Cloud
) -> None:
    too_long = b"x" * (cloud.settings.body_max_bytes + 1)
    announced = await client.post("/api/v1/gateways/enrol", content=too_long)
    assert (announced.status_code, announced.json()["title"]) == (413, "Too large")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * (cloud.settings.body_max_bytes // 10)

    headers = {"content-type": "application/json"}
    streamed = await client.post("/api/v1/gateways/enrol", content=pieces(), headers=headers)
    assert (streamed.status_code, streamed.headers["content-type"]) == (413, "application/problem+json")


async def test_no_route_is_a_problem_document_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/nothing-here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_every_answer_has_an_id_and_security_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={"x-request-id": "given-by-the-proxy"})
    assert answer.headers["x-request-id"] == "given-by-the-proxy"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    other = await client.get("/health", headers={"x-request-id": "no spaces\tplease"})
    assert other.headers["x-request-id"] != "no spaces\tplease"


async def test_staff_routes_ask_for_a_token_that_is_known(client: httpx.AsyncClient) -> None:
    path = "/api/v1/admin/gateways"
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401
    assert (await client.get(path, headers={"Authorization": f"Bearer {STAFF}"})).status_code == 200


async def test_a_centre_without_tokens_has_no_staff(settings: CloudSettings) -> None:
    from cloud.errors import NotAuthenticated

    closed = build_cloud(settings.model_copy(update={"tokens": ""}), {})
    with pytest.raises(NotAuthenticated):
        closed.staff.name_of("")


async def test_metrics_count_by_route_not_by_address(client: httpx.AsyncClient) -> None:
    await client.get("/health")
    await client.get("/api/v1/nothing-here")
    text = (await client.get("/metrics")).text
    assert 'parking_api_requests_total{endpoint="/health",method="GET",status="200"} 1.0' in text
    assert 'parking_api_requests_total{endpoint="unmatched",method="any",status="404"} 1.0' in text
    assert "parking_active_reservations 0.0" in text


async def test_a_database_that_is_not_migrated_is_not_ready(
    database_cluster: object, client: httpx.AsyncClient, cloud: Cloud
) -> None:
    async with cloud.database.connection() as connection:
        await connection.execute(b"DELETE FROM alembic_version")
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert "lotgate cloud migrate" in answer.json()["detail"]
    assert (await client.get("/health")).status_code == 200
