"""Builds the frames that real spot sensors send, so that a simulated lot speaks what the real one will.

Each vendor's layout is the one that its decoder in drivers/mqtt/decoders reads (the sources are named there); going round
through both gives back the state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

VEHICLE_DISTANCE_MM = 450
GROUND_DISTANCE_MM = 2400


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorState:
    """What a sensor knows when it sends; `sequence` counts its messages, `sent_at` is aware."""

    occupied: bool
    sequence: int
    sent_at: datetime
    heartbeat: bool = False
    temperature_c: int = 12
    battery_v: float = 3.4
    previous_state_minutes: int = 0


@dataclass(frozen=True, slots=True)
class SensorFrame:
    """A LoRaWAN payload and the port it goes out on."""

    f_port: int
    payload: bytes


def bosch_tps110(state: SensorState) -> SensorFrame:
    """State on port 1; heartbeat with temperature on port 2."""
    if state.heartbeat:
        return SensorFrame(2, bytes([state.occupied]) + _signed(state.temperature_c, 1))
    return SensorFrame(1, bytes([state.occupied]))


def nwave_nps405(state: SensorState) -> SensorFrame:
    """State in bit 0 and the stepped length of the previous state above it; heartbeat on port 2."""
    if state.heartbeat:
        battery = max(0, min(255, round((state.battery_v - 2.5) * 250)))
        return SensorFrame(2, bytes([state.occupied, battery]) + _signed((state.temperature_c - 10) * 2, 1))
    return SensorFrame(1, bytes([_nwave_steps(state.previous_state_minutes) << 1 | state.occupied]))


def _nwave_steps(minutes: int) -> int:
    if minutes < 90:
        return minutes
    if minutes < 240:
        return 90 + (minutes - 90) // 5
    return min(127, 120 + (minutes - 240) // 60)


def pni_placepod(state: SensorState) -> SensorFrame:
    """Battery, temperature and state, or keep-alive, as channel, type, value."""
    battery = b"\x03\x02" + round(state.battery_v * 100).to_bytes(2, "big")
    temperature = b"\x02\x67" + _signed(state.temperature_c * 10, 2)
    spot = (b"\x37\x66" if state.heartbeat else b"\x15\x66") + bytes([state.occupied])
    return SensorFrame(2, battery + temperature + spot)


def libelium_smart_parking(state: SensorState) -> SensorFrame:
    """Header byte, frame counter, error, temperature and seven bytes that nobody describes."""
    header = state.occupied << 7 | state.heartbeat
    return SensorFrame(
        3, bytes([header, state.sequence & 0xFF, 0]) + _signed(state.temperature_c, 1) + bytes(7)
    )


def netvox_r719a(state: SensorState) -> SensorFrame:
    """Version, device type, report type, battery in 0.1 V, state; it has no heartbeat of its own."""
    battery = min(127, round(state.battery_v * 10))
    return SensorFrame(6, bytes([0x01, 0x59, 0x01, battery, state.occupied]) + bytes(6))


def tekzitel_tekzipark(state: SensorState) -> SensorFrame:
    """Flags, temperature and the number of the space."""
    return SensorFrame(
        1, bytes([state.occupied << 7 | 0x20 | state.heartbeat]) + _signed(state.temperature_c, 1) + b"\x01"
    )


def kkm_las7(state: SensorState) -> SensorFrame:
    """Report with the sensor's clock; battery in percent."""
    seconds = int(state.sent_at.timestamp())
    percent = max(0, min(100, round((state.battery_v - 2.6) * 100)))
    return SensorFrame(1, b"\x6a" + seconds.to_bytes(4, "big") + bytes([state.occupied, percent]))


def milesight_udl(state: SensorState) -> SensorFrame:
    """A ceiling sensor: the distance to the ground or to a roof of a car, little-endian."""
    distance_mm = VEHICLE_DISTANCE_MM if state.occupied else GROUND_DISTANCE_MM
    temperature = (state.temperature_c * 10).to_bytes(2, "little", signed=True)
    return SensorFrame(
        85, b"\x01\x75\x5c\x03\x67" + temperature + b"\x04\x82" + distance_mm.to_bytes(2, "little")
    )


def _signed(value: int, count: int) -> bytes:
    return value.to_bytes(count, "big", signed=True)


FRAMES: dict[str, Callable[[SensorState], SensorFrame]] = {
    "bosch/tps110": bosch_tps110,
    "kkm/las7": kkm_las7,
    "libelium/smart_parking": libelium_smart_parking,
    "milesight/udl": milesight_udl,
    "netvox/r719a": netvox_r719a,
    "nwave/nps405": nwave_nps405,
    "pni/placepod": pni_placepod,
    "tekzitel/tekzipark": tekzitel_tekzipark,
}
