"""Centre, lot and provider together: whatever is lost, repeated, late or dies, one decision, nothing sold twice, money where the booking is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.booking import CoordinatorState
from sync.part import ParticipantState
from sync.payment import PaymentNews, PaymentStanding
from sync.transaction import Outcome
from tests.unit.sync.parties import ACTIONS, World, windows

schedules = st.lists(st.tuples(st.integers(0, len(ACTIONS) - 1), st.integers(0, 60)), max_size=80)


@given(schedules)
@settings(max_examples=400)
def test_no_order_of_faults_sells_twice_or_takes_money_without_a_booking_and_calm_ends_every_doubt(
    schedule: list[tuple[int, int]],
) -> None:
    world = World()
    for action, number in schedule:
        ACTIONS[action](world, number)
        world.check()
    world.calm()
    world.check()
    nothing_is_left_undone(world)


def long_run(seed: int, seen: Counter[tuple[object, str]]) -> None:
    """One long schedule; a failure names the seed that repeats it."""
    random, world = Random(seed), World(random=Random(seed))
    try:
        for _ in range(random.randint(10, 160)):
            ACTIONS[random.randrange(len(ACTIONS))](world, random.randrange(61))
            world.check()
        world.calm()
        world.check()
        nothing_is_left_undone(world)
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}: {failure}") from failure
    seen += world.seen


C, L = CoordinatorState, ParticipantState
CORNERS: tuple[tuple[object, str], ...] = (
    *product(
        (C.PREPARING, C.COMMITTED, C.ABORTED),
        ("VoteArrived", "LogApplied", "Tick", "TakeOver", "LinkOpened", "Inquired"),
    ),
    (C.PREPARING, "MetByFact"),
    (C.PREPARING, "PaymentLost"),
    (C.COMMITTED, "PassReported"),
    (C.COMMITTED, "AcknowledgedBy"),
    (C.ABORTED, "AcknowledgedBy"),
    (C.ABORTED, "NothingOwn"),
    *product(L, ("Decided",)),
    *product((L.NONE, L.PREP, L.COMM, L.COMM_BY_HAND, L.ABRT_BY_HAND, L.CANC), ("PassShown", "Cancelled")),
    *product((L.NONE, L.PREP, L.COMM, L.ABRT), ("PrepareArrived",)),
    (L.PREP, "OperatorDecides"),
)
"""What must have happened in some run, or the zeroes mean nothing."""


def run_all(seeds: Iterable[int]) -> None:
    seen: Counter[tuple[object, str]] = Counter()
    for seed in seeds:
        long_run(seed, seen)
    assert [corner for corner in CORNERS if not seen[corner]] == []


def test_long_runs_of_every_fault_reach_every_corner_and_break_nothing() -> None:
    run_all(range(200))


@pytest.mark.proof
def test_twenty_thousand_long_runs_break_nothing() -> None:
    run_all(range(20_000))


def nothing_is_left_undone(world: World) -> None:
    assert not [p for p in world.lot.card.parts.values() if p.state is ParticipantState.PREP]
    undecided = {CoordinatorState.PREPARING, CoordinatorState.WITHHELD}
    assert not [row for row in world.centre.rows.values() if row.state in undecided]
    for row in world.centre.rows.values():
        if row.state is CoordinatorState.COMMITTED:
            money = world.provider.money[row.id.reservation]
            assert money is PaymentNews.CAPTURED or row.id.reservation in world.centre.receivables
        if row.state is CoordinatorState.ABORTED and not row.superseded:
            assert world.provider.money[row.id.reservation] is PaymentNews.CANCELLED
        assert not row.untold
    held = {PaymentStanding.CAPTURING, PaymentStanding.VOIDING, PaymentStanding.REFUNDING}
    assert not [money for money in world.centre.money.values() if money in held]


def carry(world: World) -> None:
    """Everything arrives and becomes durable; no time passes."""
    while world.lot.waiting or world.network:
        world.lot.fsync()
        world.deliver(0)
    while world.centre.applied < len(world.lot.card.log):
        world.centre.apply_next()


def test_a_booking_with_the_line_up_is_committed_in_one_round_trip() -> None:
    world = World()
    booked = world.book(windows(0))
    assert world.centre.rows[booked].state is CoordinatorState.PREPARING
    world.deliver(0)
    world.lot.fsync()
    assert world.centre.rows[booked].state is CoordinatorState.PREPARING
    world.deliver(0)
    assert world.centre.rows[booked].state is CoordinatorState.COMMITTED
    assert [frame for _, frame in world.network] != []


def test_a_vote_is_not_on_the_line_before_its_claim_is_on_the_card() -> None:
    world = World()
    world.book(windows(0))
    world.deliver(0)
    assert world.network == []
    assert world.lot.card.claims == {}
    world.lot.start()
    world.lot.fsync()
    assert world.network == []


def test_the_cloud_waits_for_the_log_up_to_the_vote_before_it_decides() -> None:
    world = World()
    world.lot.sell_at_the_gate(windows(0))
    world.lot.fsync()
    booked = world.book(windows(0))
    world.deliver(0)
    world.lot.fsync()
    world.deliver(0)
    assert world.centre.rows[booked].state is CoordinatorState.PREPARING
    world.centre.apply_next()
    assert world.centre.rows[booked].state is CoordinatorState.COMMITTED


def test_the_last_place_goes_to_one_and_the_other_falls_back_to_the_clouds_own_or_hears_no() -> None:
    world = World()
    for _ in range(3):
        world.lot.sell_at_the_gate(windows(0))
    carry(world)
    first, second = world.book(windows(0)), world.book(windows(0))
    carry(world)
    states = {(row.id.reservation, row.id.revision): row.state for row in world.centre.rows.values()}
    assert states[first.reservation, 2] is CoordinatorState.COMMITTED
    assert (second.reservation, 2) not in states
    world.calm()
    assert world.provider.money[second.reservation] is PaymentNews.CANCELLED
    assert world.provider.money[first.reservation] is PaymentNews.CAPTURED
    world.check()


def test_a_driver_whose_lot_was_cut_off_between_vote_and_decision_drives_in_on_the_pass() -> None:
    world = World()
    booked = world.book(windows(0))
    world.deliver(0)
    world.lot.fsync()
    world.network, votes = [], world.network
    world.cut()
    (_, vote) = votes[0]
    world.arrive(vote)
    row = world.centre.rows[booked]
    assert row.state is CoordinatorState.COMMITTED
    assert world.lot.participants.part(booked).state is ParticipantState.PREP
    world.lot.show_pass(row)
    assert world.lot.participants.part(booked).state is ParticipantState.COMM
    world.calm()
    world.check()
    nothing_is_left_undone(world)


def test_a_lot_that_never_heard_of_a_booking_admits_on_the_pass_and_moves_the_stay_when_the_claim_comes() -> (
    None
):
    world = World()
    world.cut()
    booked = world.book(windows(0), own=True)
    row = world.centre.rows[booked]
    assert row.state is CoordinatorState.COMMITTED
    world.lot.show_pass(row)
    (stay,) = world.lot.book.open_stays()
    assert stay.claim is not None
    assert stay.claim.startswith("lot-")
    world.calm()
    (stay,) = world.lot.book.open_stays()
    assert stay.claim == row.own_claims[0].id
    assert [claim.spot for claim in world.lot.book.claims()] == ["c0"]
    world.check()


def test_a_decision_by_hand_that_the_coordinator_contradicts_is_told_and_the_coordinators_stands() -> None:
    world = World()
    booked = world.book(windows(0))
    world.deliver(0)
    world.lot.fsync()
    world.cut()
    world.decide_by_hand(0, Outcome.COMMITTED)
    world.pass_time(20)
    assert world.centre.rows[booked].state is CoordinatorState.ABORTED
    world.calm()
    assert world.lot.participants.part(booked).state is ParticipantState.ABRT
    assert [clash.kind for commit in world.lot.card.log for clash in commit.clashes] == [
        "decision_contradicted"
    ]
    world.check()


def test_after_the_faults_a_fresh_sale_works_on_both_sides() -> None:
    world = World()
    world.book(windows(0))
    world.lot.fsync()
    world.cut()
    world.lot.start()
    world.pass_time(20)
    world.calm()
    booked = world.book(windows(3))
    carry(world)
    assert world.centre.rows[booked].state is CoordinatorState.COMMITTED
    assert world.lot.sell_at_the_gate(windows(3))
