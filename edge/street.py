"""The stays of a lot without lanes: its sensors' words become facts. Next files: parking/street.py (the rule), edge/ledger.py.

It follows the spots' rows as they become durable, so what is not believed of a sensor (edge/suspects.py) is no word here. Each stay that opens or
closes is one change, claim and all. Nothing is asked again and again: it sleeps until a row changes or a wait is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from edge.change import Change, SpotState
from edge.ledger import Ledger
from edge.price_list import PriceList
from parking.admission import NewIds
from parking.clock import TrustedClock
from parking.ids import ClaimId, SpotId, StayId
from parking.lot import Tier
from parking.stays import CredentialKind, Stay, StayEvent
from parking.street import WORDS, Bay, BayEvent, BayPhase, Waits, claim_on, credential_at, stay_on


class Street:
    """The bays of one street, each with at most one open stay."""

    def __init__(
        self, ledger: Ledger, *, prices: PriceList, clock: TrustedClock, new_id: Callable[[], str]
    ) -> None:
        policy = ledger.lot.policy
        self._ledger = ledger
        self._prices = prices
        self._clock = clock
        self._new_id = new_id
        self._waits = Waits(
            stands_after_s=clock.real_s(policy.stands_after), gone_after_s=clock.real_s(policy.gone_after)
        )
        self._writer = f"{Tier.EDGE}:{ledger.epoch}"
        self._bays: dict[SpotId, Bay] = {}
        self._over_s: dict[SpotId, float] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Open and close stays until cancelled."""
        self.begin()
        while True:
            self._woken.clear()
            self.tick()
            wait_s = self._wait_s()
            # Not wait_for: before 3.12 it forgets a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()

    def begin(self) -> None:
        """Follow the ledger, and read how its spots stand: open stays are found again, every wait begins now."""
        self._ledger.subscribe(self._note)
        for spot in self._ledger.lot.spots:
            stay = self._ledger.open_stay(credential_at(spot.id))
            self._bays[spot.id] = Bay(phase=BayPhase.EMPTY if stay is None else BayPhase.TAKEN)
            row = self._ledger.spot_state(spot.id, self._writer)
            if row is not None:
                self._hear(row)

    def tick(self) -> None:
        """Act on every wait that is over."""
        now_s = self._clock.monotonic()
        for spot in [spot for spot, over_s in self._over_s.items() if over_s <= now_s]:
            before = self._bays[spot]
            if self._step(spot, BayEvent.LASTED).phase is BayPhase.TAKEN:
                self._open(spot, before)
            else:
                self._close(spot, before)

    def _note(self, change: Change) -> None:
        for row in change.spot_states:
            self._hear(row)
        for stay in change.stays:
            if not stay.is_open and stay.credential.kind is CredentialKind.SENSOR:
                self._closed_by_another(stay)

    def _hear(self, row: SpotState) -> None:
        word = WORDS.get(row.state)
        if word is not None and row.writer == self._writer and row.spot in self._bays:
            self._step(row.spot, word)

    def _closed_by_another(self, stay: Stay) -> None:
        """A recount, or a person at the desk; our own closing left no stay here, and a newer one is not meant."""
        spot = SpotId(stay.credential.subject)
        if spot in self._bays and self._ledger.open_stay(stay.credential) is None:
            self._step(spot, BayEvent.CLOSED)

    def _step(self, spot: SpotId, event: BayEvent) -> Bay:
        before = self._bays[spot]
        bay = before.after(event, now_s=self._clock.monotonic(), now_at=self._clock.now())
        if bay is not before:
            self._bays[spot] = bay
            self._over_s.pop(spot, None)
            over_s = self._waits.over_s(bay)
            if over_s is not None:
                self._over_s[spot] = over_s
                self._woken.set()
        return bay

    def _open(self, spot: SpotId, arrived: Bay) -> None:
        """The car is on record since its first word. What is promised it begins where time has certainly come to, as every sale does."""
        now, book = self._clock.now(), self._ledger.book
        ids = NewIds(stay=StayId(self._new_id()), claim=ClaimId(self._new_id()), epoch=self._ledger.epoch)
        claim = claim_on(
            book, spot, now=self._clock.released_before(), ids=ids, clock_known=self._clock.known
        )
        version = self._prices.in_force(now).name_of_version
        since_at = min(arrived.since_at or now, now)
        stay = stay_on(book, spot, claim, since_at=since_at, ids=ids, tariff_version=version)
        self._ledger.commit(Change.record(at=now, claims=() if claim is None else (claim,), stays=(stay,)))

    def _close(self, spot: SpotId, left: Bay) -> None:
        """The car left with the first word that said so."""
        stay = self._ledger.open_stay(credential_at(spot))
        if stay is None:
            return
        now = self._clock.now()
        left_at = max(min(left.since_at or now, now), stay.admitted_at)
        claims = self._ledger.book.release_of(stay)
        self._ledger.commit(
            Change.record(at=now, claims=claims, stays=(stay.after(StayEvent.LEFT, left_at),))
        )

    def _wait_s(self) -> float | None:
        """Real seconds until a wait is over; None where there is none."""
        over_s = min(self._over_s.values(), default=None)
        return None if over_s is None else max(0.0, over_s - self._clock.monotonic())
