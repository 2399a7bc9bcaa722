"""A process with a ledger that takes readings and lets cars in as fast as it can, and says on its standard output what is durable.

Each line is one JSON list: ["stay", id, claim, seq] or ["spot", spot, n] or ["key", device, key]. It is written only once the ledger's
future has resolved, so that whatever a reader of the pipe has seen must survive any death of this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random

from drivers.ports import SpotReading
from edge.change import Change
from edge.ledger import Ledger
from edge.observing import Observing
from edge.store.store import NumberedChange
from edge.writer import Commit, ThreadWriter
from parking.claims import ClaimState
from parking.lot import Tier
from parking.stays import StayEvent
from sync.failpoints import Failpoints
from tests.integration.edge.conftest import Premises, small_lot

INSIDE = 60


def say(*words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


class EarlyWriter(ThreadWriter):
    """A broken build: it says that a change is durable before it is, on a disk that takes its time."""

    def __init__(self, commit: Commit) -> None:
        def slowly(batch: Sequence[NumberedChange]) -> None:
            threading.Event().wait(0.05)
            commit(batch)

        super().__init__(slowly)

    def submit(self, change: NumberedChange, *, urgent: bool) -> asyncio.Future[None]:
        future = super().submit(change, urgent=urgent)
        future.get_loop().call_soon(resolve, future)
        return future


def resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def live(folder: Path, start: int, random: Random) -> None:
    premises = Premises(folder, small_lot(100))
    premises.skip(start * 1_000_000)
    store = premises.open_file(Failpoints.parse(os.environ.get("LOTGATE_FAILPOINT")))
    writer = EarlyWriter if os.environ.get("EARLY") else ThreadWriter
    ledger = premises.start(writer(store.commit))
    await ledger.durable()
    await asyncio.gather(readings(premises, ledger, start), cars(premises, ledger, random))


async def readings(premises: Premises, ledger: Ledger, start: int) -> None:
    spots = {f"sensor-{spot.number}": spot.id for spot in premises.lot.spots}
    observing = Observing(ledger, sensors=spots, clock=premises.clock)
    number = 0
    while True:
        futures = []
        for device, spot in spots.items():
            number += 1
            key = f"{start}-{number}"
            future = observing.observe(SpotReading(device=device, occupied=number % 3 == 0, key=key))
            state = ledger.spot_state(spot, f"{Tier.EDGE}:{premises.epoch}")
            assert state is not None
            futures.append((future, spot, state.n, device, key))
        for future, spot, n, device, key in futures:
            await future
            say("spot", spot, n)
            say("key", device, key)


async def cars(premises: Premises, ledger: Ledger, random: Random) -> None:
    while True:
        inside = ledger.open_stays()
        if len(inside) > INSIDE:
            stay = random.choice(list(inside))
            assert stay.claim is not None
            now = premises.clock.now()
            released = ledger.book.claim(stay.claim).moved_to(ClaimState.RELEASED)
            left = stay.after(StayEvent.LEFT, now)
            await ledger.commit(Change.record(at=now, claims=(released,), stays=(left,)), urgent=True)
            say("left", stay.id, released.id, ledger.last_seq)
        change, stay, claim = premises.admit(ledger)
        await ledger.commit(change, urgent=True)
        say("stay", stay.id, claim.id, ledger.last_seq)


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), Random(int(sys.argv[2]))))
