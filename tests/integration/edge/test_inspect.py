"""`lotgate edge inspect` reads the ledger while the agent writes it."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from drivers.ports import SpotReading
from edge.change import Change, PartChanged
from edge.errors import StoreError
from edge.inspect import inspect
from edge.inspect_text import WIDTH, Screen
from edge.inspection import Inspection, as_map, look
from edge.ledger import Ledger
from edge.lot_reading import read_settings_file
from edge.observing import Observing
from edge.settings import Settings
from edge.store.reader import StoreReader
from edge.writer import ThreadWriter
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import InFlight, SpotType, Tier
from sync.ownership import OwnerChange, TransferEvent, TransferRow, TransferState, step
from sync.part import Part, ParticipantState
from sync.transaction import TransactionId
from tests.integration.edge.conftest import Premises

CONFIG = Path(__file__).parents[3] / "config" / "multi-storey.toml"


@pytest.fixture
def settings(premises: Premises) -> Settings:
    settings = read_settings_file(CONFIG, {"STATE_DIRECTORY": str(premises.folder)})
    premises.lot = settings.lot
    return settings


def seen(premises: Premises, settings: Settings) -> Inspection:
    reader = StoreReader(premises.path)
    try:
        return look(reader, settings, premises.clock.now())
    finally:
        reader.close()


async def busy(premises: Premises, settings: Settings) -> Ledger:
    ledger = premises.start()
    for _ in range(5):
        change, _, _ = premises.admit(ledger)
        await ledger.commit(change)
    observing = Observing(ledger, sensors=settings.sensors, clock=premises.clock)
    for device in list(settings.sensors)[:3]:
        await observing.observe(SpotReading(device=device, occupied=True))
    return ledger


async def test_it_shows_what_the_agent_has_in_memory(premises: Premises, settings: Settings) -> None:
    ledger = await busy(premises, settings)
    view = seen(premises, settings)
    regular = view.types[0]
    assert (regular.total, regular.taken, regular.seen) == (400, 5, 3)
    assert {line.type: line.sellable for line in view.types} == {
        kind: now.count for kind, now in ledger.counts().items()
    }
    assert (view.ends.last_seq, view.ends.last_hash, view.backlog) == (ledger.last_seq, ledger.last_hash, 11)
    assert view.chain_whole
    assert [event.seq for event in view.events] == list(range(2, 12))


async def test_it_disturbs_no_writer_and_never_sees_half_a_change(
    premises: Premises, settings: Settings
) -> None:
    store = premises.open_file()
    ledger = premises.start(ThreadWriter(store.commit))
    await ledger.durable()

    async def cars() -> None:
        for _ in range(60):
            change, _, _ = premises.admit(ledger)
            await ledger.commit(change, urgent=True)

    work = asyncio.ensure_future(cars())
    looks = 0
    while not work.done():
        view = await asyncio.to_thread(seen, premises, settings)
        assert view.open_stays == view.types[0].taken
        assert view.chain_whole
        looks += 1
    await work
    assert looks > 0
    assert seen(premises, settings).open_stays == 60


async def test_the_page_is_a_hundred_columns_wide_and_says_the_verdict_first(
    premises: Premises, settings: Settings
) -> None:
    await busy(premises, settings)
    view = seen(premises, settings)
    page = Screen(colour=False, plain=False).draw(view)
    assert max(len(line) for line in page.splitlines()) <= WIDTH
    assert "✓ The car park works." in page
    assert "sequence 1 to 11, chain whole ✓" in page
    coloured = Screen(colour=True, plain=False).draw(view)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == page
    Screen(colour=False, plain=True).draw(view).encode("ascii")


async def test_a_fenced_lot_and_a_broken_chain_are_said_with_their_fix(
    premises: Premises, settings: Settings
) -> None:
    ledger = await busy(premises, settings)
    await ledger.fence("the log ends at row 0")
    premises.store._database.conn.execute("UPDATE log SET body = x'00' WHERE seq = 4")
    page = Screen(colour=False, plain=False).draw(seen(premises, settings))
    assert "■ Nothing is sold." in page
    assert "Fenced: the log ends at row 0." in page
    assert "chain broken ■" in page
    assert "Fix: restart the agent" in page


async def test_for_machines_it_is_one_json_object_and_it_exits_with_nought(
    premises: Premises, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = await busy(premises, settings)
    ledger.line_lost()
    await ledger.commit(Change(meta={"x": 1}))
    premises.clock.at += timedelta(minutes=1)
    environment = {"STATE_DIRECTORY": str(premises.folder)}
    assert inspect(CONFIG, environment, as_json=True, plain=False) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["log"]["last_seq"] == ledger.last_seq
    assert told["log"]["last_hash"] == ledger.last_hash.hex()
    assert told["log"]["chain_whole"] is True
    assert told["open_stays"] == 5
    assert told["outage_since"] == "2026-11-24T12:00:00+00:00"


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        inspect(CONFIG, {"STATE_DIRECTORY": str(tmp_path)}, as_json=False, plain=False)


async def test_it_shows_bookings_in_doubt_by_their_age(premises: Premises, settings: Settings) -> None:
    ledger = premises.start()
    assert "Bookings in doubt" not in Screen(colour=False, plain=False).draw(seen(premises, settings))
    now = premises.clock.now()
    parts = [
        Part(
            id=TransactionId(reservation=str(UUID(int=number)), revision=1),
            state=state,
            claim=ClaimId(f"claim-{number}"),
            type=SpotType.REGULAR,
            window=Interval(now, now + timedelta(hours=2)),
            epoch=1,
            prepared_at=now - timedelta(minutes=number),
        )
        for number, state in (
            (1, ParticipantState.PREP),
            (200, ParticipantState.PREP),
            (3, ParticipantState.COMM),
        )
    ]
    await ledger.commit(Change(parts=tuple(PartChanged(part=part, at=now) for part in parts)))
    view = seen(premises, settings)
    assert [doubt.id[-4:] for doubt in view.doubts] == ["c8#1", "01#1"]
    assert view.transactions == {"prep": 2, "comm": 1}
    page = Screen(colour=False, plain=False).draw(view)
    oldest, youngest = (line for line in page.splitlines() if "#1" in line)
    assert ("3 h" in oldest, "60 s" in youngest) == (True, True)
    assert all(len(line) <= WIDTH for line in page.splitlines())
    assert as_map(view)["doubts"]


async def test_it_says_whose_the_spaces_are_and_what_nobody_may_sell(
    premises: Premises, settings: Settings
) -> None:
    ledger = premises.start()
    given, stranded = (spot.id for spot in settings.lot.spots[:2])
    away = TransferRow(id="t-1", epoch=1, to=Tier.CLOUD, type=SpotType.REGULAR, spots=(given,))
    after, owners, _ = step(away, TransferEvent.GIVEN, side=Tier.EDGE)
    left = TransferRow(
        id="t-0",
        epoch=0,
        to=Tier.EDGE,
        type=SpotType.REGULAR,
        spots=(stranded,),
        state=TransferState.STRANDED,
    )
    nobody = OwnerChange(spots=(stranded,), owner=InFlight(transfer="t-0"))
    await ledger.commit(Change(owners=(*owners, nobody), transfers=(after, left)))
    view = seen(premises, settings)
    total = len(settings.lot.spots)
    assert as_map(view)["owned"] == {
        "edge": total - 2,
        "cloud": 0,
        "in_flight": 1,
        "stranded": 1,
        "transferable": view.transferable,
    }
    page = Screen(colour=False, plain=True).draw(view)
    assert f"{total - 2:,} this lot, 0 the centre, 1 on their way, 1 nobody" in page
    assert "1 spaces on their way since an earlier gateway: nobody sells them." in page
