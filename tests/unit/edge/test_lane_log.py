"""A lane's facts: told once, and repeated refusals as one."""

from __future__ import annotations

from drivers.ports import Move
from edge.lane_log import Refused
from parking.decision import Reason
from parking.lot import LaneKind
from sync.events import EventKind
from tests.unit.edge.lot_at_work import LotAtWork, until


def refused(subject: str = "card-1", reason: Reason = Reason.FULL) -> Refused:
    return Refused(
        lane="entry-1", direction=LaneKind.ENTRY, reason=reason, credential_kind="ticket", subject=subject
    )


def told(lot: LotAtWork) -> list[tuple[str, int]]:
    return [(event["reason"], event["times"]) for event in lot.events(EventKind.ADMISSION_REFUSED)]


async def test_the_first_refusal_is_told_at_once_and_those_that_follow_as_one(
    lot: LotAtWork,
) -> None:
    lot.log.window_s = 0.05
    for _ in range(500):
        lot.log.refused(refused())
    assert told(lot) == [("full", 1)]
    await until(lambda: len(told(lot)) == 2)
    assert told(lot) == [("full", 1), ("full", 499)]
    assert lot.log.refusals == {"full": 500}
    lot.log.refused(refused())
    assert told(lot)[-1] == ("full", 1)


async def test_another_card_and_another_reason_are_told_on_their_own(lot: LotAtWork) -> None:
    lot.log.refused(refused())
    lot.log.refused(refused("card-2"))
    lot.log.refused(refused(reason=Reason.CLOSED))
    assert told(lot) == [("full", 1), ("full", 1), ("closed", 1)]


async def test_what_repeated_is_told_before_the_agent_goes_down(lot: LotAtWork) -> None:
    for _ in range(3):
        lot.log.refused(refused())
    lot.log.tell_what_repeated()
    assert told(lot) == [("full", 1), ("full", 2)]


async def test_a_button_pressed_again_and_again_in_a_full_lot_is_one_button(lot: LotAtWork) -> None:
    await lot.come_in()
    await lot.come_in()
    for _ in range(10):
        await lot.come()
    assert told(lot) == [("full", 1)]


async def test_a_move_is_on_record_with_its_stay_and_counted(lot: LotAtWork) -> None:
    lot.log.gate_moved("entry-1", Move.OPEN, "opening", "stay-1")
    (event,) = lot.events(EventKind.GATE_MOVED)
    assert (event["lane"], event["move"], event["why"], event["stay"]) == (
        "entry-1",
        "open",
        "opening",
        "stay-1",
    )
    assert lot.log.moves == 1
