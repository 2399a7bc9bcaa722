"""A message of ChirpStack v4, with the readings in its frame."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.mqtt.decoder_registry import decoder_of, devices
from drivers.mqtt.envelopes import Uplink, parse_chirpstack, readings_of
from edge.decode_formats.lorawan import known_device
from edge.decode_question import DEVICE, TOPIC, Format, Question


def enveloped(uplink: Uplink, question: Question) -> Mapping[str, object]:
    """Readings need a decoder: that of `--device`, else that which the server's own profile is named after."""
    device = known_device(question) or uplink.profile
    readings: list[dict[str, object]] = []
    if device in devices():
        for reading in readings_of(uplink, decoder_of(device)):
            said = {"occupied": reading.occupied} if reading.occupied is not None else {}
            readings.append(
                {"device": device, "kind": reading.attributes["kind"], **said, **reading.attributes}
            )
    return {
        "format": uplink.format,
        "event": uplink.event,
        "device_eui": uplink.device_eui,
        "device_name": uplink.device_name,
        "f_port": uplink.f_port,
        "f_cnt": uplink.f_cnt,
        "received_at": uplink.received_text,
        "duplicate_key": uplink.duplicate_key,
        "rssi_dbm": uplink.rssi_dbm,
        "snr_db": uplink.snr_db,
        "payload": uplink.payload.hex(),
        "readings": readings,
    }


def _answer(question: Question) -> Mapping[str, object]:
    return enveloped(parse_chirpstack(question.data, question.option("--topic")), question)


FORMAT = Format(answer=_answer, options=(DEVICE, TOPIC), text=True)
