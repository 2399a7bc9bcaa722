"""A process with a lot's ledger on a line to a centre, which dies where LOTGATE_FAILPOINT says."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sync.failpoints import Failpoints
from tests.integration.edge.linked_unit import linked_unit
from tests.unit.sync.two_ends import GATEWAY, KEY


async def live(ledger: Path, url: str) -> None:
    failpoints = Failpoints.parse(os.environ.get("LOTGATE_FAILPOINT"))
    async with linked_unit(ledger, url, gateway=GATEWAY, key=KEY, failpoints=failpoints):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
