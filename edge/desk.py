"""The lot's desk: what the screens ask and what a person does, put to the lanes. Implements `edge.api.desk.Desk`.

Story "walk-in" at the screen, next file: edge/lane_runner.py.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from drivers.supervisor import DriverHealth, DriverState, Supervisor
from edge.api.desk import (
    Answer,
    ClockStatus,
    DiskStatus,
    EventLine,
    Fault,
    LaneStatus,
    LaneUnknown,
    LaneView,
    LedgerStatus,
    LinkState,
    LinkStatus,
    PriceHint,
    PriceLine,
    PriceStep,
    PriceView,
    ReaderSide,
    StatusView,
    StayQuote,
    TypeCount,
)
from edge.change import Change
from edge.lane_runner import LaneRunner
from edge.lanes import LanePhase
from edge.leaving import Leaving
from edge.ledger import Ledger
from edge.memory import resident_bytes
from edge.price_list import PriceList
from edge.screens import STUCK, arm_of, showing, stay_view
from edge.settings import LaneSettings
from edge.ticket_office import TicketOffice
from edge.visit import Presented
from parking.clock import Clock
from parking.decision import Reason, Refusal
from parking.lot import Lot, SpotType

HINT_MIN = 60
MOST_EVENTS = 12
BETWEEN_SCREENS_S = 0.01

TAKEN_UP = Answer(accepted=True, sentence="One moment.")
NOT_NOW = Answer(accepted=False, sentence="The lane is busy. Wait until the barrier is down.")
NOTHING_OWED = Answer(accepted=False, sentence="There is nothing to pay here. Show your ticket.")
CALLED = Answer(accepted=True, sentence="A person was called. Help is on the way.")
ENDED = Answer(accepted=True, sentence="The call has ended.")
OPENS = Answer(accepted=True, sentence="The barrier opens.")
CANNOT_OPEN = Answer(
    accepted=False, sentence="The barrier is open or moving, or its controller does not answer."
)


@dataclass(slots=True, kw_only=True)
class LotDesk:
    """One lot's desk. `link_status` asks the line to the centre, `clock_status` how good the time is."""

    lot: Lot
    gateway: str
    software: str
    runners: Mapping[str, LaneRunner]
    lane_settings: Mapping[str, LaneSettings]
    ledger: Ledger
    leaving: Leaving
    office: TicketOffice
    prices: PriceList
    supervisors: Sequence[Supervisor]
    clock: Clock
    store_path: Path
    link_status: Callable[[], LinkStatus]
    clock_status: Callable[[], ClockStatus]
    picture_changed: Callable[[], None]
    figures: Callable[[], Mapping[str, float]] = dict
    started_at: datetime
    _watchers: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _recent: list[EventLine] = field(default_factory=list)
    _drawing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def follow(self) -> None:
        """Keep the views live: lanes tell their own changes, the ledger tells counts."""
        for lane, runner in self.runners.items():
            runner.changed = partial(self._lane_changed, lane)
        self.ledger.subscribe(self._note)

    # What the screens ask

    def lanes(self) -> tuple[str, ...]:
        """The lanes by id."""
        return tuple(self.runners)

    def lane_view(self, lane: str) -> LaneView:
        """What the lane's screen shows now, see `Desk.lane_view`."""
        runner, settings = self._runner(lane), self.lane_settings[lane]
        now, link, shown = self.clock.now(), self.link_status(), showing(runner)
        counts = self._counts(now)
        answered = None if runner.visit is None else runner.visit.answered
        return LaneView(
            lane=lane,
            kind=runner.kind,
            screen=shown.screen,
            lot=self.lot.name,
            at=now,
            timezone=self.lot.timezone.key,
            currency=self.lot.currency,
            link=link.state,
            link_since_at=link.since_at,
            counts=counts,
            price_hint=self._hint(now),
            types=tuple(count.type for count in counts if count.sellable),
            ticket=shown.ticket,
            stay=shown.stay,
            price=shown.price,
            payment=shown.payment,
            reason=shown.reason,
            until_at=None if answered is None else answered.until_at,
            called_at=runner.help_since_at,
            reader_side=ReaderSide(settings.reader_side),
            arm=arm_of(runner),
            busy=bool(runner.state.levels.vehicle),
        )

    async def watch(self, lane: str) -> AsyncIterator[LaneView]:
        """The view now and after each change, see `Desk.watch`."""
        self._runner(lane)
        woken = asyncio.Event()
        self._watchers.setdefault(lane, set()).add(woken)
        try:
            while True:
                woken.clear()
                yield self.lane_view(lane)
                await woken.wait()
                await self._lanes_first()
        finally:
            self._watchers[lane].discard(woken)

    async def _lanes_first(self) -> None:
        """One screen at a time, with a pause for everything else: drawing one takes as long as a lane's decision."""
        async with self._drawing:
            await asyncio.sleep(BETWEEN_SCREENS_S)

    async def quote(self, text: str) -> StayQuote | Refusal:
        """What the stay behind a ticket would cost now, see `Desk.quote`."""
        token = self.office.read(text)
        if token is None:
            return Refusal(reason=Reason.UNREADABLE)
        stay = self.leaving.stay_of(token)
        quote = self.leaving.quote(stay, self.clock.now())
        price = PriceView(
            lines=tuple(
                PriceLine(text=line.label, amount_minor=line.amount_minor) for line in quote.price.lines
            ),
            total_minor=quote.price.total_minor,
            currency=quote.price.currency,
            from_at=stay.entered_at or stay.admitted_at,
            to_at=quote.at,
        )
        return StayQuote(stay=stay_view(stay), price=price, paid_until_at=stay.paid_until)

    # What is done at a lane

    async def press_button(self, lane: str, spot_type: SpotType | None) -> Answer:
        """The driver asks for a ticket, see `Desk.press_button`."""
        return TAKEN_UP if self._runner(lane).present(Presented.button(spot_type)) else NOT_NOW

    async def present_code(self, lane: str, text: str) -> Answer:
        """Something was scanned at the screen."""
        return TAKEN_UP if self._runner(lane).present(Presented.code(text)) else NOT_NOW

    async def present_plate(self, lane: str, plate: str, confidence: float) -> Answer:
        """A camera read a plate."""
        return TAKEN_UP if self._runner(lane).present(Presented.plate(plate, confidence)) else NOT_NOW

    async def pay(self, lane: str) -> Answer:
        """Ask the lane's terminal for the price on the screen."""
        return TAKEN_UP if self._runner(lane).ask_payment() else NOTHING_OWED

    async def call_help(self, lane: str) -> Answer:
        """Call a person to the lane."""
        self._runner(lane).call_help("the driver asked for a person")
        return CALLED

    async def end_help(self, lane: str) -> Answer:
        """End the call."""
        self._runner(lane).end_help()
        return ENDED

    async def open_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        """A person opens the lane; it goes on record."""
        return OPENS if self._runner(lane).person_opens(by, reason) else CANNOT_OPEN

    # The whole box

    def status(self) -> StatusView:
        """The whole box now, see `Desk.status`."""
        now, link = self.clock.now(), self.link_status()
        drivers = tuple(supervisor.health() for supervisor in self.supervisors)
        disk = shutil.disk_usage(self.store_path.parent)
        lanes = tuple(self._lane_status(runner) for runner in self.runners.values())
        return StatusView(
            lot=self.lot.name,
            gateway=self.gateway,
            at=now,
            timezone=self.lot.timezone.key,
            software=self.software,
            started_at=self.started_at,
            ready=all(runner.state.phase is not LanePhase.UNREAD for runner in self.runners.values()),
            lanes=lanes,
            drivers=drivers,
            link=link,
            ledger=LedgerStatus(
                epoch=self.ledger.epoch,
                last_seq=self.ledger.last_seq,
                verdict=self.ledger.verdict,
                degraded=self.ledger.degraded,
                open_stays=len(self.ledger.open_stays()),
                size_bytes=self.store_path.stat().st_size if self.store_path.exists() else 0,
                tariff_version=self.prices.in_force(now).name_of_version,
            ),
            disk=DiskStatus(free_bytes=disk.free, total_bytes=disk.total),
            clock=self.clock_status(),
            counts=self._counts(now),
            faults=tuple(self._faults(link, drivers)),
            events=tuple(self._recent),
            memory_bytes=resident_bytes(),
            figures=self.figures(),
        )

    def _runner(self, lane: str) -> LaneRunner:
        runner = self.runners.get(lane)
        if runner is None:
            raise LaneUnknown(lane)
        return runner

    def _counts(self, now: datetime) -> tuple[TypeCount, ...]:
        return tuple(
            TypeCount(type=spot_type, sellable=now_.count, total=self.ledger.book.total(spot_type))
            for spot_type, now_ in self.ledger.counts(now).items()
        )

    def _hint(self, now: datetime) -> PriceHint:
        glance = self.prices.glance(now)
        return PriceHint(
            amount_minor=glance.amount_minor,
            currency=glance.currency,
            minutes=HINT_MIN,
            later=tuple(PriceStep(from_at=at, amount_minor=minor) for at, minor in glance.later),
            maximum_minor=glance.maximum_minor,
            free_min=glance.free_min,
        )

    def _lane_status(self, runner: LaneRunner) -> LaneStatus:
        phase = runner.state.phase
        detail = runner.help_why if runner.help_since_at is not None else ""
        return LaneStatus(
            lane=runner.lane,
            kind=runner.kind,
            state=phase.value.replace("_", " "),
            detail=detail,
            arm=arm_of(runner),
            last_passage_at=runner.last_passage_at,
            trouble=phase in STUCK or runner.help_since_at is not None,
        )

    def _faults(self, link: LinkStatus, drivers: Sequence[DriverHealth]) -> Sequence[Fault]:
        faults = [_lane_fault(runner) for runner in self.runners.values() if _in_trouble(runner)]
        if self.ledger.degraded is not None:
            faults.append(
                Fault(
                    title="The ledger cannot be written",
                    effect="Nobody new is let in; exits work.",
                    steps=(self.ledger.degraded, "Free space or replace the card, then look again."),
                    stops=True,
                )
            )
        if self.ledger.verdict == "fenced":
            faults.append(
                Fault(
                    title="This gateway is fenced",
                    effect="It sells nothing until a person has counted; exits work.",
                    steps=(self.ledger.fenced_because or "", "Count the cars and call the centre."),
                    stops=True,
                )
            )
        faults += [_driver_fault(health) for health in drivers if health.state in BROKEN_DRIVERS]
        if link.state is LinkState.DOWN:
            faults.append(
                Fault(
                    title="The line to the centre is down",
                    since_at=link.since_at,
                    effect=f"Parking works as usual. {link.backlog} records wait and go up by themselves.",
                    steps=("Check the router's lights and the cable.",),
                )
            )
        return sorted(faults, key=lambda fault: (not fault.waiting, not fault.stops))

    def _note(self, change: Change) -> None:
        for event in change.events:
            line = EventLine(
                at=self.clock.now(), text=event.kind.value.replace("_", " "), detail=_detail(event.body)
            )
            self._recent.insert(0, line)
        del self._recent[MOST_EVENTS:]
        if change.claims or change.stays:
            for lane in self.runners:
                self._wake(lane)

    def _lane_changed(self, lane: str) -> None:
        self._wake(lane)
        self.picture_changed()

    def _wake(self, lane: str) -> None:
        for woken in self._watchers.get(lane, ()):
            woken.set()


BROKEN_DRIVERS = frozenset({DriverState.SILENT, DriverState.WAITING, DriverState.MISCONFIGURED})


def _in_trouble(runner: LaneRunner) -> bool:
    return runner.help_since_at is not None or runner.state.phase in STUCK - {LanePhase.UNREAD}


def _lane_fault(runner: LaneRunner) -> Fault:
    title = {
        LanePhase.STUCK: f"{runner.lane}: the arm did not reach its end position",
        LanePhase.LOST: f"{runner.lane}: the barrier's controller does not answer",
    }.get(runner.state.phase, f"{runner.lane}: help was called")
    return Fault(
        title=title,
        since_at=runner.help_since_at,
        effect="The other lanes work." if runner.state.phase in STUCK else "",
        steps=(
            runner.help_why or "Look at the lane.",
            "Open it with a reason below, or clear the arm by hand.",
        ),
        waiting=bool(runner.state.levels.vehicle) or runner.help_since_at is not None,
    )


def _driver_fault(health: DriverHealth) -> Fault:
    return Fault(
        title=f"{health.name} is {health.state.value}",
        effect="What hangs on it is not known; everything else works.",
        steps=(health.last_error or "It says nothing: check its cable and power.",),
    )


def _detail(body: Mapping[str, object]) -> str:
    """The words of a fact that a person looks for: the lane, the reason, the state; nothing personal."""
    words = [str(body[key]) for key in ("lane", "move", "reason", "action") if body.get(key)]
    for row in ("claim", "stay", "payment"):
        inner = body.get(row)
        if isinstance(inner, Mapping):
            words += [str(inner[key]) for key in ("type", "state") if inner.get(key)]
    return ", ".join(words)
