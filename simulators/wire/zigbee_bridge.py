"""What a Zigbee2MQTT bridge publishes for its devices: the twin of drivers/mqtt/zigbee2mqtt_message.py.

Source: Zigbee2MQTT documentation, "MQTT topics and messages" and "Device availability".
"""

from __future__ import annotations

import json
from datetime import datetime

from simulators.wire.envelopes import Published

BASE = "zigbee2mqtt"


def occupancy(device: str, *, occupied: bool, seen_at: datetime, battery_pct: int = 97) -> Published:
    """A device's whole state, retained."""
    state = {
        "battery": battery_pct,
        "occupancy": occupied,
        "linkquality": 117,
        "last_seen": seen_at.isoformat(),
    }
    return Published(f"{BASE}/{device}", json.dumps(state).encode(), retain=True)


def contact(device: str, *, closed: bool) -> Published:
    """A contact's state, retained; the bridge tells no time."""
    return Published(
        f"{BASE}/{device}", json.dumps({"contact": closed, "battery": None}).encode(), retain=True
    )


def availability(device: str, *, online: bool) -> Published:
    """Whether the bridge hears the device, retained."""
    return Published(f"{BASE}/{device}/availability", _state(online=online), retain=True)


def bridge_state(*, online: bool) -> Published:
    """Whether the bridge itself is there, retained."""
    return Published(f"{BASE}/bridge/state", _state(online=online), retain=True)


def _state(*, online: bool) -> bytes:
    return json.dumps({"state": "online" if online else "offline"}).encode()
