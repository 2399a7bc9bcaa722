"""A person counted the cars: the ledger follows, in one change, and what was held against counters and sensors begins anew. Next: parking/recount.py.

It is the only way in which a count changes who is inside. What is on disk when this returns is said with it: where the disk fills up in this very
moment the count stands in memory, and is written as soon as it can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import structlog

from edge.change import Change, fact
from edge.durable import is_durable
from edge.ledger import Ledger
from edge.price_list import PriceList
from edge.suspects import Suspects
from parking.clock import TrustedClock
from parking.lot import SpotType
from parking.recount import MiscountFound, Recount, Recounting, plan_recount
from parking.stays import Stay
from sync.events import EventDraft, EventKind
from sync.instants import to_us

LOG = structlog.stdlib.get_logger("edge.recounts")


class NotStoring(StrEnum):
    """Why no count is taken now."""

    NOT_STORING = "not_storing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recounted:
    """What a count did; `durable` False: the disk took nothing in that moment, it is written once it does."""

    recount: Recount
    durable: bool


@dataclass(slots=True, kw_only=True)
class Recounts:
    """Takes counts in."""

    ledger: Ledger
    prices: PriceList
    suspects: Suspects
    clock: TrustedClock
    new_id: Callable[[], str]
    done: Counter[str] = field(default_factory=lambda: Counter(recounts=0, closed=0, opened=0))

    async def recount(
        self, counted: Mapping[SpotType, int], *, by: str, reason: str
    ) -> Recounted | MiscountFound | NotStoring:
        """Make the ledger say what was counted. Types that are not named are left as they are.

        Raises:
            StoreError: the commit failed for good; the process must end.
        """
        if self.ledger.unwritable is not None:
            return NotStoring.NOT_STORING
        now = self.clock.now()
        plan = plan_recount(self.ledger.book, self.ledger.lot, counted, self._recounting(now))
        if isinstance(plan, MiscountFound):
            return plan
        events = (_told(plan, now, by=by, reason=reason), *self.suspects.begin_anew(now))
        change = Change.record(at=now, claims=plan.claims, stays=plan.stays, events=events)
        written = self.ledger.commit(change, urgent=True)
        self.done.update(recounts=1, closed=len(plan.closed), opened=len(plan.opened))
        LOG.info("recounted", closed=len(plan.closed), opened=len(plan.opened), counted=_plain(plan.counted))
        return Recounted(recount=plan, durable=await is_durable(self.ledger, written))

    def _recounting(self, now: datetime) -> Recounting:
        return Recounting(
            now=now,
            epoch=self.ledger.epoch,
            tariff_version=self.prices.in_force(now).name_of_version,
            clock_known=self.clock.known,
            new_id=self.new_id,
            seen_at=self._seen_at,
        )

    def _seen_at(self, stay: Stay) -> datetime:
        """When its driver was last at a lane: came in, or was told a price."""
        asked = (demand.made_at for demand in self.ledger.demands_of(stay.id))
        return max((stay.entered_at or stay.admitted_at, *asked))


def _told(plan: Recount, now: datetime, *, by: str, reason: str) -> EventDraft:
    return fact(
        EventKind.RECOUNT,
        to_us(now),
        by=by,
        reason=reason,
        before=_plain(plan.before),
        counted=_plain(plan.counted),
        closed=len(plan.closed),
        opened=len(plan.opened),
    )


def _plain(cars: Mapping[SpotType, int]) -> dict[str, int]:
    return {str(kind): count for kind, count in cars.items()}
