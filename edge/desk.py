"""The lot's desk: what the screens ask and what a person does, put to the lanes. Implements `edge.api.desk.Desk`.

Story "walk-in" at the screen, next file: edge/lane_runner.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from edge.api.desk import (
    Answer,
    LaneUnknown,
    LaneView,
    LinkStatus,
    PriceHint,
    PriceStep,
    PriceView,
    ReaderSide,
    StatusView,
    StayQuote,
)
from edge.change import Change
from edge.lane_runner import LaneRunner
from edge.lane_words import DRIVER_ASKED
from edge.leaving import Leaving
from edge.ledger import Ledger
from edge.lot_status import LotStatus
from edge.price_list import PriceList
from edge.screens import arm_of, price_lines, showing, stay_view
from edge.settings import LaneSettings
from edge.ticket_office import TicketOffice
from edge.visit import Presented, Visit
from parking.clock import Clock
from parking.decision import Reason, Refusal
from parking.lot import LaneKind, Lot, SpotType

HINT_MIN = 60
BETWEEN_SCREENS_S = 0.01

TAKEN_UP = Answer(accepted=True, sentence="One moment.")
NOT_NOW = Answer(accepted=False, sentence="The lane is busy. Wait until the barrier is down.")
NOTHING_OWED = Answer(accepted=False, sentence="There is nothing to pay here. Show your ticket.")
NOBODY_TO_ADMIT = Answer(accepted=False, sentence="No car waits at this entry, or it is being dealt with.")
CALLED = Answer(accepted=True, sentence="A person was called. Help is on the way.")
ENDED = Answer(accepted=True, sentence="The call has ended.")
OPENS = Answer(accepted=True, sentence="The barrier opens.")
CANNOT_OPEN = Answer(
    accepted=False, sentence="The barrier is open or moving, or its controller does not answer."
)


@dataclass(slots=True, kw_only=True)
class LotDesk:
    """One lot's desk. `box` is the whole lot's status; `link_status` asks the line to the centre."""

    lot: Lot
    runners: Mapping[str, LaneRunner]
    lane_settings: Mapping[str, LaneSettings]
    box: LotStatus
    ledger: Ledger
    leaving: Leaving
    office: TicketOffice
    prices: PriceList
    clock: Clock
    link_status: Callable[[], LinkStatus]
    picture_changed: Callable[[], None]
    _watchers: dict[str, set[asyncio.Event]] = field(default_factory=dict)
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
        counts = self.box.counts()
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
            plate=shown.plate,
            called_at=None if runner.help is None else runner.help.since_at,
            reader_side=ReaderSide(settings.reader_side),
            arm=arm_of(runner),
            busy=bool(runner.state.levels.vehicle),
            directions=self.lot.policy.when_full if shown.reason is Reason.BOOKED_BUT_FULL else "",
            books=runner.kind is LaneKind.ENTRY and settings.terminal is not None,
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
        readable, stay = self.leaving.find(Visit(lane="", presented=Presented.code(text)))
        if not readable:
            return Refusal(reason=Reason.UNREADABLE)
        if stay is None:
            return Refusal(reason=Reason.NO_SUCH_STAY)
        quote = self.leaving.quote(stay, self.clock.now())
        price = PriceView(
            lines=price_lines(quote.lines),
            total_minor=quote.owed_minor,
            currency=quote.price.currency,
            from_at=stay.entered_at or stay.admitted_at,
            to_at=quote.at,
        )
        return StayQuote(stay=stay_view(stay), price=price, paid_until_at=stay.paid_until)

    # What is done at a lane

    async def press_button(self, lane: str, spot_type: SpotType | None) -> Answer:
        """The driver asks for a ticket, see `Desk.press_button`; where several types of space are free, the screen asks which."""
        runner = self._runner(lane)
        if spot_type is None and self._several_types_are_free():
            return TAKEN_UP if runner.ask_which_type() else NOT_NOW
        return TAKEN_UP if runner.present(Presented.button(spot_type)) else NOT_NOW

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
        self._runner(lane).call_help(DRIVER_ASKED, by_driver=True)
        return CALLED

    async def end_help(self, lane: str) -> Answer:
        """End the call."""
        self._runner(lane).end_help()
        return ENDED

    async def open_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        """A person opens the lane; it goes on record."""
        return OPENS if self._runner(lane).person_opens(by, reason) else CANNOT_OPEN

    async def admit_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        """A person lets the car at an entry in, over the count if need be; it gets a ticket, and it goes on record."""
        runner = self._runner(lane)
        if runner.kind is LaneKind.EXIT or not runner.present(Presented.by_hand(by, reason)):
            return NOBODY_TO_ADMIT
        return TAKEN_UP

    def status(self) -> StatusView:
        """The whole box now, see `Desk.status`."""
        return self.box.view()

    def _runner(self, lane: str) -> LaneRunner:
        runner = self.runners.get(lane)
        if runner is None:
            raise LaneUnknown(lane)
        return runner

    def _several_types_are_free(self) -> bool:
        return sum(left.count > 0 for left in self.ledger.counts().values()) > 1

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

    def _note(self, change: Change) -> None:
        self.box.note(change)
        if change.claims or change.stays:
            for lane in self.runners:
                self._wake(lane)

    def _lane_changed(self, lane: str) -> None:
        self._wake(lane)
        self.picture_changed()

    def _wake(self, lane: str) -> None:
        for woken in self._watchers.get(lane, ()):
            woken.set()
