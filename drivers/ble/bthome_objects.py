"""The objects of BTHome v2: what each id means, how many bytes it has, its factor and its unit. Source: bthome.io/format (v2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number: `size` bytes, low byte first, times `factor`."""

    name: str
    size: int
    factor: float = 1
    unit: str | None = None
    signed: bool = False

    def value(self, data: bytes) -> int | float:
        """The number that these bytes are."""
        raw = int.from_bytes(data, "little", signed=self.signed)
        return raw if self.factor == 1 else round(raw * self.factor, 6)


MICROGRAM = "µg/m³"

QUANTITIES: Mapping[int, Quantity] = {
    0x00: Quantity("packet_id", 1),
    0x01: Quantity("battery", 1, unit="%"),
    0x02: Quantity("temperature", 2, 0.01, "°C", signed=True),
    0x03: Quantity("humidity", 2, 0.01, "%"),
    0x04: Quantity("pressure", 3, 0.01, "mbar"),
    0x05: Quantity("illuminance", 3, 0.01, "lx"),
    0x06: Quantity("mass", 2, 0.01, "kg"),
    0x07: Quantity("mass", 2, 0.01, "lb"),
    0x08: Quantity("dew_point", 2, 0.01, "°C", signed=True),
    0x09: Quantity("count", 1),
    0x0A: Quantity("energy", 3, 0.001, "kWh"),
    0x0B: Quantity("power", 3, 0.01, "W"),
    0x0C: Quantity("voltage", 2, 0.001, "V"),
    0x0D: Quantity("pm25", 2, unit=MICROGRAM),
    0x0E: Quantity("pm10", 2, unit=MICROGRAM),
    0x12: Quantity("co2", 2, unit="ppm"),
    0x13: Quantity("volatile_organic_compounds", 2, unit=MICROGRAM),
    0x14: Quantity("moisture", 2, 0.01, "%"),
    0x2E: Quantity("humidity", 1, unit="%"),
    0x2F: Quantity("moisture", 1, unit="%"),
    0x3D: Quantity("count", 2),
    0x3E: Quantity("count", 4),
    0x3F: Quantity("rotation", 2, 0.1, "°", signed=True),
    0x40: Quantity("distance", 2, unit="mm"),
    0x41: Quantity("distance", 2, 0.1, "m"),
    0x42: Quantity("duration", 3, 0.001, "s"),
    0x43: Quantity("current", 2, 0.001, "A"),
    0x44: Quantity("speed", 2, 0.01, "m/s"),
    0x45: Quantity("temperature", 2, 0.1, "°C", signed=True),
    0x46: Quantity("uv_index", 1, 0.1),
    0x47: Quantity("volume", 2, 0.1, "L"),
    0x48: Quantity("volume", 2, unit="mL"),
    0x49: Quantity("volume_flow_rate", 2, 0.001, "m³/h"),
    0x4A: Quantity("voltage", 2, 0.1, "V"),
    0x4B: Quantity("gas", 3, 0.001, "m³"),
    0x4C: Quantity("gas", 4, 0.001, "m³"),
    0x4D: Quantity("energy", 4, 0.001, "kWh"),
    0x4E: Quantity("volume", 4, 0.001, "L"),
    0x4F: Quantity("water", 4, 0.001, "L"),
    0x50: Quantity("timestamp", 4),
    0x51: Quantity("acceleration", 2, 0.001, "m/s²"),
    0x52: Quantity("gyroscope", 2, 0.001, "°/s"),
    0x55: Quantity("volume_storage", 4, 0.001, "L"),
    0x56: Quantity("conductivity", 2, unit="µS/cm"),
    0x57: Quantity("temperature", 1, unit="°C", signed=True),
    0x58: Quantity("temperature", 1, 0.35, "°C", signed=True),
    0x59: Quantity("count", 1, signed=True),
    0x5A: Quantity("count", 2, signed=True),
    0x5B: Quantity("count", 4, signed=True),
    0x5C: Quantity("power", 4, 0.01, "W", signed=True),
    0x5D: Quantity("current", 2, 0.001, "A", signed=True),
    0x5E: Quantity("direction", 2, 0.01, "°"),
    0x5F: Quantity("precipitation", 2, 0.1, "mm"),
    0x60: Quantity("channel", 1),
    0x61: Quantity("rotational_speed", 2, unit="rpm"),
    0x62: Quantity("speed", 4, 0.000001, "m/s", signed=True),
    0x63: Quantity("acceleration", 4, 0.000001, "m/s²", signed=True),
    0x64: Quantity("light_level", 1),
    0xF0: Quantity("device_type_id", 2),
    0xF1: Quantity("firmware_version", 4),
    0xF2: Quantity("firmware_version", 3),
}

ANSWERS: Mapping[int, str] = {  # one byte, 0 or 1
    0x0F: "generic",
    0x10: "power",
    0x11: "opening",
    0x15: "battery",
    0x16: "battery_charging",
    0x17: "carbon_monoxide",
    0x18: "cold",
    0x19: "connectivity",
    0x1A: "door",
    0x1B: "garage_door",
    0x1C: "gas",
    0x1D: "heat",
    0x1E: "light",
    0x1F: "lock",
    0x20: "moisture",
    0x21: "motion",
    0x22: "moving",
    0x23: "occupancy",
    0x24: "plug",
    0x25: "presence",
    0x26: "problem",
    0x27: "running",
    0x28: "safety",
    0x29: "smoke",
    0x2A: "sound",
    0x2B: "tamper",
    0x2C: "vibration",
    0x2D: "window",
}

TEXT, RAW = 0x53, 0x54  # a length byte leads
BUTTON, DIMMER = 0x3A, 0x3C

PRESSES: Mapping[int, str | None] = {
    0x00: None,
    0x01: "press",
    0x02: "double_press",
    0x03: "triple_press",
    0x04: "long_press",
    0x05: "long_double_press",
    0x06: "long_triple_press",
    0x80: "hold_press",
}
TURNS: Mapping[int, str | None] = {0x00: None, 0x01: "rotate_left", 0x02: "rotate_right"}
