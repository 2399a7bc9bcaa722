from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from edge.check import check
from parking.lot import LaneKind, SpotType
from simulators.lot_files import DemoLot, write_lot
from simulators.lot_plan import PlanRefused, read_plan
from simulators.wire.sensor_frames import FRAMES


def test_the_agent_accepts_the_demos_lot(tmp_path: Path) -> None:
    files = write_lot(
        DemoLot(folder=tmp_path, broker_port=21883, cloud_url="ws://127.0.0.1:8000/api/v1/link")
    )
    settings, problems = check(files.lot_toml, {})
    assert [str(problem) for problem in problems] == []
    assert settings is not None
    assert len(settings.lot.spots) == 150
    assert {spot.type for spot in settings.lot.spots} == set(SpotType)
    assert set(settings.sensors.values()) == {spot.id for spot in settings.lot.spots}
    assert settings.lot.id == files.lot_id


def test_the_simulation_reads_the_same_lot(tmp_path: Path) -> None:
    files = write_lot(DemoLot(folder=tmp_path, broker_port=21883))
    plan = read_plan(files.lot_toml)
    assert len(plan.places) == 150
    assert Counter(lane.kind for lane in plan.lanes) == {LaneKind.ENTRY: 3, LaneKind.EXIT: 3}
    assert all(lane.kiosk_token and lane.camera_token for lane in plan.lanes)
    assert {sensor.spot for sensor in plan.sensors} == {place.number for place in plan.places}
    assert Counter(sensor.envelope for sensor in plan.sensors) == {"chirpstack": 100, "tts": 50}
    assert len({sensor.model for sensor in plan.sensors}) >= 3
    assert {sensor.model for sensor in plan.sensors} <= set(FRAMES)


def test_the_same_seed_writes_the_same_lot(tmp_path: Path) -> None:
    first, again = (
        write_lot(DemoLot(folder=tmp_path / name, broker_port=1883)) for name in ("first", "again")
    )
    assert first.tokens == again.tokens
    assert first.lot_id == again.lot_id
    assert first.sensors_csv.read_text() == again.sensors_csv.read_text()


def test_no_token_stands_in_the_agents_own_file(tmp_path: Path) -> None:
    files = write_lot(DemoLot(folder=tmp_path, broker_port=1883))
    text = files.lot_toml.read_text()
    assert files.tokens
    assert not any(token in text for token in files.tokens.values())


def test_a_lot_that_cannot_be_simulated_is_refused_by_name(tmp_path: Path) -> None:
    files = write_lot(DemoLot(folder=tmp_path, broker_port=1883))
    files.simulation_toml.unlink()
    with pytest.raises(PlanRefused, match=r"simulation\.toml"):
        read_plan(files.lot_toml)


def test_the_demos_tariff_is_the_lots_currency(tmp_path: Path) -> None:
    files = write_lot(DemoLot(folder=tmp_path, broker_port=1883))
    tariff = tomllib.loads((tmp_path / "tariff.toml").read_text())
    assert tariff["currency"] == tomllib.loads(files.lot_toml.read_text())["lot"]["currency"]
