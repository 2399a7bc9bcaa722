"""A lot at work whose machine has a boot-time clock, a civil clock that anybody sets, and a centre that can tell the time: all on a real ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from edge.clock_record import ClockRecord
from edge.ledger import Ledger
from edge.lot_clock import KEPT_AS, LotClock, clock_kept_in
from edge.system_clock import Machine
from edge.visit import Answered
from edge.writer import InlineWriter, Writer
from parking.trusted_time import ClockQuality
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.instants import to_us
from tests.integration.edge.conftest import NOON_AT, Premises
from tests.unit.edge.lot_at_work import LotAtWork


@dataclass(slots=True)
class World:
    """True time, and one machine in it."""

    true_at: datetime = NOON_AT
    civil_off: timedelta = timedelta(0)
    boot: int = 1
    boot_s: float = 100.0

    def now(self) -> datetime:
        """What the machine's civil clock shows."""
        return self.true_at + self.civil_off

    def monotonic(self) -> float:
        return self.boot_s

    def real_s(self, civil: timedelta) -> float:
        return civil.total_seconds()

    def passes(self, **time: float) -> None:
        gone = timedelta(**time)
        self.true_at += gone
        self.boot_s += gone.total_seconds()

    def is_dark(self, **time: float) -> None:
        """The power is gone for so long."""
        self.true_at += timedelta(**time)
        self.boot += 1
        self.boot_s = 7.0

    def machine(self) -> Machine:
        return Machine(clock=self, boot_s=self.monotonic, boot=f"machine-{self.boot}")


@dataclass(slots=True)
class DarkPremises(Premises):
    """The same card; each start makes the lot's clock from what the card kept."""

    world: World = field(default_factory=World)
    has_centre: bool = True

    def start(self, writer: Writer | None = None, failpoints: Failpoints | None = None) -> Ledger:
        if writer is None:
            writer = InlineWriter(self.open_file(failpoints).commit)
        assert self.opened is not None
        clock = LotClock(self.world.machine(), kept=clock_kept_in(self.store), has_centre=self.has_centre)
        self.clock = cast("Any", clock)
        ledger = Ledger.open(
            self.store,
            writer,
            lot=self.lot,
            gateway=self.gateway,
            epoch=self.epoch,
            boot=f"boot-{next(self._boots)}",
            clock=clock,
            losses=self.opened.losses,
            fenced=self.opened.fenced,
            carried=lambda: {KEPT_AS: clock.kept()},
        )
        ClockRecord(ledger=ledger, clock=clock).begin()
        self.started.append(ledger)
        return ledger


@dataclass(slots=True)
class DarkLot(LotAtWork):
    """One lot at work in a world whose clocks cannot be trusted."""

    @property
    def world(self) -> World:
        assert isinstance(self.premises, DarkPremises)
        return self.premises.world

    @property
    def clock(self) -> LotClock:
        clock: object = self.premises.clock
        assert isinstance(clock, LotClock)
        return clock

    def told(self) -> None:
        """The centre says what time it truly is."""
        self.clock.hear(to_us(self.world.true_at), 0.0)

    async def power_cut(self, **dark: float) -> None:
        """The machine is off for so long, and boots."""
        self.world.is_dark(**dark)
        await self.restart()
        self.world.passes(seconds=1)

    async def leaves(self, text: str) -> int:
        """A car shows its code at the exit, pays what it owes and is let out: what it paid for the stay, in pence."""
        visit, answered = await self.show(text)
        paid_minor = 0
        if answered.demand is not None:
            paid_minor = answered.demand.amount_minor
            answered = await self.pay(visit)
        assert _is_open(answered), answered
        self.leaving.passed(visit)
        return paid_minor

    def clocks(self) -> list[Mapping[str, Any]]:
        return self.events(EventKind.CLOCK_CHANGED)

    def qualities(self) -> list[ClockQuality]:
        return [ClockQuality(body["quality"]) for body in self.clocks()]


def _is_open(answered: Answered) -> bool:
    return answered.event.value == "granted"
