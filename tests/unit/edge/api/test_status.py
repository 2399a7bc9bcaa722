from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from edge.api.desk import Fault, LinkState, LinkStatus
from tests.unit.edge.api.conftest import Caller
from tests.unit.edge.api.scenes import STATUS
from tests.unit.edge.api.staged_desk import StagedDesk


async def page(caller: Caller) -> str:
    async with caller("staff") as client:
        return (await client.get("/")).text


async def test_a_page_about_trouble_opens_with_what_still_works(caller: Caller) -> None:
    text = await page(caller)
    assert text.index("The car park works") < text.index("1 thing to fix here") < text.index("6,204 records")


async def test_someone_waiting_at_a_lane_comes_before_everything_else(
    caller: Caller, desk: StagedDesk
) -> None:
    stuck = Fault(title="Exit 3: the arm does not rise", waiting=True, steps=("Lift it by hand.",))
    desk.status_view = replace(STATUS, faults=(*STATUS.faults, stuck))
    text = await page(caller)
    assert text.index("Someone is waiting at a lane") < text.index("2 things to fix here")
    assert text.index("<h3>Exit 3: the arm does not rise") < text.index("<h3>Plate camera")


async def test_a_lot_that_stopped_says_so_first(caller: Caller, desk: StagedDesk) -> None:
    full = Fault(title="The disk is full", stops=True, effect="Nothing is sold; exits open.")
    desk.status_view = replace(
        STATUS, ready=False, faults=(full,), ledger=replace(STATUS.ledger, degraded="No room.")
    )
    text = await page(caller)
    assert "The car park needs you" in text
    assert "Not writing" in text
    async with caller(None) as client:
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()) == (
            503,
            {"ready": False, "waits_for": ["The disk is full"], "clock": "holdover"},
        )
        assert (await client.get("/health")).status_code == 200


async def test_a_lot_that_is_not_ready_names_the_lane_that_was_not_read_yet(
    caller: Caller, desk: StagedDesk
) -> None:
    unread = replace(STATUS.lanes[0], lane="lane-1", state="unread", detail="its controller was not heard")
    desk.status_view = replace(STATUS, ready=False, lanes=(unread, *STATUS.lanes[1:]), faults=())

    async with caller(None) as client:
        ready = await client.get("/ready")

    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "waits_for": ["lane-1: its controller was not heard"],
        "clock": "holdover",
    }


async def test_a_lot_without_a_centre_does_not_miss_it(caller: Caller, desk: StagedDesk) -> None:
    desk.status_view = replace(STATUS, link=LinkStatus(state=LinkState.NONE))
    text = await page(caller)
    assert "This lot works alone." in text
    assert "The line to the centre is down" not in text


async def test_a_lane_is_opened_with_a_name_and_a_reason_on_record(caller: Caller, desk: StagedDesk) -> None:
    async with caller("staff") as client:
        answer = await client.post("/lanes/lane-3/open", content="by=Amina+Sheikh&reason=card+stuck")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?said=opened")
        assert "on record" in (await client.get("/?said=opened")).text
        nameless = await client.post("/lanes/lane-3/open", content="reason=card+stuck")
        assert (nameless.status_code, nameless.json()["field"]) == (422, "by")
    assert desk.done == [("open", "lane-3", "Amina Sheikh", "card stuck")]


async def test_the_status_is_there_for_machines(caller: Caller) -> None:
    async with caller("staff") as client:
        status = (await client.get("/api/v1/status")).json()
    assert status["link"] == {
        "state": "down",
        "since_at": "2026-11-24T11:51:00.000Z",
        "backlog": 6204,
        "oldest_at": "2026-11-24T11:51:00.000Z",
        "next_try_at": "2026-11-24T14:05:40.000Z",
        "acknowledged_seq": 163_000,
        "detail": "No route to the centre.",
    }


async def test_prometheus_reads_the_box(caller: Caller, desk: StagedDesk) -> None:
    desk.status_view = replace(STATUS, figures={"loop_lag_seconds": 0.004})
    async with caller(None) as client:
        families = {
            family.name: family
            for family in text_string_to_metric_families((await client.get("/metrics")).text)
        }
    assert all(name.startswith("lotgate_edge_") for name in families)
    values = {name: family.samples[0].value for name, family in families.items() if family.samples}
    assert values["lotgate_edge_ready"] == 1
    assert values["lotgate_edge_link_up"] == 0
    assert values["lotgate_edge_backlog_rows"] == 6204
    assert values["lotgate_edge_loop_lag_seconds"] == 0.004
    sellable = {one.labels["type"]: one.value for one in families["lotgate_edge_sellable_spots"].samples}
    assert sellable == {"regular": 189, "ev": 6, "disabled": 19, "motorcycle": 0}
    up = {one.labels["driver"]: one.value for one in families["lotgate_edge_driver_up"].samples}
    assert up == {"barriers": 1, "spots": 1, "reader-entry": 0, "camera-entry": 0}
