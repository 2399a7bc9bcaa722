"""What cameras say, once each. Asked by edge/translation.py; next file: edge/lane_runner.py.

A camera that is not answered sends again, over a restart of ours too, and by then the lane may wait for the next car: a plate that is told twice
would be taken for that car's. So each event's key is kept with the readings' other keys, blinded (an event's name is made of its plate), and
the camera is answered when that is on disk. The lane hears first, and what it decides at once is written before the key, in order: a power cut
leaves the event unknown, and it is sent again, or decided on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from drivers.ports import PlateReading
from edge.change import Change, ReadingKey
from edge.ledger import Ledger
from edge.store.cipher import PlateKeys
from edge.visit import Presented
from parking.plate_formats import country_of
from parking.plates import settled


@dataclass(slots=True, kw_only=True)
class PlateEvents:
    """Takes each event of a camera once. `repeated` counts those that came again."""

    ledger: Ledger
    plates: PlateKeys
    repeated: int = 0

    def take(self, reading: PlateReading, present: Callable[[Presented], None]) -> asyncio.Future[None]:
        """Let the lane hear a plate that is new; the future resolves when a repetition would be known as one.

        It fails with `LedgerFull` where the disk could not be written for very long: the camera keeps the event.
        """
        key = None if reading.key is None else self.plates.blind(reading.key)
        if key is not None and (reading.device, key) in self.ledger.keys:
            self.repeated += 1
            return self.ledger.durable()
        present(
            Presented.plate(put_right(reading), 1.0 if reading.confidence is None else reading.confidence)
        )
        if key is None:
            return self.ledger.durable()
        self.ledger.keys.add(reading.device, key)
        # A task of its own: the lane's, which has begun before, commits its decision first.
        return asyncio.get_running_loop().create_task(self._keep(ReadingKey(source=reading.device, key=key)))

    async def _keep(self, key: ReadingKey) -> None:
        await self.ledger.commit(Change(reading_keys=(key,)))


def put_right(reading: PlateReading) -> str:
    """The plate as it can only be in its country; as it was read where that is not known, or leaves a choice."""
    country = country_of(reading.country)
    return reading.plate if country is None else settled(reading.plate, country) or reading.plate
