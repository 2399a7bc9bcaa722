"""What a lane does, whole: every phase against every event, and long random lives of its hardware."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.lanes import (
    ENTRY,
    EXIT,
    TABLES,
    TIME_OUTS,
    LaneEffect,
    LaneEvent,
    LanePhase,
    LaneState,
    LaneTable,
    Levels,
    see,
    step,
)

DOWN = Levels(vehicle=False, safety=False, arm_up=False, arm_down=True)
UP = Levels(vehicle=False, safety=False, arm_up=True, arm_down=False)
SAID = [
    event
    for event in LaneEvent
    if event.value.split("_")[0] not in {"vehicle", "safety", "arm", "controller"}
]


def walk(table: LaneTable, *inputs: Levels | LaneEvent) -> tuple[LanePhase, list[LaneEffect]]:
    state = LaneState()
    effects: list[LaneEffect] = []
    for told in inputs:
        state, more = see(table, state, told) if isinstance(told, Levels) else step(table, state, told)
        effects += more
    return state.phase, effects


HERE = replace(DOWN, vehicle=True)
LET_IN = (DOWN, HERE, LaneEvent.PRESENTED, LaneEvent.GRANTED, replace(UP, vehicle=True))
UNDER_THE_ARM = replace(UP, safety=True)


def test_a_walk_in_opens_passes_and_closes_once() -> None:
    phase, effects = walk(ENTRY, *LET_IN, UNDER_THE_ARM, UP, DOWN)
    assert phase is LanePhase.IDLE
    assert effects == [
        LaneEffect.DECIDE,
        LaneEffect.RAISE_ARM,
        LaneEffect.PASSED,
        LaneEffect.LOWER_ARM,
        LaneEffect.FORGET,
    ]


@pytest.mark.parametrize("safety", [True, None])
def test_the_arm_stays_up_while_the_safety_loop_is_occupied_or_unknown(safety: bool | None) -> None:
    phase, effects = walk(ENTRY, *LET_IN, replace(UP, vehicle=True, safety=safety), LaneEvent.TIME_OUT)
    assert LaneEffect.LOWER_ARM not in effects
    assert phase in {LanePhase.PASSING, LanePhase.UNSURE}


def test_a_vehicle_that_stops_under_the_arm_keeps_it_up_and_help_is_called() -> None:
    phase, effects = walk(ENTRY, *LET_IN, UNDER_THE_ARM, LaneEvent.TIME_OUT, LaneEvent.TIME_OUT)
    assert phase is LanePhase.PASSING
    assert LaneEffect.LOWER_ARM not in effects
    assert effects.count(LaneEffect.CALL_HELP) == 2


def test_a_vehicle_that_backs_out_voids_its_stay_and_the_arm_comes_down() -> None:
    phase, effects = walk(ENTRY, *LET_IN, UP, LaneEvent.TIME_OUT, DOWN)
    assert phase is LanePhase.IDLE
    assert effects[2:] == [LaneEffect.BACKED_OUT, LaneEffect.LOWER_ARM, LaneEffect.FORGET]


def test_a_vehicle_that_does_not_move_is_given_up_after_its_time() -> None:
    phase, effects = walk(ENTRY, *LET_IN, LaneEvent.TIME_OUT, HERE)
    assert effects[2:] == [LaneEffect.BACKED_OUT, LaneEffect.LOWER_ARM, LaneEffect.FORGET]
    assert phase is LanePhase.ARRIVED


def test_a_vehicle_gone_before_the_decision_never_sees_the_arm_move() -> None:
    phase, effects = walk(ENTRY, DOWN, HERE, LaneEvent.PRESENTED, DOWN, LaneEvent.GRANTED)
    assert phase is LanePhase.IDLE
    assert effects == [LaneEffect.DECIDE, LaneEffect.BACKED_OUT]


def test_a_tailgater_lifts_the_arm_again_and_is_told() -> None:
    phase, effects = walk(ENTRY, *LET_IN, UNDER_THE_ARM, UP, replace(UP, arm_up=False, safety=True))
    assert phase is LanePhase.OPENING
    assert effects[-2:] == [LaneEffect.RAISE_ARM, LaneEffect.TAILGATED]


def test_a_safety_loop_lost_on_the_way_down_lifts_the_arm_again() -> None:
    phase, effects = walk(ENTRY, *LET_IN, UNDER_THE_ARM, UP, replace(UP, arm_up=False, safety=None))
    assert phase is LanePhase.OPENING
    assert effects[-1] is LaneEffect.RAISE_ARM


def test_only_a_person_closes_under_an_unknown_loop_and_never_under_an_occupied_one() -> None:
    unknown, occupied = replace(UP, safety=None), replace(UP, safety=True)
    released, effects = walk(ENTRY, unknown, LaneEvent.PERSON_CLOSES)
    assert released is LanePhase.RELEASED
    assert effects == [LaneEffect.RELEASE_ARM]
    kept, effects = walk(ENTRY, occupied, LaneEvent.PERSON_CLOSES)
    assert kept is LanePhase.CLEARING
    assert effects == []


def test_an_arm_that_does_not_arrive_is_stopped_and_help_is_called() -> None:
    between = replace(HERE, arm_down=False)
    phase, effects = walk(
        ENTRY, DOWN, HERE, LaneEvent.PRESENTED, LaneEvent.GRANTED, between, LaneEvent.TIME_OUT
    )
    assert phase is LanePhase.STUCK
    assert effects[-2:] == [LaneEffect.STOP_ARM, LaneEffect.CALL_HELP]


def test_nothing_moves_before_the_hardware_was_read() -> None:
    for event in set(SAID) - {LaneEvent.ALARM}:
        assert walk(ENTRY, event) == (LanePhase.UNREAD, [])
        assert walk(EXIT, event) == (LanePhase.UNREAD, [])


@pytest.mark.parametrize(
    ("levels", "phase", "effects"),
    [
        (DOWN, LanePhase.IDLE, []),
        (HERE, LanePhase.ARRIVED, []),
        (UP, LanePhase.CLOSING, [LaneEffect.LOWER_ARM]),
        (UNDER_THE_ARM, LanePhase.CLEARING, []),
        (replace(UP, safety=None), LanePhase.UNSURE, []),
        (replace(DOWN, arm_down=False), LanePhase.OPENING, [LaneEffect.RAISE_ARM]),
        (Levels(), LanePhase.LOST, [LaneEffect.CALL_HELP, LaneEffect.FORGET]),
    ],
)
def test_a_start_in_the_middle_of_anything_finds_its_way(
    levels: Levels, phase: LanePhase, effects: list[LaneEffect]
) -> None:
    assert walk(ENTRY, levels) == (phase, effects)


def test_a_lost_controller_forgets_what_was_under_way_and_begins_anew() -> None:
    phase, effects = walk(ENTRY, *LET_IN, Levels(), UNDER_THE_ARM, UP, DOWN)
    assert phase is LanePhase.IDLE
    assert effects[2:] == [LaneEffect.CALL_HELP, LaneEffect.FORGET, LaneEffect.LOWER_ARM, LaneEffect.FORGET]


def test_an_exit_opens_once_what_is_owed_is_paid() -> None:
    phase, effects = walk(
        EXIT,
        DOWN,
        HERE,
        LaneEvent.PRESENTED,
        LaneEvent.OWES,
        LaneEvent.PAY,
        LaneEvent.DECLINED,
        LaneEvent.PAY,
        LaneEvent.GRANTED,
    )
    assert phase is LanePhase.OPENING
    assert effects == [
        LaneEffect.DECIDE,
        LaneEffect.TAKE_PAYMENT,
        LaneEffect.TAKE_PAYMENT,
        LaneEffect.RAISE_ARM,
    ]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_fire_alarm_raises_the_arm_from_every_phase_and_keeps_it_up(table: LaneTable) -> None:
    for phase in {phase for phase, _ in table} - {LanePhase.EVACUATING, LanePhase.EVACUATED}:
        state, effects = step(table, LaneState(phase=phase, levels=HERE), LaneEvent.ALARM)
        assert (state.phase, effects) == (LanePhase.EVACUATING, (LaneEffect.RAISE_ARM, LaneEffect.FORGET))
        state, effects = step(table, state, LaneEvent.TIME_OUT)
        assert effects == (LaneEffect.RAISE_ARM,), "an arm that did not go up is told again"
        state, effects = see(table, state, UP)
        assert (state.phase, effects) == (LanePhase.EVACUATED, ())
        for event in set(SAID) - {LaneEvent.ALARM_OVER}:
            assert step(table, state, event) == (state, ())
        state, effects = see(table, state, replace(UP, arm_up=False))
        assert (state.phase, effects) == (LanePhase.EVACUATING, (LaneEffect.RAISE_ARM,))
        state, effects = see(table, state, Levels())
        assert (state.phase, effects) == (LanePhase.EVACUATING, ()), "a lost controller ends no alarm"
        state, _ = step(table, see(table, state, UNDER_THE_ARM)[0], LaneEvent.ALARM_OVER)
        assert state.phase is LanePhase.CLEARING, "and afterwards the loop counts again"


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_phase_is_reached_and_every_one_can_be_left(table: LaneTable) -> None:
    sources = {phase for phase, _ in table}
    targets = {phase for phase, _ in table.values()} | {LanePhase.UNREAD}
    assert sources == targets
    assert set(TIME_OUTS) == {phase for phase, event in table if event is LaneEvent.TIME_OUT}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_phase_takes_every_event_and_the_arm_is_lowered_only_above_a_free_loop(
    table: LaneTable,
) -> None:
    known = [True, False, None]
    for phase, event, contacts in product(LanePhase, SAID, product(known, repeat=4)):
        levels = Levels(vehicle=contacts[0], safety=contacts[1], arm_up=contacts[2], arm_down=contacts[3])
        settled, seen = see(table, LaneState(phase=phase), levels)
        _, done = step(table, settled, event)
        if levels.safety is not False:
            assert LaneEffect.LOWER_ARM not in seen + done, (phase, event, levels)
        if levels.safety is True:
            assert LaneEffect.RELEASE_ARM not in seen + done, (phase, event, levels)


levels_strategy = st.builds(
    Levels,
    vehicle=st.sampled_from([True, False]),
    safety=st.sampled_from([True, False, None]),
    arm_up=st.booleans(),
    arm_down=st.booleans(),
)


@given(
    st.sampled_from(list(TABLES)), st.lists(st.one_of(levels_strategy, st.sampled_from(SAID)), max_size=60)
)
def test_whatever_happened_a_lane_left_alone_ends_idle_with_its_arm_down(
    kind: str, life: list[Levels | LaneEvent]
) -> None:
    table, state = TABLES[kind], LaneState()
    for told in life:
        state, _ = see(table, state, told) if isinstance(told, Levels) else step(table, state, told)
    state, _ = step(table, state, LaneEvent.ALARM_OVER)
    arm = UP
    for _ in range(12):
        state, effects = see(table, state, arm)
        if LaneEffect.LOWER_ARM in effects:
            arm = DOWN
        if LaneEffect.RAISE_ARM in effects:
            arm = UP
        for answer in (LaneEvent.REFUSED, LaneEvent.DECLINED, LaneEvent.TIME_OUT):
            state, effects = step(table, state, answer)
            arm = DOWN if LaneEffect.LOWER_ARM in effects else arm
    state, _ = see(table, state, DOWN)
    assert state.phase is LanePhase.IDLE
