"""The count of a person who walked the lot, typed in by the people on site. Next file: edge/recounts.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from edge.api.bodies import RecountBody
from edge.api.devices import Devices, Role
from edge.api.problems import Problem
from edge.recounts import NotStoring, Recounted
from parking.lot import SpotType
from parking.recount import Miscount, MiscountFound

SENTENCES: Mapping[Miscount, tuple[str, str]] = {
    Miscount.NOTHING: ("Nothing was counted.", "Name each type that was counted with its cars."),
    Miscount.TYPE_NOT_HERE: (
        "This lot has no {type} space, and no car inside on one.",
        "Leave {type} out.",
    ),
    Miscount.NEGATIVE: ("Nobody can count fewer than no {type} cars.", "Use 0 to {most}."),
    Miscount.TOO_MANY: ("So many {type} cars do not fit into this lot.", "Count again: {most} at most."),
}


class RecountDesk(Protocol):
    """Who takes counts in (edge/recounts)."""

    async def recount(
        self, counted: Mapping[SpotType, int], *, by: str, reason: str
    ) -> Recounted | MiscountFound | NotStoring:
        """Make the ledger say what was counted, or say why not."""
        ...


def recount_endpoints(desk: RecountDesk, devices: Devices) -> APIRouter:
    """The route /api/v1/recount, for staff."""
    router = APIRouter(prefix="/api/v1/recount")

    @router.post("")
    async def recount(request: Request, body: RecountBody) -> JSONResponse:
        devices.asking(request, Role.STAFF)
        match await desk.recount(body.counted, by=body.by, reason=body.reason):
            case Recounted() as done:
                return JSONResponse(_plain(done))
            case MiscountFound() as wrong:
                raise _miscounted(wrong)
            case NotStoring():
                raise Problem(
                    503,
                    "not_storing",
                    "The ledger cannot be written, so no count is taken.",
                    fix="Make room on the disk or mend it, then count again.",
                )

    return router


def _miscounted(wrong: MiscountFound) -> Problem:
    detail, fix = SENTENCES[wrong.problem]
    about = {"type": wrong.type, "most": wrong.most}
    named = "counted" if wrong.type is None else f"counted.{wrong.type}"
    return Problem(422, str(wrong.problem), detail.format(**about), field=named, fix=fix.format(**about))


def _plain(done: Recounted) -> dict[str, object]:
    recount = done.recount
    return {
        "before": dict(recount.before),
        "counted": dict(recount.counted),
        "closed": len(recount.closed),
        "opened": len(recount.opened),
        "over_count": sum(stay.over_count for stay in recount.opened),
        "durable": done.durable,
    }
