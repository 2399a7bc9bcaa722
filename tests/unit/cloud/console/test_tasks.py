from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from cloud.console.tasks import tasks
from cloud.gateways.reading import GatewayState
from cloud.reservations.reading import OpenConflicts

WELL = GatewayState(
    id="gw-1",
    lot=UUID(int=1),
    lot_name="Market Square",
    epoch=1,
    session=1,
    state="ok",
    state_reason="",
    session_open=True,
    age_s=2.0,
    acknowledged_seq=10,
    last_seq=10,
    backlog=0,
    unexplained=0,
    events_applied=10,
    events_quarantined=0,
    documents_waiting=0,
    lanes={"entry-1": "idle"},
    software="0.1.0",
    clock_quality="synced",
)


def test_a_lot_that_is_well_needs_nobody() -> None:
    assert tasks([WELL], [], []) == []


def test_someone_at_a_lane_comes_before_everything_and_then_the_oldest() -> None:
    stuck = replace(WELL, lot=UUID(int=2), lot_name="Snow Hill", lanes={"exit-2": "stuck"})
    cut = replace(WELL, lot=UUID(int=3), lot_name="Station", session_open=False, age_s=8_000.0)
    shut_out = replace(WELL, lot=UUID(int=4), lot_name="Digbeth", state="quarantined", age_s=3_000.0)
    clash = OpenConflicts(lot=uuid4(), kind="claims_overlap", count=2, age_s=5_000.0)
    titles = [task.title for task in tasks([shut_out, cut, stuck], [], [clash])]
    assert titles == [
        "Snow Hill, exit 2: arm stuck",
        "Station: line down",
        "A lot: 2 spaces are promised twice",
        "Digbeth: gateway quarantined",
    ]


def test_a_line_that_fell_a_moment_ago_comes_back_by_itself() -> None:
    assert tasks([replace(WELL, session_open=False, age_s=299.0)], [], []) == []


def test_a_lane_is_not_told_of_from_before_the_line_fell() -> None:
    cut = replace(WELL, session_open=False, age_s=4_000.0, lanes={"exit-1": "stuck"})
    assert [task.title for task in tasks([cut], [], [])] == ["Market Square: line down"]


def test_a_gateway_that_has_never_spoken_is_still_being_set_up() -> None:
    assert tasks([replace(WELL, session_open=False, age_s=None)], [], []) == []


def test_records_that_nobody_understood_and_spaces_that_nobody_can_explain_are_told() -> None:
    odd = replace(WELL, events_quarantined=3, unexplained=9)
    titles = {task.title for task in tasks([odd], [], [])}
    assert titles == {
        "Market Square: 3 records not understood",
        "Market Square: sensors and ledger differ at 9 spaces",
    }
    assert tasks([replace(WELL, unexplained=4)], [], []) == []
