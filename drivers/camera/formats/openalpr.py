"""OpenALPR: results of single frames, groups of one vehicle's frames, and heartbeats, JSON.

Source: OpenALPR's documentation. Traps: `epoch_time` of results is in seconds, `epoch_start` of groups in milliseconds; a result may have a
time of its own. Confidence is 0 to 100.
"""

from __future__ import annotations

from drivers.camera.json_part import number_or_none, object_of, whole_or_none
from drivers.camera.parts import Part
from drivers.camera.sighting import Sighting, plate_or_none, unix_time
from drivers.errors import UnknownFormat
from drivers.mqtt.json_body import JsonObject

MOST_RESULTS = 64
GROUP, HEARTBEAT = "alpr_group", "heartbeat"


def decode(part: Part) -> list[Sighting]:
    """Understand one document."""
    said = object_of(part)
    kind = said.label("data_type")
    if kind == HEARTBEAT:
        at_ms = whole_or_none(said, "timestamp")
        return [
            Sighting(is_anpr=False, heartbeat=True, terms={} if at_ms is None else {"time_unix_ms": at_ms})
        ]
    if kind == GROUP:
        return [_group(said)]
    if not said.has("results") or not said.has("epoch_time"):
        raise UnknownFormat("data_type", "neither alpr_group nor heartbeat, and no results with epoch_time")
    found = [result for _, result in zip(range(MOST_RESULTS), said.objects("results"), strict=False)]
    return [_result(said, number, result) for number, result in enumerate(found)] or [Sighting()]


def _group(said: JsonObject) -> Sighting:
    best = said.object("best_plate")
    at_ms = whole_or_none(said, "epoch_start")
    return Sighting(
        written=plate_or_none(best.label("plate") or said.label("best_plate_number")),
        confidence=number_or_none(best, "confidence"),
        occurred_at=unix_time(None if at_ms is None else at_ms / 1000),
        country=best.label("region"),
        camera=_camera(said),
        event_id=said.label("best_uuid"),
        terms={} if at_ms is None else {"time_unix_ms": at_ms},
    )


def _result(said: JsonObject, number: int, result: JsonObject) -> Sighting:
    own = whole_or_none(result, "epoch_time")
    at = own if own is not None else whole_or_none(said, "epoch_time")
    uuid = said.label("uuid")
    return Sighting(
        written=plate_or_none(result.label("plate")),
        confidence=number_or_none(result, "confidence"),
        occurred_at=unix_time(at),
        country=result.label("region"),
        camera=_camera(said),
        event_id=None if uuid is None else f"{uuid}/{number}",
        terms={} if at is None else {"time_unix": at},
    )


def _camera(said: JsonObject) -> str | None:
    number = whole_or_none(said, "camera_id")
    return said.label("camera_id") if number is None else str(number)
