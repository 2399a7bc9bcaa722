from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.ports import Input, Move
from simulators.barrier import Barrier


def test_an_arm_is_between_its_ends_while_it_moves() -> None:
    barrier = Barrier(travel_s=1.0)
    barrier.command(Move.OPEN, 10.0)
    ends = [
        (barrier.inputs(at)[Input.ARM_DOWN], barrier.inputs(at)[Input.ARM_UP]) for at in (10.0, 10.5, 11.0)
    ]
    assert ends == [(True, False), (False, False), (False, True)]


def test_an_arm_that_is_stopped_stays_where_it_is_and_goes_on_from_there() -> None:
    barrier = Barrier(travel_s=1.0)
    barrier.command(Move.OPEN, 0.0)
    barrier.command(Move.STOP, 0.25)
    assert barrier.position(100.0) == 0.25
    barrier.command(Move.CLOSE, 100.0)
    assert barrier.position(100.125) == 0.125


@given(st.lists(st.tuples(st.sampled_from(Move), st.floats(0, 5)), max_size=20))
def test_an_arm_never_leaves_its_ends_and_never_jumps(moves: list[tuple[Move, float]]) -> None:
    barrier, now = Barrier(travel_s=1.0), 0.0
    for move, pause_s in moves:
        before = barrier.position(now)
        barrier.command(move, now)
        assert abs(barrier.position(now) - before) < 1e-9
        now += pause_s
        assert 0.0 <= barrier.position(now) <= 1.0
    assert len(barrier.moves) == len(moves)


def test_a_close_counts_against_us_only_where_the_loop_could_have_been_seen() -> None:
    barrier = Barrier()
    barrier.command(Move.CLOSE, 1.0)
    barrier.safety_loop(1, 2.0)
    barrier.safety_loop(2, 2.3)
    for at in (2.05, 2.5):
        barrier.command(Move.CLOSE, at)
    barrier.command(Move.OPEN, 3.0)
    barrier.safety_loop(0, 4.0)
    barrier.command(Move.CLOSE, 5.0)
    assert [record.drove_down_on_a_vehicle(0.1) for record in barrier.moves] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_a_controller_in_fault_refuses_and_records_nothing() -> None:
    barrier = Barrier()
    barrier.fault = True
    assert not barrier.command(Move.OPEN, 1.0)
    assert not barrier.moves
