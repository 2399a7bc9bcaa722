"""The lot's clock: civil time by the centre's word and the machine's boot-time clock. What it may say is decided in parking/trusted_time.py.

The link tells it each authenticated time of the centre (`hear`). It goes with every commit of the ledger (`kept`) and comes back from
there at the next start, so that the lower bound never goes back. When the quality changes, who subscribed is told at once
(edge/clock_record.py writes it down). A lot without a centre has only its machine's civil clock: it is looked at until it can be believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from edge.store.reader import StoreReader
from edge.store.rows import meta_out
from edge.system_clock import Machine
from parking.trusted_time import (
    FIRST_LOT_AT,
    ClockNews,
    ClockQuality,
    TimeWord,
    TrustedTime,
    resumed,
    set_by_hand,
    silent,
    told,
    weigh,
)
from sync.instants import from_us, to_us

LOG = structlog.stdlib.get_logger("edge.lot_clock")

KEPT_AS = "clock"

Changed = Callable[[TrustedTime, TrustedTime], None]
"""Told the time as it was known just before, and as it is known now; both of the same instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """What pages and metrics show. `offset_s` is the machine's civil clock less the estimate, `drift_s` the width of what is certain."""

    quality: ClockQuality
    estimate_at: datetime
    lower_at: datetime
    offset_s: float
    drift_s: float | None
    contradictions: int


class LotClock:
    """A `TrustedClock`. All methods belong to the event loop's thread, but `now` and the bounds may be read from anywhere."""

    def __init__(self, machine: Machine, *, kept: str | None = None, has_centre: bool = True) -> None:
        """`kept` is what the last commit of the ledger carried; what cannot be read counts as nothing."""
        self._machine = machine
        self._has_centre = has_centre
        self._watchers: list[Changed] = []
        self.contradictions = 0
        self._speed = 1.0 / machine.clock.real_s(timedelta(seconds=1))
        before = None if kept is None else _read(kept, self._speed)
        if before is None:
            self._time = TrustedTime.first(
                boot=machine.boot,
                at_s=machine.boot_s(),
                civil_at=machine.clock.now(),
                speed=self._speed,
            )
        else:
            self._time = resumed(before, boot=machine.boot, now_s=machine.boot_s())

    # What time it is

    def now(self) -> datetime:
        """The estimate, aware UTC."""
        return self._time.estimate(self._machine.boot_s())

    def monotonic(self) -> float:
        """Real seconds since some fixed point."""
        return self._machine.clock.monotonic()

    def real_s(self, civil: timedelta) -> float:
        """How many real seconds `civil` takes."""
        return self._machine.clock.real_s(civil)

    @property
    def known(self) -> bool:
        """Whether windows can be judged."""
        return self._time.known

    @property
    def quality(self) -> ClockQuality:
        """How good the time is."""
        return self._time.quality

    @property
    def time(self) -> TrustedTime:
        """Everything that is known of this instant."""
        return self._at()

    def dark_since(self, at: datetime) -> datetime | None:
        """From when on it has certainly passed since `at`, which nobody knew to be right; None where it was known.

        What was never told by anybody cannot have been known: neither what a ticket from a lost ledger says lies on this line.
        """
        since_at, was_known = self._time.unknown_since_at, self._time.lower_at >= FIRST_LOT_AT
        if since_at is None or (was_known and at <= since_at):
            return None
        return max(at, since_at)

    def lower_bound(self) -> datetime:
        """The civil instant that has certainly passed."""
        return self._time.lower_bound(self._machine.boot_s())

    def released_before(self) -> datetime:
        """What ended before this instant binds no more, and what is sold begins here. It stands still while the time is unknown."""
        return self._time.promises(self._machine.boot_s())

    def reading(self) -> ClockReading:
        """What a person is shown."""
        return _reading(self._at(), self._machine, self.contradictions)

    def kept(self) -> str:
        """What goes into the ledger with every commit, as text that `LotClock` reads back."""
        return _written(self._at())

    # What changes it

    def subscribe(self, watcher: Changed) -> None:
        """Call back when the quality, and with it perhaps the time, is another one."""
        self._watchers.append(watcher)

    def hear(self, time_us: int, round_trip_s: float) -> None:
        """The centre said that it was `time_us` (microseconds since 1970) when it spoke, at most `round_trip_s` real seconds ago."""
        before = self._at()
        round_trip = timedelta(seconds=max(0.0, round_trip_s) * self._speed)
        word = TimeWord(sent_at=from_us(time_us), round_trip=round_trip)
        after = told(before, word, self._machine.clock.now())
        if weigh(before, word) is ClockNews.CONTRADICTED:
            self.contradictions += 1
            LOG.error("centre_contradicts_the_clock", told=word.sent_at, lower_bound=before.lower_at)
        self._become(before, after)

    def tick(self) -> None:
        """Look whether the centre fell silent or, where there is none, whether somebody has set the machine's clock."""
        before = self._at()
        after = silent(before) if self._has_centre else set_by_hand(before, self._machine.clock.now())
        if after is not before:
            self._become(before, after)

    def _become(self, before: TrustedTime, after: TrustedTime) -> None:
        self._time = after
        if after.quality is before.quality:
            return
        LOG.info("clock_changed", quality=after.quality.value, estimate=after.estimate_at)
        for watcher in tuple(self._watchers):
            watcher(before, after)

    def _at(self) -> TrustedTime:
        return self._time.at(self._machine.boot_s())


def _written(time: TrustedTime) -> str:
    instants = (time.lower_at, time.estimate_at, time.promises_at, time.upper_at, time.unknown_since_at)
    fields = [
        time.boot,
        repr(time.at_s),
        time.quality.value,
        *("-" if at is None else str(to_us(at)) for at in instants),
        "-" if time.told_s is None else repr(time.told_s),
    ]
    return " ".join(fields)


def _read(kept: str, speed: float) -> TrustedTime | None:
    """What `_written` wrote; None where it cannot be read: then nothing is known of the time."""
    try:
        boot, at_s, quality, lower, estimate, promises, upper, since, told_s = kept.split(" ")
        time = TrustedTime(
            boot=boot,
            at_s=float(at_s),
            lower_at=from_us(int(lower)),
            estimate_at=from_us(int(estimate)),
            promises_at=from_us(int(promises)),
            quality=ClockQuality(quality),
            speed=speed,
        )
        return replace(
            time,
            upper_at=None if upper == "-" else from_us(int(upper)),
            unknown_since_at=None if since == "-" else from_us(int(since)),
            told_s=None if told_s == "-" else float(told_s),
        )
    except (ValueError, OverflowError) as problem:
        LOG.warning("kept_clock_unreadable", problem=str(problem))
        return None


def clock_kept_in(store: StoreReader) -> str | None:
    """What the last commit carried of the clock; None in a new ledger."""
    kept = meta_out(store.rows("read_meta")).get(KEPT_AS)
    return kept if isinstance(kept, str) else None


def reading_kept_in(store: StoreReader, machine: Machine) -> ClockReading | None:
    """The clock as the last commit of a ledger had it, run on to this instant where the machine did not boot since; None in a new ledger."""
    kept = clock_kept_in(store)
    speed = 1.0 / machine.clock.real_s(timedelta(seconds=1))
    time = None if kept is None else _read(kept, speed)
    if time is None:
        return None
    return _reading(time.at(machine.boot_s()) if time.boot == machine.boot else time, machine)


def _reading(time: TrustedTime, machine: Machine, contradictions: int = 0) -> ClockReading:
    return ClockReading(
        quality=time.quality,
        estimate_at=time.estimate_at,
        lower_at=time.lower_at,
        offset_s=(machine.clock.now() - time.estimate_at).total_seconds(),
        drift_s=None if time.upper_at is None else (time.upper_at - time.lower_at).total_seconds(),
        contradictions=contradictions,
    )
