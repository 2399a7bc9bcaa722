"""A lane's view as JSON, for devices that have no screen of ours (and for the simulated driver, who reads the ticket off it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

from edge.api.desk import LaneView
from edge.api.pages.qr import qr_svg

REFUSING = frozenset({"refused", "full", "closed"})


def lane_json(view: LaneView) -> dict[str, object]:
    """The view's fields, and besides: `now`, `sellable_total`, the ticket's `qr_svg`, and `refusal` where the lane does not open."""
    document = {name: value for name, value in _plain_fields(view).items() if name != "at"}
    document |= {"now": plain(view.at), "sellable_total": view.sellable_total, "refusal": None}
    if view.ticket is not None:
        ticket = _plain_fields(view.ticket)
        document["ticket"] = ticket | {"qr_svg": str(qr_svg(view.ticket.text, view.ticket.code))}
    if view.reason is not None and view.screen in REFUSING:
        document["refusal"] = {"reason": view.reason.value, "sentence": view.reason.sentence}
    return document


def plain(value: object) -> object:
    """Records as objects, instants as ISO 8601 in UTC, enums as their words."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain_fields(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return str.__str__(value)
    return value


def _plain_fields(record: object) -> dict[str, object]:
    return {field.name: plain(getattr(record, field.name)) for field in fields(record)}  # type: ignore[arg-type]  # every caller passes a record
