from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.mqtt.decoder_registry import decoder_of
from simulators.wire.sensor_frames import FRAMES, GROUND_DISTANCE_MM, VEHICLE_DISTANCE_MM, SensorState

STATES = st.builds(
    SensorState,
    occupied=st.booleans(),
    heartbeat=st.booleans(),
    sequence=st.integers(0, 100_000),
    sent_at=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds of the strategy are naive
    temperature_c=st.integers(-40, 70),
    battery_v=st.integers(26, 35).map(lambda tenths: tenths / 10),
    previous_state_minutes=st.integers(0, 10_000),
)


@pytest.mark.parametrize("device", FRAMES)
@given(state=STATES)
def test_a_simulated_sensor_says_its_state_in_its_vendors_words(device: str, state: SensorState) -> None:
    frame = FRAMES[device](state)
    said = decoder_of(device)(frame.payload, frame.f_port)
    occupied = said.occupied
    if said.distance_mm is not None:
        occupied = said.distance_mm <= (VEHICLE_DISTANCE_MM + GROUND_DISTANCE_MM) // 2
    assert occupied is state.occupied
    assert said.terms.get("temperature_c", state.temperature_c) == state.temperature_c
    if device in {"netvox/r719a", "nwave/nps405", "pni/placepod"}:
        assert said.terms.get("battery_v", state.battery_v) == pytest.approx(state.battery_v, abs=0.01)
    if device in {
        "bosch/tps110",
        "libelium/smart_parking",
        "nwave/nps405",
        "pni/placepod",
        "tekzitel/tekzipark",
    }:
        assert (said.kind.value == "heartbeat") is state.heartbeat


@given(state=STATES)
def test_the_length_of_the_previous_state_is_rounded_down_to_a_step(state: SensorState) -> None:
    frame = FRAMES["nwave/nps405"](state)
    said = decoder_of("nwave/nps405")(frame.payload, frame.f_port).terms.get("previous_state_minutes")
    if isinstance(said, int):
        assert said <= state.previous_state_minutes
        assert (
            state.previous_state_minutes < 660 <= said or said >= min(state.previous_state_minutes, 660) - 59
        )
