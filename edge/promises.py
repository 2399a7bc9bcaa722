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
"""While a car is inside for whose stay nothing can be done now: it is looked at again after this, or as soon as something gives way."""


@dataclass(slots=True, kw_only=True)
class Promises:
    """The upkeep of claims and stays."""

    ledger: Ledger
    clock: TrustedClock
    new_id: Callable[[], str]
    void_after_s: float
    _admitted_since: dict[StayId, float] = field(default_factory=dict)
    _in_vain_until: dict[StayId, datetime] = field(default_factory=dict)
    _freed_then: int = -1
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
        self._extend_what_is_due(now)
        self._look_ahead(now)
        for stay in self._never_came():
            self._void(stay)

    def _extend_what_is_due(self, now: datetime) -> None:
        """What was tried in vain is tried again when something gave way, or after a minute: planning looks through the whole lot."""
        book = self.ledger.book
        known = self._in_vain_until if book.freed == self._freed_then else {}
        self._freed_then = book.freed
        self._in_vain_until = {}
        for stay in due(book, now):
            until = known.get(stay.id)
            if until is not None and now < until:
                self._in_vain_until[stay.id] = until
                continue
            plan = extend(book, stay, now=now, new_claim=ClaimId(self.new_id()), epoch=self.ledger.epoch)
            if plan is None:
                self._in_vain_until[stay.id] = self._again_at(stay, now)
            else:
                self._carry_out(stay, plan)

    def _again_at(self, stay: Stay, now: datetime) -> datetime:
        """A claim that ends sooner than the next look is the other tier's: once it is over, the stay is without one."""
        ends_at = None if stay.claim is None else self.ledger.book.claim(stay.claim).window.ends_at
        looks_at = now + LOOKS_AHEAD_EVERY
        return looks_at if ends_at is None or ends_at <= now else min(looks_at, ends_at)

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
        due_at = next_due_at(self.ledger.book, but=self._in_vain_until)
        dues = [*(() if due_at is None else (due_at,)), *self._in_vain_until.values()]
        now = self.clock.released_before()
        waits += [max(0.05, self.clock.real_s(at - now)) for at in dues]
        if self._admitted_since:
            oldest = min(self._admitted_since.values())
            waits.append(max(0.05, oldest + self.void_after_s - self.clock.monotonic()))
        return min(waits)
