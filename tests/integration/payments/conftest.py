"""A centre with a database of its own and a simulated provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cloud.app import build_app
from cloud.bootstrap import build_cloud
from tests.contract.payments.provider_here import provider_here
from tests.integration.payments.shop import Listener, Shop, settings_for


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with provider_here(tmp_path) as here:
        cloud = build_cloud(settings_for(database_url, here.base), {})
        listener = Listener()
        cloud.cashier.listener = listener
        transport = httpx.ASGITransport(app=build_app(cloud))
        async with (
            cloud.database,
            httpx.AsyncClient(transport=transport, base_url="http://cloud") as client,
        ):
            made = Shop(cloud=cloud, here=here, client=client, listener=listener)
            await made.open()
            yield made
        await cloud.provider.close()
