from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from parking.lot import SpotType
from simulators.lot import PhysicalLot, walks
from simulators.traffic import Vehicle, Way

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAINTED = {
    "0": [("A-1", SpotType.DISABLED), ("A-2", SpotType.REGULAR), ("A-3", SpotType.REGULAR)],
    "1": [("B-1", SpotType.REGULAR), ("B-2", SpotType.COMPACT), ("B-3", SpotType.EV)],
}


def vehicle(number: int, kind: SpotType = SpotType.REGULAR, wandering: float = 0.0) -> Vehicle:
    return Vehicle(
        number=number,
        arrives_at=NOON,
        dwell=timedelta(hours=1),
        type=kind,
        way=Way.BUTTON,
        plate=f"AA01 {number}",
        reaction_s=0.1,
        patience_s=60.0,
        wandering=wandering,
    )


def test_a_driver_who_does_not_wander_takes_the_nearest_place_of_the_kind() -> None:
    lot = PhysicalLot(walks(PAINTED))
    assert [lot.park(vehicle(number)) for number in (1, 2, 3)] == ["A-2", "A-3", "B-1"]


def test_a_driver_whose_kind_is_taken_stands_where_it_is_allowed_least_wrongly() -> None:
    lot = PhysicalLot(walks(PAINTED))
    kinds = [lot.park(vehicle(number)) for number in range(1, 7)]
    assert kinds == ["A-2", "A-3", "B-1", "B-2", "B-3", "A-1"]
    assert lot.park(vehicle(7)) is None


@given(
    steps=st.lists(st.tuples(st.integers(1, 8), st.sampled_from(list(SpotType)), st.booleans()), max_size=60)
)
def test_two_cars_never_stand_on_one_place_and_none_is_lost(
    steps: list[tuple[int, SpotType, bool]],
) -> None:
    lot = PhysicalLot(walks(PAINTED))
    stands: dict[int, str] = {}
    for number, kind, comes in steps:
        one = vehicle(number, kind, wandering=3.0)
        if comes and number not in stands:
            spot = lot.park(one)
            assert (spot is None) == (len(stands) == len(lot.places))
            if spot is not None:
                stands[number] = spot
        elif not comes:
            assert lot.unpark(one) == stands.pop(number, None)
        assert len(set(stands.values())) == len(stands) == lot.parked
        assert all(lot.taken(spot) == (spot in stands.values()) for spot in lot.places)
