"""The whole box on one page: how the lot stands, what is wrong with it, and what a person on site can do. Asked by edge/desk.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from drivers.supervisor import DriverHealth, DriverState
from edge.api.desk import (
    ClockStatus,
    DiskStatus,
    EventLine,
    Fault,
    LaneStatus,
    LedgerStatus,
    LinkState,
    LinkStatus,
    StatusView,
    TypeCount,
)
from edge.change import Change
from edge.clock_status import clock_fault
from edge.lane_runner import LaneRunner
from edge.lane_words import DOING, steps
from edge.lanes import LanePhase
from edge.ledger import Ledger
from edge.memory import resident_bytes
from edge.price_list import PriceList
from edge.screens import STUCK, arm_of
from parking.clock import Clock
from parking.lot import Lot

MOST_EVENTS = 12
BROKEN_DRIVERS: Mapping[DriverState, str] = {
    DriverState.SILENT: "says nothing",
    DriverState.WAITING: "has lost its device and is tried again",
    DriverState.MISCONFIGURED: "cannot work with its settings",
}


@dataclass(slots=True, kw_only=True)
class LotStatus:
    """One lot's status. `link_status` asks the line to the centre, `clock_status` how good the time is, `more_faults` what else is to be mended."""

    lot: Lot
    gateway: str
    software: str
    runners: Mapping[str, LaneRunner]
    ledger: Ledger
    prices: PriceList
    driver_health: Callable[[], Sequence[DriverHealth]]
    clock: Clock
    store_path: Path
    link_status: Callable[[], LinkStatus]
    clock_status: Callable[[], ClockStatus]
    started_at: datetime
    figures: Callable[[], Mapping[str, float]] = dict
    more_faults: Sequence[Callable[[], Sequence[Fault]]] = ()
    _recent: list[EventLine] = field(default_factory=list)

    def view(self) -> StatusView:
        """The whole box now, see `Desk.status`."""
        now, link = self.clock.now(), self.link_status()
        drivers = tuple(self.driver_health())
        disk = shutil.disk_usage(self.store_path.parent)
        runners = self.runners.values()
        return StatusView(
            lot=self.lot.name,
            gateway=self.gateway,
            at=now,
            timezone=self.lot.timezone.key,
            software=self.software,
            started_at=self.started_at,
            ready=all(runner.state.phase is not LanePhase.UNREAD for runner in runners),
            lanes=tuple(lane_status(runner) for runner in runners),
            drivers=drivers,
            link=link,
            ledger=self._ledger(now),
            disk=DiskStatus(free_bytes=disk.free, total_bytes=disk.total),
            clock=self.clock_status(),
            counts=self.counts(),
            faults=tuple(self._faults(link, drivers)),
            events=tuple(self._recent),
            memory_bytes=resident_bytes(),
            figures=self.figures(),
        )

    def counts(self) -> tuple[TypeCount, ...]:
        """Places by type: what may be sold now, of how many."""
        return tuple(
            TypeCount(type=spot_type, sellable=left.count, total=self.ledger.book.total(spot_type))
            for spot_type, left in self.ledger.counts().items()
        )

    def note(self, change: Change) -> None:
        """Remember the last things that happened."""
        for event in change.events:
            text = event.kind.value.replace("_", " ")
            self._recent.insert(0, EventLine(at=self.clock.now(), text=text, detail=_detail(event.body)))
        del self._recent[MOST_EVENTS:]

    def _ledger(self, now: datetime) -> LedgerStatus:
        ledger = self.ledger
        return LedgerStatus(
            epoch=ledger.epoch,
            last_seq=ledger.last_seq,
            verdict=ledger.verdict,
            degraded=ledger.degraded,
            open_stays=len(ledger.open_stays()),
            size_bytes=self.store_path.stat().st_size if self.store_path.exists() else 0,
            tariff_version=self.prices.in_force(now).name_of_version,
        )

    def _faults(self, link: LinkStatus, drivers: Sequence[DriverHealth]) -> Sequence[Fault]:
        """Whoever waits at a lane first, then what stops the lot, then the rest."""
        faults = [_lane_fault(runner) for runner in self.runners.values() if _in_trouble(runner)]
        faults += self._ledger_faults()
        faults += [_driver_fault(health) for health in drivers if health.state in BROKEN_DRIVERS]
        if link.state is LinkState.DOWN:
            faults.append(_line_fault(link))
        faults += [fault for fault in (clock_fault(self.clock_status()),) if fault is not None]
        faults += [fault for told in self.more_faults for fault in told()]
        return sorted(faults, key=lambda fault: (not fault.waiting, not fault.stops))

    def _ledger_faults(self) -> Sequence[Fault]:
        faults = []
        if self.ledger.degraded is not None:
            faults.append(
                Fault(
                    title="The ledger cannot be written",
                    effect="Exits work. Nobody new is let in until it can.",
                    steps=(
                        self.ledger.degraded,
                        "Free space on the disk or replace the card: it goes on by itself.",
                    ),
                    stops=True,
                )
            )
        over_count = sum(stay.claim is None for stay in self.ledger.open_stays())
        if over_count:
            cars = "One car is" if over_count == 1 else f"{over_count} cars are"
            faults.append(
                Fault(
                    title=f"{cars} inside without a space that is kept",
                    effect="As many spaces fewer are sold. A booking that this puts at risk is told to the centre.",
                    steps=("Nothing, where cars will leave: each gets the next free space.",),
                )
            )
        if self.ledger.verdict == "fenced":
            faults.append(
                Fault(
                    title="This gateway may not sell",
                    effect="Exits work. Nobody new is let in until a person has counted the cars.",
                    steps=(self.ledger.fenced_because or "", "Count the cars inside and call the centre."),
                    stops=True,
                )
            )
        return faults


def lane_status(runner: LaneRunner) -> LaneStatus:
    """One lane for the person who keeps it running."""
    phase, called = runner.state.phase, runner.help
    return LaneStatus(
        lane=runner.lane,
        kind=runner.kind,
        state=phase.value.replace("_", " "),
        detail=DOING[phase] if called is None else called.why,
        arm=arm_of(runner),
        last_passage_at=runner.last_passage_at,
        trouble=_in_trouble(runner) or phase is LanePhase.UNREAD,
    )


def _in_trouble(runner: LaneRunner) -> bool:
    return runner.help is not None or runner.state.phase in STUCK - {LanePhase.UNREAD}


def _lane_fault(runner: LaneRunner) -> Fault:
    phase, called = runner.state.phase, runner.help
    why = DOING[phase] if called is None else called.why
    return Fault(
        title=f"{runner.lane}: {why}",
        since_at=None if called is None else called.since_at,
        effect="The other lanes work." if phase in STUCK else "",
        steps=steps(phase),
        waiting=bool(runner.state.levels.vehicle) or (called is not None and called.by_driver),
    )


def _driver_fault(health: DriverHealth) -> Fault:
    return Fault(
        title=f"{health.name} {BROKEN_DRIVERS[health.state]}",
        effect="Everything that does not hang on it works.",
        steps=(health.last_error or "Look at its cable and power.",),
    )


def _line_fault(link: LinkStatus) -> Fault:
    return Fault(
        title="The line to the centre is down",
        since_at=link.since_at,
        effect=f"Parking works as usual. {link.backlog} records wait and go up by themselves.",
        steps=("Look at the router's lights and the cable.",),
    )


def _detail(body: Mapping[str, object]) -> str:
    """The words of a fact that a person looks for: the lane, the reason, the state; nothing personal."""
    words = [str(body[key]) for key in ("lane", "move", "reason", "action") if body.get(key)]
    for row in ("claim", "stay", "payment"):
        inner = body.get(row)
        if isinstance(inner, Mapping):
            words += [str(inner[key]) for key in ("type", "state") if inner.get(key)]
    return ", ".join(words)
