"""Names of things. Every id is a UUID in its canonical text form, except a gateway's and a lane's, which people type."""

from __future__ import annotations

from typing import NewType
from uuid import UUID, uuid5

LotId = NewType("LotId", str)
ZoneId = NewType("ZoneId", str)
SpotId = NewType("SpotId", str)
LaneId = NewType("LaneId", str)
ClaimId = NewType("ClaimId", str)
StayId = NewType("StayId", str)
DemandId = NewType("DemandId", str)
PaymentId = NewType("PaymentId", str)
GatewayId = NewType("GatewayId", str)


def spot_id(lot: LotId, number: str) -> SpotId:
    """The id of the spot painted `number` in `lot`: uuid5(lot, number), the same wherever it is computed."""
    return SpotId(str(uuid5(UUID(lot), number)))
