"""Events in the words of subscribers: {"type": "availability_update", "seq": n, "data": {…}}.

`data` always names the `lot`. A promise that may not be kept comes as `reservation_at_risk` with its reason, alternatives and refund rule; one that
is kept after all, on another spot, as `reservation_rehomed`. `counts` is what the ledger may sell now, complete by type; `spots` are those whose sensors changed their mind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from cloud.events import Event
from cloud.parking_lots.schemas import lot_view
from cloud.parking_lots.search import FoundLot

AVAILABILITY = "SpotAvailabilityChanged"
GATEWAY_STATE = "GatewayStateChanged"
AT_RISK = "ReservationAtRisk"
REHOMED = "ReservationRehomed"
TOLD_KINDS = frozenset({AVAILABILITY, GATEWAY_STATE, AT_RISK, REHOMED})
PROMISES = {AT_RISK: "reservation_at_risk", REHOMED: "reservation_rehomed"}


def picture(lot: FoundLot, seq: int) -> dict[str, object]:
    """A lot as it is at its event `seq`."""
    view = lot_view(lot).model_dump(mode="json")
    names = ("status", "spots_total", "sellable_total", "counts", "freshness")
    data = {"lot": str(lot.id), **{name: view[name] for name in names}}
    return {"type": "availability_update", "seq": seq, "data": data}


def update(event: Event) -> dict[str, object] | None:
    """An event as a message; None where subscribers need not hear of it."""
    lot = str(event.lot)
    if event.kind == GATEWAY_STATE:
        state = event.body.get("state")
        return {"type": "gateway_state", "seq": event.n, "data": {"lot": lot, "state": state}}
    if event.kind in PROMISES:
        return {"type": PROMISES[event.kind], "seq": event.n, "data": {"lot": lot, **event.body}}
    if event.kind != AVAILABILITY:
        return None
    data: dict[str, object] = {"lot": lot}
    if "counts" in event.body:
        counts = by_type(cast("Iterable[Mapping[str, object]]", event.body["counts"]))
        data |= {"sellable_total": sum(cast("int", count["sellable"]) for count in counts), "counts": counts}
    if "spots" in event.body:
        data["spots"] = event.body["spots"]
    return {"type": "availability_update", "seq": event.n, "data": data}


def by_type(counts: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Counts of both owners as one for each type; they hold until the first of them changes."""
    merged: dict[str, dict[str, object]] = {}
    for count in counts:
        into = merged.setdefault(
            str(count["type"]), {"type": count["type"], "total": 0, "sellable": 0, "holds_until": None}
        )
        into["total"] = cast("int", into["total"]) + cast("int", count["total"])
        into["sellable"] = cast("int", into["sellable"]) + cast("int", count["sellable"])
        ends = [end for end in (into["holds_until"], count["holds_until"]) if end is not None]
        into["holds_until"] = min(cast("list[str]", ends)) if ends else None
    return [merged[type_] for type_ in sorted(merged)]
