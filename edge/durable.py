"""Waits for the disk as long as waiting makes sense: a disk that is full must not hold a car at a barrier. Asked by the lanes' work."""

from __future__ import annotations

import asyncio

from edge.ledger import Ledger

LOOK_EVERY_S = 0.1


async def is_durable(ledger: Ledger, written: asyncio.Future[None]) -> bool:
    """Wait until `written` is durable; False where the disk takes nothing at the moment: it is written once it does.

    Raises:
        StoreError: the commit failed for good; the process must end.
    """
    while not written.done():
        if ledger.unwritable is not None:
            return False
        await asyncio.wait({written}, timeout=LOOK_EVERY_S)
    written.result()
    return True
