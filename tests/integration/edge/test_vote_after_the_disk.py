"""No word of the commit leaves the lot before the disk has what it says: the order itself, on the real ledger with a disk that takes its time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from uuid import uuid4

from edge.commitments import Commitments
from edge.ledger import Ledger
from edge.store.cipher import PlateKeys
from edge.store.store import Store
from edge.system_clock import SystemClock
from edge.writer import InlineWriter
from sync.failpoints import Failpoints
from sync.messages import DecisionAck, FromParticipant, Vote
from tests.integration.edge.linked_unit import a_lot
from tests.integration.edge.test_commit import COMMITTED, PREPARE
from tests.unit.sync.two_ends import GATEWAY


async def a_few_turns() -> None:
    """Let callbacks run that are due."""
    for _ in range(5):
        await asyncio.sleep(0)


class SlowDisk(InlineWriter):
    """Writes nothing while it is `held`."""

    held = False

    def retry(self) -> None:
        if not self.held:
            super().retry()


async def test_vote_and_acknowledgement_leave_when_the_disk_has_them_and_not_before(tmp_path: Path) -> None:
    store = Store(tmp_path / "ledger.sqlite", cipher=PlateKeys(b"p" * 32), failpoints=Failpoints())
    disk, clock = SlowDisk(store.commit), SystemClock()
    ledger = Ledger.open(store, disk, lot=a_lot(), gateway=GATEWAY, epoch=1, boot="b", clock=clock)
    commitments = Commitments(
        ledger,
        clock=clock,
        new_id=lambda: str(uuid4()),
        random=Random(1),
        failpoints=Failpoints(),
    )
    said: list[FromParticipant] = []
    commitments.link_opened(said.append)
    for frame, word in ((PREPARE, Vote), (COMMITTED, DecisionAck)):
        said.clear()
        disk.held = True
        commitments.hear(frame)
        await a_few_turns()
        assert disk.waiting == 1
        assert said == []
        disk.held = False
        disk.retry()
        await ledger.durable()
        await a_few_turns()
        assert [type(each) for each in said] == [word]
    await ledger.close()
