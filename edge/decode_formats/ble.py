"""A whole Bluetooth advertisement: an iBeacon, an Eddystone frame or a BTHome sensor."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.ble.beacons import read_advertisement, read_beacon
from drivers.ble.bthome import SERVICE
from edge.decode_formats.bthome import ADDRESS, KEY_FILE, said_by
from edge.decode_question import Format, Question


def _answer(question: Question) -> Mapping[str, object]:
    advertisement = read_advertisement(question.data)
    if (message := advertisement.service_data.get(SERVICE)) is not None:
        return {"format": "ble", "type": "bthome", **said_by(message, question)}
    return {"format": "ble", **read_beacon(advertisement)}


FORMAT = Format(answer=_answer, options=(ADDRESS, KEY_FILE))
