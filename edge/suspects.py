"""Sensors that are doubted, and the count where it has drifted: what `parking.liars` finds, told to whoever must know. Next: edge/ledger.py.

A word is heard with what is held against its sensor: the spot's row carries the confidence, and `unknown` where the word does not count. Every minute all
sensors are compared with each other and with the stays; whose doubt changed has its spot's row written anew, and one fact tells of them. What a person
must mend stands on the status page. A restart forgets what was held against a sensor; it is found out again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from edge.api.desk import Fault
from edge.change import Change, SpotState, fact
from edge.errors import LedgerFull
from edge.ledger import Ledger
from parking.availability import SpotState as State
from parking.clock import TrustedClock
from parking.counter_drift import CounterDrift
from parking.ids import SpotId
from parking.liars import TRUSTED, Doubt, Liars, Lie, Word
from parking.lot import Tier
from sync.events import EventDraft, EventKind
from sync.instants import to_us

LOG = structlog.stdlib.get_logger("edge.suspects")

LOOK_EVERY = timedelta(minutes=1)
SHORTEST_LOOK_S = 1.0
AT_A_TIME = 200
MOST_TOLD = 100
MOST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a spot's row says for a word: its state, its confidence, and the fact where the doubt changed with it."""

    state: str
    confidence_1e4: int
    events: tuple[EventDraft, ...] = ()


class Suspects:
    """All sensors of one lot, and its count."""

    def __init__(self, ledger: Ledger, *, clock: TrustedClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._has_lanes = bool(ledger.lot.lanes)
        self._liars = Liars(has_lanes=self._has_lanes)
        self._count = CounterDrift()
        self._numbers = {spot.id: spot.number for spot in ledger.lot.spots}
        self._writer = f"{Tier.EDGE}:{ledger.epoch}"

    def hear(self, word: Word) -> Judged:
        """A sensor spoke of its spot."""
        lies = self._liars.doubt(word.device).lies
        self._liars.hear(word)
        doubt = self._liars.doubt(word.device)
        told = () if doubt.lies == lies else self._facts({word.device: doubt}, word.received_at)
        return Judged(
            state=str(_state(word.occupied, doubt)), confidence_1e4=doubt.confidence_1e4, events=tuple(told)
        )

    def keep_only(self, devices: Container[str]) -> None:
        """Only these sensors, by their names in small letters, are there now."""
        self._liars.keep_only(devices)

    def begin_anew(self, now: datetime) -> Sequence[EventDraft]:
        """A person counted the cars: what the count and the sensors were held to is void. The facts that tell it; a spot's row follows its next word."""
        cleared = self._facts(dict.fromkeys(self._liars.doubted(), TRUSTED), now)
        drifted = self._count.drift != 0
        self._liars = Liars(has_lanes=self._has_lanes)
        self._count.recounted()
        return (*cleared, *([fact(EventKind.COUNT_DRIFTED, to_us(now), difference=0)] if drifted else ()))

    def doubts(self) -> Mapping[str, int]:
        """How many sensors are doubted, by lie."""
        found: Counter[str] = Counter({str(lie): 0 for lie in Lie})
        found.update(str(lie) for doubt in self._liars.doubted().values() for lie in doubt.lies)
        return found

    @property
    def drift(self) -> int:
        """Cars inside that nobody counted; below 0: cars that left uncounted."""
        return self._count.drift

    async def run(self) -> None:
        """Look at all of them every minute, until cancelled."""
        while True:
            await asyncio.sleep(max(SHORTEST_LOOK_S, self._clock.real_s(LOOK_EVERY)))
            try:
                await self.look()
            except LedgerFull as full:  # telemetry waits: the spots' next words carry their doubts
                LOG.warning("doubts_not_kept", why=str(full))

    async def look(self) -> None:
        """Compare all sensors once, some at a time so that no lane waits.

        Raises:
            LedgerFull: the disk could not be written for very long.
        """
        now = self._clock.now()
        inside = [stay.admitted_at for stay in self._ledger.open_stays()]
        shares = self._liars.shares(now, inside)
        devices = self._liars.devices()
        for first in range(0, len(devices), AT_A_TIME):
            before = {name: self._liars.doubt(name).lies for name in devices[first : first + AT_A_TIME]}
            changed = self._liars.judge(before, now, shares)
            self._write(changed, before, now)
            await asyncio.sleep(0)
        self._look_at_the_count(now, len(inside))

    def faults(self) -> Sequence[Fault]:
        """What a person must mend."""
        doubted = sorted(self._liars.doubted().items(), key=lambda each: each[1].confidence_1e4)
        found = []
        if doubted:
            count = "One sensor is" if len(doubted) == 1 else f"{len(doubted)} sensors are"
            more = (f"and {len(doubted) - MOST_SHOWN} more",) if len(doubted) > MOST_SHOWN else ()
            found.append(
                Fault(
                    title=f"{count} not believed, or not quite",
                    effect="Their spaces count by the cars that came and went. Nothing else changes.",
                    steps=(*(self._shown(device, doubt) for device, doubt in doubted[:MOST_SHOWN]), *more),
                )
            )
        if self.drift:
            cars = "1 car" if abs(self.drift) == 1 else f"{abs(self.drift)} cars"
            what = (
                "more stood on spaces than came in"
                if self.drift > 0
                else "fewer stood on spaces than are inside"
            )
            found.append(
                Fault(
                    title=f"The count of cars is off by {cars}",
                    effect=f"For a day {what}. What is sold follows the count.",
                    steps=(
                        "Count the cars by type at the quietest hour, and type them in: lotgate edge recount.",
                    ),
                )
            )
        return found

    def _shown(self, device: str, doubt: Doubt) -> str:
        spot = self._liars.spot(device)
        number = device if spot is None else self._numbers.get(spot, device)
        return f"Space {number}: {', '.join(sorted(doubt.lies))} (sensor {device})."

    def _write(self, changed: Sequence[str], before: Mapping[str, frozenset[Lie]], now: datetime) -> None:
        """The rows of those whose doubt changed, and the fact of those whose lies did."""
        rows = [row for device in changed if (row := self._row(device)) is not None]
        told = {
            device: self._liars.doubt(device)
            for device in changed
            if self._liars.doubt(device).lies != before[device]
        }
        if rows or told:
            self._ledger.commit(Change(spot_states=tuple(rows), events=tuple(self._facts(told, now))))

    def _row(self, device: str) -> SpotState | None:
        """The spot's row as the doubt makes it now; None where another sensor spoke of the spot last, or its source lost it."""
        spot, occupied = self._liars.spot(device), self._liars.said(device)
        known = None if spot is None else self._ledger.spot_state(spot, self._writer)
        if known is None or occupied is None or known.source.lower() != device or not known.confidence_1e4:
            return None
        doubt = self._liars.doubt(device)
        return replace(
            known,
            n=known.n + 1,
            state=str(_state(occupied, doubt)),
            confidence_1e4=doubt.confidence_1e4,
        )

    def _facts(self, told: Mapping[str, Doubt], now: datetime) -> Sequence[EventDraft]:
        rows = [
            {
                "source": device[:128],
                "spot": str(self._liars.spot(device)),
                "lies": sorted(str(lie) for lie in doubt.lies),
                "confidence_1e4": doubt.confidence_1e4,
            }
            for device, doubt in told.items()
        ]
        return [
            fact(EventKind.SENSORS_DOUBTED, to_us(now), sensors=rows[first : first + MOST_TOLD])
            for first in range(0, len(rows), MOST_TOLD)
        ]

    def _look_at_the_count(self, now: datetime, inside: int) -> None:
        """Compare places and stays where every place has a sensor that is believed."""
        words = [self._liars.believed_word(spot) for spot in self._numbers]
        if not self._has_lanes or not self._clock.known or not words or None in words:
            return
        if self._count.note(now, taken=sum(word is True for word in words), inside=inside):
            drifted = fact(EventKind.COUNT_DRIFTED, to_us(now), difference=self._count.drift)
            self._ledger.commit(Change(events=(drifted,)))


def _state(occupied: bool, doubt: Doubt) -> State:
    if not doubt.believed:
        return State.UNKNOWN
    return State.OCCUPIED if occupied else State.FREE


def word_of(
    device: str,
    spot: SpotId,
    *,
    occupied: bool,
    occurred_at: datetime,
    received_at: datetime,
    repeated: bool = False,
) -> Word:
    """A sensor's word; names of devices are compared in small letters."""
    return Word(
        device=device.lower(),
        spot=spot,
        occupied=occupied,
        occurred_at=occurred_at,
        received_at=received_at,
        repeated=repeated,
    )
