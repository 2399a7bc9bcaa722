"""A lot whose lanes work, for the tests of what they decide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.integration.edge.conftest import Premises
from tests.unit.edge.lot_at_work import LotAtWork, three_places


@pytest_asyncio.fixture
async def lot(tmp_path: Path) -> AsyncIterator[LotAtWork]:
    premises = Premises(tmp_path, three_places())
    yield LotAtWork(premises)
    for ledger in premises.started:
        await ledger.close()
