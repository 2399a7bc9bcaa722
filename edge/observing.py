"""What sensors say, as the last state of each spot. Next: parking/availability.py, then edge/ledger.py.

Every reading that says something of a spot is an update of it, numbered. A message that its source numbered is taken once: its key
is written in the same transaction, and a repetition is answered when the first one is durable. A reading that is older than what is
known of its spot (a gateway delivers its backlog) changes nothing, and its key is kept all the same. Of a sensor that its source no longer
hears, the spot becomes unknown until it is heard. A source's own time is believed where
it is near ours; else the reading happened when it arrived.

A sensor does not know whose car it sees: nothing here opens or closes a stay. Where there are no lanes edge/street.py does.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from drivers.ports import MalformedReading, SpotReading
from edge.change import Change, QuarantinedRecord, ReadingKey, SpotState, fact
from edge.ledger import Ledger
from edge.suspects import Judged, Suspects, word_of
from parking.availability import SpotState as State
from parking.clock import TrustedClock
from parking.ids import SpotId
from parking.lot import Tier
from sync.events import EventDraft, EventKind
from sync.instants import to_us

BELIEVED_LATE = timedelta(days=14)
BELIEVED_EARLY = timedelta(minutes=5)
MOST_RAW_BYTES = 4_096
SAID_AGAIN_AFTER = timedelta(hours=1)
MOST_COMPLAINTS = 1_000


@dataclass(slots=True, kw_only=True)
class ReadingCounters:
    """What became of the readings since the agent started."""

    stored: int = 0
    repeated: int = 0
    superseded: int = 0
    without_state: int = 0
    unknown_device: int = 0
    malformed: int = 0


class Observing:
    """Takes what sensors say into the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        sensors: Mapping[str, SpotId],
        clock: TrustedClock,
        suspects: Suspects | None = None,
    ) -> None:
        """`sensors` maps a device's id as the wire has it to the spot that it looks at; case does not matter."""
        self.counters = ReadingCounters()
        self._ledger = ledger
        self._clock = clock
        self._suspects = suspects or Suspects(ledger, clock=clock)
        self._spots: Mapping[str, SpotId] = {}
        self.look_at(sensors)
        self._writer = f"{Tier.EDGE}:{ledger.epoch}"
        self._said: dict[tuple[str, str], datetime] = {}

    def observe(self, reading: SpotReading) -> asyncio.Future[None]:
        """Take a reading in; the future resolves when it, or a later one of its spot, is durable.

        Raises:
            LedgerFull: the disk could not be written for very long; the source keeps the reading.
        """
        spot = self._spots.get(reading.device.lower())
        if spot is None:
            self.counters.unknown_device += 1
            return self._keep_aside(reading.device, "device", "no [[sensors]] entry names this device", b"")
        if reading.occupied is None and not reading.lost:
            self.counters.without_state += 1
            return self._ledger.durable()
        if reading.key is not None and (reading.device, reading.key) in self._ledger.keys:
            self.counters.repeated += 1
            return self._repeated(spot, reading)
        return self._update(spot, reading)

    def look_at(self, sensors: Mapping[str, SpotId]) -> None:
        """Learn which sensor looks at which spot, from now on."""
        self._spots = {device.lower(): spot for device, spot in sensors.items()}
        self._suspects.keep_only(self._spots)

    def quarantine(self, reading: MalformedReading) -> asyncio.Future[None]:
        """Keep something aside that is no reading. A thing that repeats is stored once an hour."""
        self.counters.malformed += 1
        return self._keep_aside(reading.device, reading.field, reading.problem, reading.raw)

    @property
    def unexplained(self) -> int:
        """Spots seen occupied less vehicles on record as inside; 0 where not every spot has a sensor that speaks."""
        spots = self._ledger.lot.spots
        states = [self._ledger.spot_state(spot.id, self._writer) for spot in spots]
        if not spots or any(state is None or state.state == State.UNKNOWN for state in states):
            return 0
        occupied = sum(state is not None and state.state == State.OCCUPIED for state in states)
        return occupied - len(self._ledger.open_stays())

    def _update(self, spot: SpotId, reading: SpotReading) -> asyncio.Future[None]:
        now = self._clock.now()
        occurred_at = self._believed(reading.occurred_at, now)
        known = self._ledger.spot_state(spot, self._writer)
        keys = () if reading.key is None else (ReadingKey(source=reading.device, key=reading.key),)
        # A word from later than now was written by a clock that has been put right since.
        if known is not None and occurred_at < known.occurred_at <= now:
            self.counters.superseded += 1
            return self._commit(Change(reading_keys=keys)) if keys else self._ledger.durable()
        judged = self._judged(spot, reading, occurred_at, now)
        state = SpotState(
            spot=spot,
            writer=self._writer,
            n=1 if known is None else known.n + 1,
            state=judged.state,
            source=reading.device,
            occurred_at=occurred_at,
            confidence_1e4=judged.confidence_1e4,
        )
        future = self._commit(Change(spot_states=(state,), reading_keys=keys, events=judged.events))
        self.counters.stored += 1
        return future

    def _judged(self, spot: SpotId, reading: SpotReading, occurred_at: datetime, now: datetime) -> Judged:
        """The word with what is held against its sensor; a source that has lost its sensor says nothing of the spot."""
        if reading.occupied is None:
            return Judged(state=str(State.UNKNOWN), confidence_1e4=0)
        return self._suspects.hear(
            word_of(reading.device, spot, occupied=reading.occupied, occurred_at=occurred_at, received_at=now)
        )

    def _repeated(self, spot: SpotId, reading: SpotReading) -> asyncio.Future[None]:
        """A repetition changes nothing, but a sensor that repeats itself again and again is told of."""
        now = self._clock.now()
        judged = self._suspects.hear(
            word_of(
                reading.device,
                spot,
                occupied=bool(reading.occupied),
                occurred_at=now,
                received_at=now,
                repeated=True,
            )
        )
        return self._commit(Change(events=judged.events)) if judged.events else self._ledger.durable()

    def _commit(self, change: Change) -> asyncio.Future[None]:
        future = self._ledger.commit(change)
        for key in change.reading_keys:
            self._ledger.keys.add(key.source, key.key)
        return future

    def _believed(self, occurred_at: datetime | None, now: datetime) -> datetime:
        if occurred_at is None or not now - BELIEVED_LATE <= occurred_at <= now + BELIEVED_EARLY:
            return now
        return min(occurred_at, now)

    def _keep_aside(self, device: str, field: str, problem: str, raw: bytes) -> asyncio.Future[None]:
        now = self._clock.now()
        last = self._said.get((device, field))
        if last is not None and last <= now < last + SAID_AGAIN_AFTER:
            return self._ledger.durable()
        if len(self._said) >= MOST_COMPLAINTS:
            del self._said[next(iter(self._said))]
        self._said[device, field] = now
        record = quarantined(device, field, problem, raw, now)
        return self._ledger.commit(Change(quarantine=(record,), events=(quarantine_fact(record),)))


def quarantined(source: str, field: str, problem: str, raw: bytes, now: datetime) -> QuarantinedRecord:
    """Something to keep aside, its bytes cut to 4 KiB; the digest is of all of them."""
    return QuarantinedRecord(
        source=source[:128],
        field=field[:128],
        problem=problem[:500],
        raw=raw[:MOST_RAW_BYTES],
        digest=hashlib.sha256(raw).hexdigest(),
        at=now,
    )


def quarantine_fact(record: QuarantinedRecord) -> EventDraft:
    """The fact that tells of it: no raw bytes, which may hold anything."""
    return fact(
        EventKind.RECORD_QUARANTINED,
        to_us(record.at),
        source=record.source,
        field=record.field,
        problem=record.problem,
        digest=record.digest,
    )
