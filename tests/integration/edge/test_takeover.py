"""Cars that are inside on the day lotgate takes a lot over."""

from __future__ import annotations

import csv
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.cli import main
from edge.lot_reading import read_settings_file
from edge.store.reader import StoreReader
from edge.takeover import ListRefused, read_cars
from edge.ticket_office import TicketOffice
from edge.unit import read_unit
from parking.clock import CivilScale, ScaledClock
from simulators.lot_files import DemoLot, LotFiles, write_lot

NOON = datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("Europe/London"))
HEADER = "reference,plate,type,entered_at\n"
LIST = HEADER + (
    "1,,regular,2026-11-24T09:30:00+00:00\n"
    "2,AB12 CDE,regular,2026-11-24T10:45:00Z\n"
    "3,,ev,2026-11-24T07:05:00+00:00\n"
)


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> CivilScale:
    scale = CivilScale(anchor_at=NOON, anchor_monotonic=time.monotonic(), speed=1.0)
    monkeypatch.setenv("LOTGATE_CIVIL_SCALE", str(scale))
    return scale


@pytest.fixture
def lot(tmp_path: Path) -> LotFiles:
    (tmp_path / "cars.csv").write_text(LIST)
    return write_lot(DemoLot(folder=tmp_path, broker_port=1883))


def take_over(lot: LotFiles, folder: Path) -> list[dict[str, str]]:
    config, inside, tickets = str(lot.lot_toml), str(folder / "cars.csv"), folder / "tickets.csv"
    assert main(["edge", "takeover", "--config", config, "--inside", inside, "--tickets", str(tickets)]) == 0
    with tickets.open(newline="") as file:
        return list(csv.DictReader(file))


def rows(lot: LotFiles, query: str) -> list[dict[str, object]]:
    reader = StoreReader(read_settings_file(lot.lot_toml, {}).store.path)
    try:
        return [dict(row) for row in reader.rows(query, closed_since_us=2**62)]
    finally:
        reader.close()


def test_every_car_has_a_stay_and_a_claim_and_who_has_no_plate_a_ticket_that_this_lot_reads(
    lot: LotFiles, tmp_path: Path, scale: CivilScale
) -> None:
    written = take_over(lot, tmp_path)
    settings = read_settings_file(lot.lot_toml, {})
    unit = read_unit(settings.key_file, settings.store.path)
    office = TicketOffice(
        lot=settings.lot,
        key=unit.key,
        epoch=unit.epoch,
        clock=ScaledClock(source=time.monotonic, scale=scale),
    )
    assert [row["reference"] for row in written] == ["1", "2", "3"]
    assert [bool(row["ticket"]) for row in written] == [True, False, True]
    for row in written:
        if row["ticket"]:
            token = office.read(row["ticket"])
            assert token is not None
            assert token.subject == row["stay"]
    stays = rows(lot, "read_stays")
    assert {stay["id"] for stay in stays} == {row["stay"] for row in written}
    assert {stay["state"] for stay in stays} == {"inside"}
    assert all(stay["claim"] for stay in stays)


def test_a_takeover_that_is_run_again_changes_nothing(
    lot: LotFiles, tmp_path: Path, scale: CivilScale
) -> None:
    assert scale.speed == 1.0
    first = take_over(lot, tmp_path)
    again = take_over(lot, tmp_path)
    assert again == first
    assert len(rows(lot, "read_stays")) == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("reference,plate\n", ":1 is"),
        (HEADER + "1,,regular\n", ":2 has 3 fields"),
        (HEADER + ",,regular,2026-11-24T09:30:00Z\n", ":2 reference"),
        (HEADER + "1,,lorry,2026-11-24T09:30:00Z\n", ":2 type"),
        (HEADER + "1,,regular,half past nine\n", ":2 entered_at"),
        (HEADER + "1,,regular,2026-11-24T09:30:00\n", "no offset"),
        (HEADER + "1,,regular,2026-11-24T13:30:00Z\n", "365 days"),
        (HEADER + "1,,regular,2026-11-24T09:30:00Z\n" * 2, "stands twice"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_its_line_and_field(
    tmp_path: Path, text: str, named: str
) -> None:
    path = tmp_path / "cars.csv"
    path.write_text(text)
    with pytest.raises(ListRefused, match=named):
        read_cars(path, NOON)


def test_a_lot_that_is_more_than_full_records_who_is_there_all_the_same(
    lot: LotFiles, tmp_path: Path, scale: CivilScale
) -> None:
    """A fact is never refused: the ninth electric car of eight places is inside, without a claim."""
    assert scale.speed == 1.0
    cars = "".join(f"{n},,ev,2026-11-24T07:05:00+00:00\n" for n in range(9))
    (tmp_path / "cars.csv").write_text(HEADER + cars)
    assert len(take_over(lot, tmp_path)) == 9
    assert sum(stay["claim"] is None for stay in rows(lot, "read_stays")) == 1
