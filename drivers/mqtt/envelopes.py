"""LoRaWAN network servers' messages. Story "stuck sensor", next file: drivers/mqtt/decoders/ (one per device).

What ChirpStack v4 and The Things Stack v3 wrap around a sensor's frame, as JSON over MQTT.

A message is an *event* of a device; only an uplink carries a frame, all others are recognised by name and carry nothing
for us. Both servers leave out fields that are zero or empty, so a missing frame counter is 0 and a missing port is 0: a
frame that held MAC commands only. Device EUIs are written in lower case here, since one server writes them so and the
other in capitals.

Sources: ChirpStack documentation, "Integrations, event types"; The Things Stack documentation, "Data formats".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from drivers.errors import MalformedInput
from drivers.mqtt.decoded import Decoder
from drivers.mqtt.json_body import JsonObject, checked_instant, read_object
from drivers.ports import SpotReading

LARGEST_PORT = 255
LARGEST_FRAME_COUNTER = 2**32 - 1
LARGEST_PAYLOAD_BYTES = 255
EUI = re.compile(r"[0-9a-fA-F]{16}")

CHIRPSTACK_EVENTS = frozenset({"up", "status", "join", "ack", "txack", "log", "location", "integration"})
# Where the topic does not tell: the first event of which a field is there. Zero and false are left out by the server, so
# each is known by a field that is never empty; an uplink's counter and port can both be missing, its gateways cannot.
CHIRPSTACK_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("integration", ("integrationName", "eventType")),
    ("log", ("level", "code")),
    ("txack", ("downlinkId", "gatewayId")),
    ("ack", ("acknowledged", "queueItemId")),
    ("status", ("margin", "batteryLevel", "batteryLevelUnavailable", "externalPowerSource")),
    ("location", ("location",)),
    ("up", ("rxInfo", "data", "fPort", "fCnt", "dr")),
    ("join", ("devAddr",)),
)
THINGS_STACK_EVENTS = (
    "uplink_message",
    "uplink_normalized",
    "join_accept",
    "downlink_ack",
    "downlink_nack",
    "downlink_sent",
    "downlink_failed",
    "downlink_queued",
    "downlink_queue_invalidated",
    "downlinks",
    "location_solved",
    "service_data",
)
UPLINKS = frozenset({"up", "uplink_message"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """One event of one device; `payload` is a frame only where `is_uplink`.

    `duplicate_key` is equal in every copy of one message and in no other of the device; None where the server gave none.
    `received_at` is when the network received it, UTC; `received_text` is the same as the server wrote it, with all its
    digits. `profile` is the server's own word for the kind of device. Signal strength is the best gateway's.
    """

    format: str
    event: str
    device_eui: str | None
    device_name: str | None
    profile: str | None = None
    f_port: int | None = None
    f_cnt: int | None = None
    received_at: datetime | None = None
    received_text: str | None = None
    duplicate_key: str | None = None
    payload: bytes = b""
    rssi_dbm: int | float | None = None
    snr_db: int | float | None = None

    @property
    def is_uplink(self) -> bool:
        """Whether the device sent a frame."""
        return self.event in UPLINKS

    @property
    def device(self) -> str:
        """How readings name the device: by its EUI, by the server's name for it where it has none."""
        return self.device_eui or self.device_name or ""


def parse_chirpstack(body: bytes, topic: str | None = None) -> Uplink:
    """Read an event of ChirpStack v4; the topic's last part names it, its shape where there is no such topic.

    Raises:
        MalformedInput: naming the field and what is wrong with it.
    """
    message = read_object(body)
    info = message.object("deviceInfo")
    event = Uplink(
        format="chirpstack",
        event=_chirpstack_event(message, topic),
        device_eui=_eui(info, "devEui"),
        device_name=info.label("deviceName"),
        received_text=message.text("time"),
        duplicate_key=message.text("deduplicationId"),
    )
    if event.device_eui is None:
        raise MalformedInput(info.path("devEui"), "missing")
    return _chirpstack_up(event, message, info) if event.is_uplink else event


def _chirpstack_up(event: Uplink, message: JsonObject, info: JsonObject) -> Uplink:
    received_text = event.received_text or _server_time(message)
    rssi_dbm, snr_db = _best_signal(message, "rxInfo")
    return replace(
        event,
        profile=info.label("deviceProfileName"),
        f_port=message.integer("fPort", largest=LARGEST_PORT) or 0,
        f_cnt=message.integer("fCnt", largest=LARGEST_FRAME_COUNTER) or 0,
        received_at=None if received_text is None else checked_instant(received_text, "time"),
        received_text=received_text,
        payload=message.base64("data", most_bytes=LARGEST_PAYLOAD_BYTES),
        rssi_dbm=rssi_dbm,
        snr_db=snr_db,
    )


def _chirpstack_event(message: JsonObject, topic: str | None) -> str:
    last = topic.rsplit("/", 1)[-1] if topic else ""
    if last in CHIRPSTACK_EVENTS:
        return last
    for event, signs in CHIRPSTACK_SIGNS:
        if message.has(*signs):
            return event
    raise MalformedInput(
        "event", f"neither topic nor fields are those of {', '.join(sorted(CHIRPSTACK_EVENTS))}"
    )


def _server_time(message: JsonObject) -> str | None:
    """The network server's own time: `time` is missing where no gateway knows the time."""
    times = (gateway.text("nsTime") for gateway in message.objects("rxInfo"))
    return next((time for time in times if time is not None), None)


def parse_things_stack(body: bytes, topic: str | None = None) -> Uplink:  # noqa: ARG001 - one signature for all envelopes
    """Read an event of The Things Stack v3; the body's own key names it.

    Raises:
        MalformedInput: naming the field and what is wrong with it.
    """
    message = read_object(body)
    name = next((name for name in THINGS_STACK_EVENTS if message.has(name)), None)
    if name is None:
        raise MalformedInput("event", f"none of {', '.join(THINGS_STACK_EVENTS)} is there")
    ids = message.object("end_device_ids")
    event = Uplink(
        format="tts",
        event=name,
        device_eui=_eui(ids, "dev_eui"),
        device_name=ids.label("device_id"),
        received_text=message.text("received_at"),
    )
    if not event.device:
        raise MalformedInput(ids.path("dev_eui"), "missing, and device_id too")
    return _things_stack_up(event, message.object(name)) if event.is_uplink else event


def _things_stack_up(event: Uplink, uplink: JsonObject) -> Uplink:
    version = uplink.object("version_ids")
    f_cnt = uplink.integer("f_cnt", largest=LARGEST_FRAME_COUNTER) or 0
    session = uplink.text("session_key_id")
    rssi_dbm, snr_db = _best_signal(uplink, "rx_metadata")
    return replace(
        event,
        profile=f"{version.label('brand_id')}/{version.label('model_id')}"
        if version.has("model_id")
        else None,
        f_port=uplink.integer("f_port", largest=LARGEST_PORT) or 0,
        f_cnt=f_cnt,
        received_at=None
        if event.received_text is None
        else checked_instant(event.received_text, "received_at"),
        duplicate_key=None if session is None else f"{session}:{f_cnt}",
        payload=uplink.base64("frm_payload", most_bytes=LARGEST_PAYLOAD_BYTES),
        rssi_dbm=rssi_dbm,
        snr_db=snr_db,
    )


ENVELOPES: dict[str, Callable[[bytes, str | None], Uplink]] = {
    "chirpstack": parse_chirpstack,
    "tts": parse_things_stack,
}


def readings_of(
    uplink: Uplink, decode: Decoder, *, occupied_within_mm: int | None = None
) -> list[SpotReading]:
    """The readings in a message: none where it carries no frame, one otherwise.

    A sensor that measures a distance has no opinion on the spot: it counts as taken where something is at most
    `occupied_within_mm` millimetres away.

    Raises:
        MalformedInput: the device sends no such frame.
    """
    if not uplink.is_uplink or (not uplink.f_port and not uplink.payload):
        return []
    decoded = decode(uplink.payload, uplink.f_port or 0)
    occupied = decoded.occupied
    if occupied is None and decoded.distance_mm is not None and occupied_within_mm is not None:
        occupied = decoded.distance_mm <= occupied_within_mm
    attributes = {name: said for name, said in decoded.as_json().items() if name != "occupied"}
    return [
        SpotReading(
            device=uplink.device,
            occupied=occupied,
            key=uplink.duplicate_key,
            occurred_at=uplink.received_at,
            attributes=attributes,
        )
    ]


def _eui(ids: JsonObject, key: str) -> str | None:
    eui = ids.text(key)
    if eui is None:
        return None
    if not EUI.fullmatch(eui):
        raise MalformedInput(ids.path(key), f"{eui!r} is not 16 hexadecimal digits")
    return eui.lower()


def _best_signal(message: JsonObject, key: str) -> tuple[int | float | None, int | float | None]:
    """RSSI in dBm and SNR in dB of the gateway that heard best."""
    best: tuple[int | float | None, int | float | None] = (None, None)
    for gateway in message.objects(key):
        rssi = gateway.number("rssi")
        if rssi is not None and (best[0] is None or rssi > best[0]):
            best = (rssi, gateway.number("snr"))
    return best
