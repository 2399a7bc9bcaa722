"""The web's part of the demo: bookings one by one, a race with the kiosks for the last places, one in doubt; drivers who come with their pass.

Next file: simulators/web_driver.py.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from parking.clock import Clock
from simulators.decision_cut import DecisionCut
from simulators.kiosk_buyers import KioskBuyers
from simulators.network import Line
from simulators.programs import Program
from simulators.web_crowd import (
    LASTS,
    RACE_AT,
    RACED,
    RIVALS,
    STAYS,
    WebDriver,
    in_doubt,
    racers,
    web_drivers,
)
from simulators.web_driver import NoAnswer, PaidDraft, Told, Web, WebWish

LOST_RACE = frozenset({"full", "spot_taken", "would_not_pack", "met_by_fact"})
"""Reasons by which somebody else got the place; the others are about the line."""
AHEAD_S = 3.0
STRIKES_WITHIN_S = 5.0
Tell = Callable[[str, str], None]


@dataclass(slots=True, kw_only=True)
class WebNews:
    """What the web's drivers were told so far, for the live view. `raced` is (booked, just taken) of the race once it is over.

    `doubt_s` is when a decision was lost on the line, `known_s` when the lot knew it; real monotonic seconds.
    """

    told: Counter[str] = field(default_factory=Counter)
    raced: tuple[int, int] | None = None
    doubt_s: float | None = None
    known_s: float | None = None
    in_doubt: int = 0

    def doubts(self, count: int, now_s: float) -> None:
        """So many bookings are in doubt at the lot now."""
        if self.doubt_s is not None and self.known_s is None and self.in_doubt and not count:
            self.known_s = now_s
        self.in_doubt = count


@dataclass(slots=True, kw_only=True)
class WebTraffic:
    """Who books, on the demo's time: `started_s` is the real second at which traffic began, `seconds` how long it lasts."""

    web: Web
    kiosks: KioskBuyers
    lot: Program
    clock: Clock
    seed: int
    seconds: float
    news: WebNews
    tell: Tell
    started_s: float = 0.0
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, started_s: float) -> None:
        """Everybody of the seed books in his time; done when all were told and set out.

        Raises:
            Exception: whatever a driver's browser does not expect.
        """
        self.started_s = started_s
        async with asyncio.TaskGroup() as group:
            for driver in web_drivers(self.seed):
                group.create_task(self._books(driver))
            group.create_task(self._race())

    async def doubt(self, cut: DecisionCut, line: Line) -> bool:
        """One more booking, whose decision is lost on its way to the lot; whether that happened. The driver comes later by himself."""
        driver = in_doubt()
        cut.arm(line)
        booking = asyncio.create_task(self._books(driver))
        self._at_work.add(booking)
        struck = await cut.struck(STRIKES_WITHIN_S)
        if struck:
            self.news.doubt_s = time.monotonic()
        return struck

    async def ended(self) -> None:
        """Whoever `doubt` sent out has come.

        Raises:
            Exception: whatever a driver's browser does not expect.
        """
        await asyncio.gather(*self._at_work)

    async def _books(self, driver: WebDriver) -> None:
        await self._until(driver.asks_at)
        told = await self._told(self.web.book(self._wish(driver)))
        if told is not None and told.booked and driver.comes_at is not None:
            await self._until(driver.comes_at)
            self._comes(told)

    async def _race(self) -> None:
        """All have paid and press the button at once, while others of the type stand at the kiosks."""
        wanted = racers()
        await self._until(RACE_AT - AHEAD_S / self.seconds)
        drafts = await asyncio.gather(*(self._paid(self._wish(one)) for one in wanted))
        await self._until(RACE_AT)
        self.lot.tell(do="arrive", type=RACED.value, count=RIVALS, stays_min=STAYS / timedelta(minutes=1))
        buying = asyncio.gather(
            *(self.kiosks.book(lane, RACED, self.clock.now(), LASTS) for lane in self.kiosks.lanes)
        )
        answers = await asyncio.gather(
            *(self._told(self.web.confirm(draft)) for draft in drafts if draft is not None)
        )
        at_kiosks = sum(not reason for reason in await buying)
        booked = [told for told in answers if told is not None and told.booked]
        taken = sum(1 for told in answers if told is not None and told.reason in LOST_RACE)
        self.news.raced = (len(booked), taken)
        self.tell(
            "✓",
            f"{len(answers)} on the web, {RIVALS} cars and {len(self.kiosks.lanes)} buyers at the kiosks: {len(booked)} and {at_kiosks}"
            f" booked, {taken} heard just taken",
        )
        for told in booked[:2]:
            self._comes(told)

    async def _paid(self, wish: WebWish) -> PaidDraft | None:
        try:
            return await self.web.pay(wish)
        except NoAnswer:
            self.news.told["failed"] += 1
            return None

    async def _told(self, asking: Awaitable[Told]) -> Told | None:
        try:
            told = await asking
        except NoAnswer:
            self.news.told["failed"] += 1
            return None
        kind = "booked" if told.booked else ("lost" if told.reason in LOST_RACE else "turned_away")
        self.news.told[kind] += 1
        return told

    def _comes(self, told: Told) -> None:
        self.lot.tell(
            do="arrive",
            type=told.wish.type.value,
            code=told.token,
            reservation=told.reservation,
            stays_min=STAYS / timedelta(minutes=1),
        )

    def _wish(self, driver: WebDriver) -> WebWish:
        starts_at = self.clock.now() + driver.starts_in
        return WebWish(
            driver=driver.driver,
            type=driver.type,
            starts_at=starts_at,
            ends_at=starts_at + driver.lasts,
            card=driver.card,
        )

    async def _until(self, share: float) -> None:
        await asyncio.sleep(max(0.0, self.started_s + share * self.seconds - time.monotonic()))
