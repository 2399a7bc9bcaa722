"""Keeps promises in step with time: every open stay keeps a claim, and who was let in and never came is forgotten.

Next files: parking/extension.py (what is to be done), edge/ledger.py. Extension follows civil time by its lower bound; the five minutes after which an
admitted stay without passage is void are real ones, and begin anew when the agent starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from edge.change import Change, Conflict, fact
from edge.ledger import Ledger
from edge.promise_facts import Risk, RisksTold, at_risk, rehomed
from parking.clock import TrustedClock
from parking.extension import Extension, due, extend, next_due_at
from parking.ids import ClaimId, StayId
from parking.stays import Stay, StayEvent, StayState
from parking.trouble import better_home, in_trouble
from sync.events import EventKind
from sync.instants import to_us

LOG = structlog.stdlib.get_logger("edge.promises")

LONGEST_WAIT_S = 30.0
LOOKS_AHEAD_EVERY = timedelta(minutes=1)
"""While a car is inside without a place of its own."""


@dataclass(slots=True, kw_only=True)
class Promises:
    """The upkeep of claims and stays."""

    ledger: Ledger
    clock: TrustedClock
    new_id: Callable[[], str]
    void_after_s: float
    _admitted_since: dict[StayId, float] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _risks: RisksTold = field(init=False)

    def __post_init__(self) -> None:
        self._risks = RisksTold(self.ledger)

    async def run(self) -> None:
        """Do what is due, and wait until something is, or something changed."""
        self.ledger.subscribe(self._wake)
        while True:
            self._woken.clear()
            self.tick()
            wait_s = self._wait_s()
            # Not wait_for: before 3.12 it forgets a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    def _wake(self, change: Change) -> None:
        if change.claims or change.stays:
            self._woken.set()

    def tick(self) -> None:
        """Extend what comes near its end and void what never came."""
        now = self.clock.released_before()
        for stay in due(self.ledger.book, now):
            plan = extend(
                self.ledger.book, stay, now=now, new_claim=ClaimId(self.new_id()), epoch=self.ledger.epoch
            )
            if plan is not None:
                self._carry_out(stay, plan)
        self._look_ahead(now)
        for stay in self._never_came():
            self._void(stay)

    def _carry_out(self, stay: Stay, plan: Extension) -> None:
        now = self.clock.now()
        conflicts = tuple(
            Conflict(claim=met.id, other=stay.id, detail="overstay: the promise has no place", at=now)
            for met in plan.at_risk
        )
        found = tuple(
            fact(
                EventKind.CONFLICT_FOUND,
                to_us(now),
                kind="at_risk",
                claim=conflict.claim,
                other=conflict.other,
                detail=conflict.detail,
            )
            for conflict in conflicts
        )
        moved = rehomed(self.ledger.book, plan.claims, at=now, why=Risk.OVERSTAY, stay=stay.id)
        risks = self._risks.new(plan.at_risk)
        told = (*found, *moved, *at_risk(risks, at=now, why=Risk.OVERSTAY, stay=stay.id))
        stays = () if plan.stay == stay else (plan.stay,)
        change = Change.record(at=now, claims=plan.claims, stays=stays, events=told, conflicts=conflicts)
        self.ledger.commit(
            replace(change, meta=self._risks.remembering(risks) if risks else {}), urgent=False
        )

    def _look_ahead(self, now: datetime) -> None:
        """Bookings about to begin that the cars inside leave no place for go to a better one, or the centre is told."""
        book = self.ledger.book
        for claim in in_trouble(book, now=now):
            moved = better_home(book, claim, now=now)
            if moved is not None:
                told = rehomed(book, (moved,), at=now, why=Risk.OVER_COUNT, stay=None)
                self.ledger.commit(Change.record(at=now, claims=(moved,), events=told), urgent=False)
            elif risks := self._risks.new((claim,)):
                told = at_risk(risks, at=now, why=Risk.OVER_COUNT)
                self.ledger.commit(
                    Change(events=tuple(told), meta=self._risks.remembering(risks)), urgent=False
                )

    def _never_came(self) -> list[Stay]:
        admitted = [stay for stay in self.ledger.open_stays() if stay.state is StayState.ADMITTED]
        now_s = self.clock.monotonic()
        since = self._admitted_since
        self._admitted_since = {stay.id: since.get(stay.id, now_s) for stay in admitted}
        return [stay for stay in admitted if now_s - self._admitted_since[stay.id] >= self.void_after_s]

    def _void(self, stay: Stay) -> None:
        now = self.clock.now()
        LOG.info("stay_voided", stay=stay.id, lane=stay.lane)
        change = Change.record(
            at=now, claims=self.ledger.book.release_of_void(stay), stays=(stay.after(StayEvent.VOIDED, now),)
        )
        self.ledger.commit(change, urgent=False)

    def _wait_s(self) -> float:
        """Real seconds until something is due."""
        waits = [LONGEST_WAIT_S]
        due_at = next_due_at(self.ledger.book)
        if due_at is not None:
            waits.append(max(0.05, self.clock.real_s(due_at - self.clock.released_before())))
        if any(stay.claim is None for stay in self.ledger.open_stays()):
            waits.append(max(0.05, self.clock.real_s(LOOKS_AHEAD_EVERY)))
        if self._admitted_since:
            oldest = min(self._admitted_since.values())
            waits.append(max(0.05, oldest + self.void_after_s - self.clock.monotonic()))
        return min(waits)
