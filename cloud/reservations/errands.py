"""What is to be done after a commit, done beside it. Next in its story: cloud/payments/cashier."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from cloud.reservations.ports import Errand
from sync.failpoints import Failpoints

LOG = structlog.get_logger(__name__)

DECISION_AFTER_COMMIT = "cloud.coordinator.decision_after_commit"
AFTER_COMMIT = "cloud.coordinator.after_commit"


class Errands:
    """Those of this process that are under way. One that ends with its process is found again by whoever gave it."""

    def __init__(self, failpoints: Failpoints) -> None:
        self._failpoints = failpoints
        self._running: set[asyncio.Task[None]] = set()

    def carry_on(self, errands: Sequence[Errand]) -> None:
        """What moves money goes on by itself; whoever waits for the booking need not wait for it."""
        self._failpoints.hit(AFTER_COMMIT)
        if errands:  # only a decision moves money
            self._failpoints.hit(DECISION_AFTER_COMMIT)
        for errand in errands:
            task = asyncio.create_task(_carried(errand), name="errand")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """End them: the process is about to."""
        for errand in tuple(self._running):
            errand.cancel()


async def _carried(errand: Errand) -> None:
    try:
        await errand()
    except (OperationalError, PoolTimeout) as error:
        LOG.warning("an errand waits until it is due again", error=str(error))
