"""The centre tells the time: a unit that woke in 1970, on its own ledger, and the cloud as a process on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloud.database import connect
from edge.enrolment import ask
from edge.lot_clock import LotClock
from edge.system_clock import Machine, SystemClock
from parking.trusted_time import EARLIEST_AT, ClockQuality
from sync.chain import unpack_envelope
from sync.events import EventKind
from sync.keys import SigningKey
from tests.integration.cloud.cloud_process import CloudProcess
from tests.integration.cloud.conftest import LOT
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit

KEY = SigningKey.from_seed(b"v" * 32)


class WokeIn1970(SystemClock):
    """The system's clock as a machine without a battery shows it."""

    def __init__(self) -> None:
        self._off = datetime.now(UTC) - EARLIEST_AT

    def now(self) -> datetime:
        return datetime.now(UTC) - self._off


def told_clocks(unit: Unit) -> list[str]:
    rows = [unpack_envelope(row.body) for row in unit.ledger.log_page(0, 1_000)]
    return [str(row.body["quality"]) for row in rows if row.kind == EventKind.CLOCK_CHANGED]


async def test_a_unit_that_woke_in_1970_is_told_the_time_and_the_centre_knows_how_good_it_is(
    database_url: str, tmp_path: Path
) -> None:
    cloud = CloudProcess(database_url=database_url, folder=tmp_path)
    await cloud.start()
    _, code = await cloud.run("gateways", "invite", "--lot", LOT)
    url = f"ws://127.0.0.1:{cloud.port}/api/v1/link"
    enrolment = ask(url, code=code.strip(), public_key=KEY.public)
    machine = WokeIn1970()
    clock = LotClock(Machine(clock=machine, boot_s=machine.monotonic, boot="one"))
    assert not clock.known
    async with linked_unit(
        tmp_path / "ledger.sqlite",
        url,
        gateway=enrolment.gateway,
        key=KEY,
        epoch=enrolment.epoch,
        lot=enrolment.lot,
        lot_clock=clock,
    ) as unit:
        await eventually(lambda: clock.quality is ClockQuality.SYNCED)
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=30)
        assert clock.lower_bound() <= datetime.now(UTC)
        assert told_clocks(unit) == ["unknown", "synced"]
        heard_before = clock.time.told_s
        unit.sense(1)
        await eventually(lambda: clock.time.told_s != heard_before)
        await eventually(lambda: unit.ledger.acknowledged_seq == unit.ledger.last_seq, within_s=60)
        with connect(database_url) as connection:
            row = connection.execute(b"SELECT clock_quality FROM gateways").fetchone()
        assert row == {"clock_quality": "synced"}
        assert clock.contradictions == 0
    await cloud.end()
