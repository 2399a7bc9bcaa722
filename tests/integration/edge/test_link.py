from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.change import Change, SpotState, fact
from edge.configuration import Configuration
from edge.ledger import Ledger
from edge.line import LinkSettings
from edge.link import Link, LinkStatus
from edge.link_picture import LinkPicture
from edge.store.cipher import PlateKeys
from edge.store.store import Store
from edge.system_clock import SystemClock
from edge.writer import InlineWriter
from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import Lane, LaneKind, Lot, Spot, SpotType, Zone
from parking.tariff import Tariff
from sync.chain import verify
from sync.edge_session import EdgeTimes
from sync.events import EventKind
from sync.failpoints import Failpoints
from sync.layout import layout_body
from sync.message_pack import pack
from sync.messages import PageAck
from sync.pace import PaceSettings
from sync.tokens import KeyRole, TokenKey
from tests.integration.edge.centre import Centre, listening
from tests.unit.sync.two_ends import GATEWAY, KEY

LOT = LotId("11111111-2222-4333-8444-555555555555")
TARIFF = {
    "id": "t",
    "version": 7,
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "rate": [{"label": "Parking", "price": "2.00", "per_min": 60}],
}


class Impatient(Random):
    """A random that never waits long: the waits' own law is tested in test_reconnect."""

    def uniform(self, a: float, b: float) -> float:
        return a + 0.01


def a_lot() -> Lot:
    return Lot(
        id=LOT,
        name="Rathaus",
        timezone=ZoneInfo("Europe/Berlin"),
        currency="EUR",
        latitude=52.5,
        longitude=13.4,
        zones=(Zone(id=ZoneId("P"), level="0"),),
        spots=tuple(
            Spot(id=spot_id(LOT, f"A-{n}"), zone=ZoneId("P"), number=f"A-{n}", type=SpotType.REGULAR)
            for n in range(5)
        ),
        lanes=(Lane(id=LaneId("in-1"), kind=LaneKind.ENTRY),),
    )


class Unit:
    """One lot's ledger with its link."""

    def __init__(self, ledger: Ledger, url: str, **times: float) -> None:
        self.ledger = ledger
        self.tariffs: list[Tariff] = []
        self.keys: list[tuple[TokenKey, ...]] = []
        self.told: list[LinkStatus] = []
        clock = SystemClock()
        self.documents = Configuration(
            ledger=ledger, now=clock.now, on_tariff=self.tariffs.append, on_keys=self.keys.append
        )
        self.link = Link(
            LinkSettings(
                url=url,
                gateway=GATEWAY,
                cloud="lotgate",
                software="test",
                close_s=0.2,
                times=EdgeTimes(answer_s=times.get("answer_s", 5.0), states_every_s=0.02),
                heartbeat_s=times.get("heartbeat_s", 20.0),
                heartbeat_answer_s=times.get("heartbeat_s", 20.0),
                pace=PaceSettings(shortest_pause_s=0.05, longest_pause_s=0.2),
            ),
            ledger=ledger,
            documents=self.documents,
            picture=LinkPicture(ledger, lanes=lambda: [("in-1", "idle")], unexplained=lambda: 0),
            key=KEY,
            clock=clock,
            random=Impatient(1),
            clock_quality=lambda: "synced",
            failpoints=Failpoints(),
        )
        self.link.subscribe(self.told.append)

    def log(self, count: int = 1) -> None:
        for n in range(count):
            self.ledger.commit(Change(events=(fact(EventKind.OVERRIDE, n, lane="in-1"),)))

    def sense(self, n: int, state: str = "occupied") -> None:
        spot = spot_id(LOT, "A-1")
        word = SpotState(
            spot=spot, writer="edge:1", n=n, state=state, source="s-1", occurred_at=datetime.now(UTC)
        )
        self.ledger.commit(Change(spot_states=(word,)))


@asynccontextmanager
async def unit_on(tmp_path: Path, centre: Centre, **times: float) -> AsyncIterator[Unit]:
    store = Store(tmp_path / "ledger.sqlite", cipher=PlateKeys(b"p" * 32), failpoints=Failpoints())
    ledger = Ledger.open(
        store,
        InlineWriter(store.commit),
        lot=a_lot(),
        gateway=GATEWAY,
        epoch=1,
        boot="boot-1",
        clock=SystemClock(),
    )
    async with listening(centre) as url:
        unit = Unit(ledger, url, **times)
        running = asyncio.create_task(unit.link.run())
        try:
            yield unit
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await ledger.close()


async def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until it holds; the loop turns meanwhile."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is the other side's state, which has no event
            await asyncio.sleep(0.005)


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
