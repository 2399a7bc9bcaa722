from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sync.chain import verify
from sync.layout import layout_body
from sync.message_pack import pack
from sync.messages import PageAck
from sync.tokens import KeyRole, TokenKey
from tests.integration.edge.centre import Centre, listening
from tests.integration.edge.linked_unit import Unit, a_lot, eventually, linked_unit
from tests.unit.sync.two_ends import GATEWAY, KEY

TARIFF = {
    "id": "t",
    "version": 7,
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "rate": [{"label": "Parking", "price": "2.00", "per_min": 60}],
}


@asynccontextmanager
async def unit_on(tmp_path: Path, centre: Centre, *, answer_s: float = 5.0) -> AsyncIterator[Unit]:
    async with (
        listening(centre) as url,
        linked_unit(tmp_path / "ledger.sqlite", url, gateway=GATEWAY, key=KEY, answer_s=answer_s) as unit,
    ):
        yield unit


def drained(unit: Unit, centre: Centre) -> Callable[[], bool]:
    return lambda: (
        unit.ledger.acknowledged_seq == unit.ledger.last_seq == centre.disk.acknowledged_seq
        and not unit.ledger.dirty_spot_states(1)
        and unit.ledger.document_n == len(centre.disk.documents) == centre.disk.documents_acknowledged
    )


def assert_one_system(unit: Unit, centre: Centre) -> None:
    rows = unit.ledger.log_page(0, 100_000)
    assert verify(unit.ledger.hash_at(0) or b"", rows) == unit.ledger.last_hash
    assert centre.disk.applied == [row.seq for row in rows]
    assert [centre.disk.inbox[row.seq].body for row in rows] == [row.body for row in rows]
    newest = {word.spot: (word.n, word.state) for word in unit.ledger.spot_states()}
    assert {row.spot: (row.n, row.state) for row in centre.disk.states.values()} == newest


async def test_log_states_and_layout_reach_the_centre_as_they_happen(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await eventually(lambda: unit.link.status.state == "up")
        unit.log(3)
        unit.sense(1)
        await eventually(drained(unit, centre))
        assert_one_system(unit, centre)
        assert centre.disk.layout == layout_body(a_lot())
        assert unit.link.status.backlog == 0
        assert unit.link.status.acknowledged_at is not None
        assert unit.link.status.session == 1


async def test_documents_take_effect_once_and_in_order(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await eventually(lambda: unit.link.status.state == "up")
        keys = [{"key_id": KEY.id, "role": "cloud", "public": KEY.public}]
        await centre.add_document("tariff", pack({"version": "7", "tariff": TARIFF, "valid_from_us": 0}))
        await centre.add_document("keys", pack(keys))
        await centre.add_document("weather", b"\xc1")
        await eventually(drained(unit, centre))
        assert [tariff.version for tariff in unit.tariffs] == [7]
        assert unit.keys == [(TokenKey(public=KEY.public, role=KeyRole.CLOUD),)]
        assert unit.ledger.document_n == 3


@pytest.mark.parametrize(
    "body", [b"\xc1", pack({"version": "8"}), pack({"tariff": TARIFF | {"currency": "?"}})]
)
async def test_a_document_that_cannot_be_understood_is_kept_aside_and_the_next_one_arrives(
    tmp_path: Path, body: bytes
) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await centre.add_document("tariff", body)
        await centre.add_document("tariff", pack({"tariff": TARIFF}))
        await eventually(drained(unit, centre))
        assert [tariff.version for tariff in unit.tariffs] == [7]
        assert [(stored.n, stored.kind) for stored in unit.ledger.documents()] == [
            (1, "refused"),
            (2, "tariff"),
        ]
        assert unit.ledger.counters.quarantined == 1


async def test_a_hundred_reconnects_while_documents_and_facts_flow_lose_nothing(tmp_path: Path) -> None:
    """Complaints row 20."""
    centre = Centre(hang_up_after=4)
    async with unit_on(tmp_path, centre) as unit:
        for n in range(1, 101):
            unit.log(2)
            unit.sense(n)
            if n % 5 == 0:
                await centre.add_document("weather", bytes([n]))
            await eventually(lambda n=n: centre.connections >= n)  # type: ignore[misc]  # n is bound now
            await centre.hang_up()
        centre.hang_up_after = None
        await eventually(drained(unit, centre), within_s=60)
        assert_one_system(unit, centre)
        assert centre.connections >= 100


async def test_a_line_that_stays_open_and_carries_nothing_is_left_and_nothing_is_lost(tmp_path: Path) -> None:
    """Complaints row 19."""
    centre = Centre()
    async with unit_on(tmp_path, centre, answer_s=0.3) as unit:
        await eventually(drained(unit, centre))
        centre.swallow_up = True
        unit.log(20)
        unit.sense(1)
        await eventually(lambda: unit.link.status.state == "down")
        assert "no answer" in unit.link.status.problem
        centre.swallow_up = False
        await eventually(drained(unit, centre))
        assert_one_system(unit, centre)


async def test_where_only_answers_do_not_come_back_the_rows_go_again_and_apply_once(tmp_path: Path) -> None:
    """Complaints row 19."""
    centre = Centre()
    async with unit_on(tmp_path, centre, answer_s=0.3) as unit:
        await eventually(drained(unit, centre))
        centre.swallow_down = lambda frame: isinstance(frame, PageAck)
        unit.log(20)
        before = centre.connections
        await eventually(lambda: centre.connections >= before + 2)
        assert centre.disk.acknowledged_seq == unit.ledger.last_seq > unit.ledger.acknowledged_seq
        centre.swallow_down = lambda _: False
        await eventually(drained(unit, centre))
        assert_one_system(unit, centre)


async def test_a_backlog_drains_past_a_centre_that_refuses_slows_and_hangs_up(tmp_path: Path) -> None:
    """Complaints row 27."""
    centre = Centre(slow_s=0.01, hang_up_after=9)
    centre.disk.busy = 5
    async with unit_on(tmp_path, centre) as unit:
        unit.log(600)
        await eventually(drained(unit, centre), within_s=60)
        assert_one_system(unit, centre)


async def test_a_draining_centre_names_the_delay_and_the_link_keeps_it(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await eventually(lambda: unit.link.status.state == "up")
        asked_at = asyncio.get_running_loop().time()
        await centre.drain(400)
        await eventually(lambda: centre.connections == 2)
        assert asyncio.get_running_loop().time() - asked_at >= 0.4
        assert [status.state for status in unit.told if status.state == "down"] != []


async def test_a_fenced_lot_keeps_the_line_and_sends_nothing(tmp_path: Path) -> None:
    centre = Centre()
    centre.disk.quarantined = "somebody put an old card in"
    async with unit_on(tmp_path, centre) as unit:
        unit.log(3)
        await eventually(lambda: unit.link.status.verdict == "fenced")
        await centre.add_document("weather", b"x")
        await eventually(lambda: unit.ledger.document_n == 1)
        assert unit.ledger.verdict == "fenced"
        assert unit.ledger.fenced_because == "somebody put an old card in"
        assert centre.disk.applied == []
        assert unit.link.status.state == "up"


async def test_the_outage_is_told_by_one_tombstone(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await eventually(drained(unit, centre))
        await centre.hang_up()
        await eventually(lambda: unit.link.status.state == "down")
        for n in range(1, 6):
            unit.sense(n, "occupied" if n % 2 else "free")
        await eventually(drained(unit, centre))
        kinds = [reading.kind for row in centre.disk.inbox.values() if (reading := _read(row))]
        assert kinds.count("telemetry_dropped") == 1
        assert_one_system(unit, centre)


async def test_a_fault_of_ours_on_the_line_ends_the_line_and_not_the_agent(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await eventually(drained(unit, centre))
        unit.lanes = [("in-1", "x" * 1_000)]
        unit.link.picture_changed()
        await eventually(lambda: unit.link.status.state == "down")
        assert "states.lanes[0][1]" in unit.link.status.problem
        assert unit.link.refused["local"] >= 1
        unit.lanes = [("in-1", "open")]
        unit.log()
        await eventually(drained(unit, centre))
        assert_one_system(unit, centre)


async def test_an_idle_line_is_silent(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await eventually(drained(unit, centre))
        await asyncio.sleep(0.3)
        seen = [end.last_states for end, _ in centre.ends]
        await asyncio.sleep(0.5)
        assert [end.last_states for end, _ in centre.ends] == seen


def _read(row: Any) -> Any:
    return row.reading
