"""Wraps a sensor's frame as a network server publishes it: the twin of drivers/mqtt/envelopes.py.

Sources: ChirpStack documentation, "Integrations, event types"; The Things Stack documentation, "Data formats".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from simulators.wire.sensor_frames import SensorFrame

APPLICATION = "lotgate-simulation"
GATEWAY_EUI = "0016c001f1500001"


@dataclass(frozen=True, slots=True)
class Published:
    """An MQTT message."""

    topic: str
    body: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmission:
    """A frame on the air: who sent it, which one it was and when the network heard it (aware).

    `identity` tells this message from all others of its network server; publishing a transmission twice is what a server does
    that retries.
    """

    device_eui: str
    device: str
    frame: SensorFrame
    f_cnt: int
    received_at: datetime
    identity: str
    rssi_dbm: int = -87
    snr_db: float = 7.5


def chirpstack_up(sent: Transmission) -> Published:
    """A ChirpStack v4 uplink; `identity` is its deduplicationId, a counter of 0 is left out as protobuf does."""
    message: dict[str, object] = {
        "deduplicationId": sent.identity,
        "time": _instant(sent.received_at),
        "deviceInfo": {
            "tenantName": "lotgate",
            "applicationId": APPLICATION,
            "applicationName": APPLICATION,
            "deviceProfileName": sent.device,
            "deviceName": sent.device_eui,
            "devEui": sent.device_eui,
            "tags": {},
        },
        "devAddr": sent.device_eui[-8:],
        "adr": True,
        "dr": 5,
        "fPort": sent.frame.f_port,
        "confirmed": False,
        "data": base64.b64encode(sent.frame.payload).decode(),
        "rxInfo": [{"gatewayId": GATEWAY_EUI, "rssi": sent.rssi_dbm, "snr": sent.snr_db}],
        "txInfo": {"frequency": 868_100_000},
    }
    if sent.f_cnt:
        message["fCnt"] = sent.f_cnt
    return Published(f"application/{APPLICATION}/device/{sent.device_eui}/event/up", _body(message))


def things_stack_up(sent: Transmission) -> Published:
    """A Things Stack v3 uplink; `identity` is its session, a counter of 0 is left out."""
    device_name = f"eui-{sent.device_eui}"
    brand, _, model = sent.device.partition("/")
    uplink: dict[str, object] = {
        "session_key_id": sent.identity,
        "f_port": sent.frame.f_port,
        "frm_payload": base64.b64encode(sent.frame.payload).decode(),
        "rx_metadata": [
            {
                "gateway_ids": {"gateway_id": "lot", "eui": GATEWAY_EUI.upper()},
                "rssi": sent.rssi_dbm,
                "snr": sent.snr_db,
            }
        ],
        "settings": {"frequency": "868100000"},
        "received_at": _instant(sent.received_at),
        "version_ids": {"brand_id": brand, "model_id": model},
    }
    if sent.f_cnt:
        uplink["f_cnt"] = sent.f_cnt
    message = {
        "end_device_ids": {
            "device_id": device_name,
            "application_ids": {"application_id": APPLICATION},
            "dev_eui": sent.device_eui.upper(),
            "dev_addr": sent.device_eui[-8:].upper(),
        },
        "received_at": _instant(sent.received_at),
        "uplink_message": uplink,
    }
    return Published(f"v3/{APPLICATION}@lotgate/devices/{device_name}/up", _body(message))


def plain_json(device: str, *, occupied: bool, message_id: str, sent_at: datetime) -> Published:
    """A gateway's own JSON: `{"id": …, "state": "occupied" | "free", "message": …, "at": …}`."""
    message = {
        "id": device,
        "state": "occupied" if occupied else "free",
        "message": message_id,
        "at": _instant(sent_at),
    }
    return Published(f"spots/{device}/state", _body(message))


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _body(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
