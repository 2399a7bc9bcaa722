"""A restart at any moment of any history finds the same ledger (complaints rows 5 and 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.change import Change, SpotState
from edge.ledger import Ledger
from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.stays import StayEvent, StayState
from sync.chain import genesis, verify
from tests.integration.edge.conftest import Premises, small_lot

STEPS = (
    "admit",
    "enter",
    "leave",
    "void",
    "extend",
    "swap",
    "sense",
    "acknowledge",
    "line lost",
    "line back",
    "later",
)


def picture(ledger: Ledger) -> tuple[object, ...]:
    """All that a lane, a screen or the link could ask."""
    return (
        sorted(ledger.book.claims(), key=lambda claim: claim.id),
        sorted(ledger.open_stays(), key=lambda stay: stay.id),
        ledger.counts(),
        sorted(ledger.spot_states(), key=lambda state: state.spot),
        sorted(state.spot for state in ledger.dirty_spot_states(100)),
        ledger.acknowledged_seq,
        ledger.meta("outage_since_us"),
        ledger.meta("outage_count"),
        ledger.verdict,
    )


@dataclass(slots=True)
class History:
    """Does one step after the other, whatever they are."""

    premises: Premises
    ledger: Ledger
    n: int = 0

    def do(self, step: str, which: int) -> None:
        now = self.premises.clock.now()
        stays = sorted(self.ledger.open_stays(), key=lambda stay: stay.id)
        stay = stays[which % len(stays)] if stays else None
        if step == "admit" and len(stays) < len(self.premises.lot.spots):
            self.ledger.commit(self.premises.admit(self.ledger)[0])
        elif step == "enter" and stay is not None and stay.state is StayState.ADMITTED:
            self.ledger.commit(Change.record(at=now, stays=(stay.after(StayEvent.ENTERED, now),)))
        elif step == "leave" and stay is not None and stay.claim is not None:
            released = self.ledger.book.release(stay.claim)
            self.ledger.commit(
                Change.record(at=now, claims=(released,), stays=(stay.after(StayEvent.LEFT, now),))
            )
        elif (
            step == "void"
            and stay is not None
            and stay.state is StayState.ADMITTED
            and stay.claim is not None
        ):
            released = self.ledger.book.release(stay.claim)
            self.ledger.commit(
                Change.record(at=now, claims=(released,), stays=(stay.after(StayEvent.VOIDED, now),))
            )
        elif step == "extend" and stay is not None and stay.claim is not None:
            claim = self.ledger.book.claim(stay.claim)
            longer = claim.with_window(claim.window.ending(now + timedelta(hours=9)))
            self.ledger.commit(Change.record(at=now, claims=(longer,)))
        elif step == "swap" and len(self.ledger.book.claims()) > 1:
            one, two = sorted(self.ledger.book.claims(), key=lambda claim: claim.id)[:2]
            self.ledger.commit(Change.record(at=now, claims=(one.on_spot(two.spot), two.on_spot(one.spot))))
        elif step == "sense":
            self._sense(which)
        elif step == "acknowledge":
            self.ledger.acknowledge(self.ledger.last_seq, self.ledger.last_hash)
        elif step == "line lost":
            self.ledger.line_lost()
        elif step == "line back":
            self.ledger.line_back()
        elif step == "later":
            self.premises.clock.at += timedelta(minutes=7)

    def _sense(self, which: int) -> None:
        self.n += 1
        state = SpotState(
            spot=self.premises.lot.spots[which % 3].id,
            writer="edge:1",
            n=self.n,
            state="occupied" if which % 2 else "free",
            source="s",
            occurred_at=self.premises.clock.now(),
        )
        self.ledger.commit(Change(spot_states=(state,)))
        if which % 5 == 0:
            self.ledger.mark_uploaded([state])


async def live(premises: Premises, steps: Sequence[tuple[str, int]], restart_every: int) -> None:
    history = History(premises, premises.start())
    for number, (step, which) in enumerate(steps, start=1):
        history.do(step, which)
        if number % restart_every == 0:
            before = picture(history.ledger)
            last_hash, last_seq = history.ledger.last_hash, history.ledger.last_seq
            await history.ledger.close()
            history.ledger = premises.start()
            assert picture(history.ledger) == before
            assert history.ledger.hash_at(last_seq) == last_hash
            assert history.ledger.losses == ()
    await history.ledger.close()
    again = premises.start()
    assert verify(genesis("gateway-1", 1), again.log_page(0, 10_000)) == again.last_hash
    await again.close()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20)), max_size=40),
    st.integers(1, 10),
)
def test_whatever_happened_a_restart_finds_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], restart_every: int
) -> None:
    asyncio.run(live(Premises(tmp_path_factory.mktemp("card"), small_lot()), steps, restart_every))


async def test_a_hold_is_the_same_after_a_restart_at_each_of_its_transitions(premises: Premises) -> None:
    ledger = premises.start()
    now = premises.clock.now()
    held = Claim(
        id=ClaimId("held"),
        spot=premises.lot.spots[0].id,
        type=SpotType.REGULAR,
        window=Interval(now + timedelta(hours=1), now + timedelta(hours=2)),
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id="r",
        state=ClaimState.HELD,
        sold_by=Tier.CLOUD,
        epoch=1,
    )
    firm = held.moved_to(ClaimState.FIRM)
    released = firm.moved_to(ClaimState.RELEASED)
    for claim in (held, firm, released):
        await ledger.commit(Change.record(at=now, claims=(claim,)), urgent=True)
        await ledger.close()
        ledger = premises.start()
        expected = [] if claim is released else [claim]
        assert ledger.book.claims() == expected
    await ledger.commit(Change.record(at=now, claims=(held,)))  # a late word never brings it back
    assert ledger.book.claims() == []
    await ledger.close()
    assert premises.start().book.claims() == []
