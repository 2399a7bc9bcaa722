"""Bookings whose decision is not known here, for the people on site: what waits, and a person's word that ends it.

The word goes on record with its name and reason, and is compared with the centre's as soon as that is heard. Next file: edge/commitments.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from edge.api.bodies import DoubtBody
from edge.api.devices import Devices, Role
from edge.api.problems import Problem
from sync.participants import Doubt
from sync.transaction import Outcome, TransactionId

Reservation = Annotated[str, Path(min_length=1, max_length=64)]
Revision = Annotated[int, Path(ge=1, le=2**31 - 1)]


class DoubtDesk(Protocol):
    """Who knows the doubts (edge/commitments)."""

    def doubts(self) -> Sequence[Doubt]:
        """What is to be decided elsewhere, the oldest first."""
        ...

    def decided_by_hand(self, transaction: TransactionId, outcome: Outcome, *, by: str, reason: str) -> bool:
        """A person ends a doubt; whether there was one."""
        ...


def doubt_endpoints(desk: DoubtDesk, devices: Devices) -> APIRouter:
    """The routes under /api/v1/doubts, for staff."""
    router = APIRouter(prefix="/api/v1/doubts")

    @router.get("")
    async def waiting(request: Request) -> JSONResponse:
        devices.asking(request, Role.STAFF)
        return JSONResponse([_plain(doubt) for doubt in desk.doubts()])

    @router.post("/{reservation}/{revision}")
    async def decide(
        reservation: Reservation, revision: Revision, request: Request, body: DoubtBody
    ) -> JSONResponse:
        devices.asking(request, Role.STAFF)
        transaction = TransactionId(reservation=reservation, revision=revision)
        if not desk.decided_by_hand(transaction, body.outcome, by=body.by, reason=body.reason):
            raise Problem(
                404,
                "no_such_doubt",
                f"No booking {transaction} waits for a decision here.",
                fix="Take one from the list of GET /api/v1/doubts.",
            )
        return JSONResponse({"accepted": True}, 202)

    return router


def _plain(doubt: Doubt) -> dict[str, object]:
    part = doubt.part
    window = part.window
    return {
        "reservation": part.id.reservation,
        "revision": part.id.revision,
        "state": str(part.state),
        "type": None if part.type is None else str(part.type),
        "starts_at": None if window is None else window.starts_at.isoformat(),
        "ends_at": None if window is None or window.ends_at is None else window.ends_at.isoformat(),
        "since_at": None if part.prepared_at is None else part.prepared_at.isoformat(),
        "overdue": doubt.overdue,
    }
