"""A lot's layout as it travels up: what lot.toml says, as one MessagePack map.

A spot's id is uuid5(lot, number), so that only its number travels. The body's SHA-256 tells whether the cloud has this very layout.
Opening hours travel as [weekday, opens, closes] in minutes of the civil day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import (
    Enforcement,
    Lane,
    LaneKind,
    Lot,
    LotPolicy,
    OpeningHours,
    Spot,
    SpotType,
    Zone,
    ZoneKind,
)
from sync.errors import MalformedFrame
from sync.fields import Fields, integer, number, optional, plain_map, sequence, text, word
from sync.message_pack import pack, unpack

MOST_SPOTS = 20_000
_DURATIONS = (
    "assumed_stay",
    "extension_step",
    "turnover_buffer",
    "early_arrival",
    "void_after",
    "exit_grace",
)
_NAME = text(64, shortest=1)
_TYPE = word(SpotType)
_SECONDS = integer(0, 366 * 86_400)
_MINUTES = integer(0, 24 * 60 - 1)


def layout_body(lot: Lot) -> bytes:
    """The bytes of the layout of `lot`: equal lots give equal bytes."""
    policy: dict[str, object] = {
        f"{name}_s": int(getattr(lot.policy, name).total_seconds()) for name in _DURATIONS
    }
    policy["spare_spots"] = {str(type_): count for type_, count in sorted(lot.policy.spare_spots.items())}
    policy["better_types"] = {
        str(type_): [str(other) for other in others]
        for type_, others in sorted(lot.policy.better_types.items())
    }
    return pack(
        {
            "id": lot.id,
            "name": lot.name,
            "timezone": lot.timezone.key,
            "currency": lot.currency,
            "latitude": float(lot.latitude),
            "longitude": float(lot.longitude),
            "address": lot.address,
            "zones": [_zone_row(zone) for zone in lot.zones],
            "spots": [[spot.zone, spot.number, str(spot.type)] for spot in lot.spots],
            "lanes": [[lane.id, str(lane.kind)] for lane in lot.lanes],
            "policy": policy,
            "opening_hours": None if lot.opening_hours is None else _hours_rows(lot.opening_hours),
        }
    )


def layout_hash(body: bytes) -> bytes:
    """What tells two layouts apart: SHA-256 of the bytes."""
    return hashlib.sha256(body).digest()


def lot_from_layout(body: bytes) -> Lot:
    """The lot that `layout_body` packed.

    Raises:
        MalformedFrame: a field is missing or wrong, or the parts do not make one lot; `field` names it.
    """
    fields = Fields(unpack(body, "layout"), "layout")
    lot = LotId(fields.take("id", text(36, shortest=36)))
    try:
        return Lot(
            id=lot,
            name=fields.take("name", text(200)),
            timezone=_timezone(fields.take("timezone", text(64))),
            currency=fields.take("currency", text(3, shortest=3)),
            latitude=fields.take("latitude", number(-90, 90)),
            longitude=fields.take("longitude", number(-180, 180)),
            address=fields.take_or("address", text(500), ""),
            zones=fields.take("zones", sequence(_zone, 1_000)),
            spots=tuple(
                Spot(id=spot_id(lot, spot_number), zone=ZoneId(zone), number=spot_number, type=type_)
                for zone, spot_number, type_ in fields.take("spots", sequence(_spot, MOST_SPOTS))
            ),
            lanes=fields.take("lanes", sequence(_lane, 1_000)),
            policy=fields.take_or("policy", _policy, LotPolicy()),
            opening_hours=fields.take_or("opening_hours", optional(_hours), None),
        )
    except ValueError as error:
        raise MalformedFrame("layout", str(error)) from error


def _zone_row(zone: Zone) -> list[object]:
    return [zone.id, zone.level, str(zone.kind), None if zone.enforced_by is None else str(zone.enforced_by)]


def _zone(value: object, path: str) -> Zone:
    parts = _parts(value, path, 4)
    enforced_by = optional(word(Enforcement))(parts[3], f"{path}[3]")
    try:
        return Zone(
            id=ZoneId(_NAME(parts[0], f"{path}[0]")),
            level=text(64)(parts[1], f"{path}[1]"),
            kind=word(ZoneKind)(parts[2], f"{path}[2]"),
            enforced_by=enforced_by,
        )
    except ValueError as error:
        raise MalformedFrame(path, str(error)) from error


def _spot(value: object, path: str) -> tuple[str, str, SpotType]:
    zone, spot_number, type_ = _parts(value, path, 3)[:3]
    return _NAME(zone, f"{path}[0]"), _NAME(spot_number, f"{path}[1]"), _TYPE(type_, f"{path}[2]")


def _lane(value: object, path: str) -> Lane:
    lane, kind = _parts(value, path, 2)[:2]
    return Lane(id=LaneId(_NAME(lane, f"{path}[0]")), kind=word(LaneKind)(kind, f"{path}[1]"))


def _policy(value: object, path: str) -> LotPolicy:
    fields = Fields(value, path)
    defaults = LotPolicy()
    durations: dict[str, Any] = {
        name: timedelta(
            seconds=fields.take_or(f"{name}_s", _SECONDS, int(getattr(defaults, name).total_seconds()))
        )
        for name in _DURATIONS
    }
    spare_path = f"{path}.spare_spots"
    nothing: Mapping[str, object] = {}
    spare = {
        _TYPE(type_, spare_path): integer(0, MOST_SPOTS)(count, f"{spare_path}.{type_}")
        for type_, count in fields.take_or("spare_spots", plain_map, nothing).items()
    }
    better_path = f"{path}.better_types"
    better = {
        _TYPE(type_, better_path): sequence(_TYPE, len(SpotType))(others, f"{better_path}.{type_}")
        for type_, others in fields.take_or("better_types", plain_map, nothing).items()
    }
    return LotPolicy(**durations, spare_spots=spare, better_types=better)


def _hours_rows(hours: OpeningHours) -> list[list[int]]:
    return [
        [weekday, opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute]
        for weekday, (opens, closes) in sorted(hours.by_weekday.items())
    ]


def _hours(value: object, path: str) -> OpeningHours:
    by_weekday: dict[int, tuple[time, time]] = {}
    for index, row in enumerate(sequence(lambda row, where: _parts(row, where, 3), 7)(value, path)):
        where = f"{path}[{index}]"
        weekday = integer(0, 6)(row[0], f"{where}[0]")
        opens, closes = (divmod(_MINUTES(row[at], f"{where}[{at}]"), 60) for at in (1, 2))
        by_weekday[weekday] = (time(*opens), time(*closes))
    return OpeningHours(by_weekday=by_weekday)


def _parts(value: object, path: str, least: int) -> list[object]:
    """A row sent as a list: at least `least` entries, more from a newer side."""
    if not isinstance(value, list) or not least <= len(value) <= least + 16:
        raise MalformedFrame(path, f"must be a list of {least} entries")
    return value


def _timezone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError) as error:
        raise MalformedFrame("layout.timezone", f"{key!r} is not a time zone of this system") from error
