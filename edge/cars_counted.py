"""Whether the lot is full of cars, as far as its stays and its sensors tell: what a booked driver is never let into. Asked by edge/entering.py.

The accounts know what was promised; this knows what stands there. A place that its sensor reads as free ends the question. Else the lot is full where
every place that a booking of this type may use reads as occupied, or as many cars are inside as there are places: stays of cars that left unseen count,
and a person who is called sees it.
"""

from __future__ import annotations

from edge.ledger import Ledger
from parking.ids import SpotId
from parking.lot import Lot, SpotType

OCCUPIED, FREE = "occupied", "free"


def is_brim_full(lot: Lot, ledger: Ledger, spot_type: SpotType) -> bool:
    """Whether a booking of `spot_type` would find no place to stand on now."""
    usable = {spot_type, *lot.policy.better_types.get(spot_type, ())}
    places = {spot.id for spot in lot.spots if spot.type in usable}
    said: dict[SpotId, set[str]] = {place: set() for place in places}
    for word in ledger.spot_states():
        if word.spot in said:
            said[word.spot].add(word.state)
    if any(FREE in words for words in said.values()):
        return False
    all_taken = bool(said) and all(OCCUPIED in words for words in said.values())
    return all_taken or len(ledger.open_stays()) >= len(lot.spots)
