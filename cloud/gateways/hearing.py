"""How a gateway is heard. By when it was last heard, never by its socket alone: a socket stays open for a while after the power went.

    what is known                             Hearing
    no word yet                               NEVER
    nothing for more than 5 minutes           SILENT    whatever the socket says: somebody must look
    its session is over                       DOWN      it comes back by itself, mostly
    nothing for more than 60 seconds          LATE      it sends at least every 20 s: nothing is asked of it any more
    else                                      UP

A process of the centre that dies leaves its gateways' sessions open in the database: they grow late and silent like any other.
"""

from __future__ import annotations

from enum import StrEnum

LATE_AFTER_S = 60.0
SILENT_AFTER_S = 300.0


class Hearing(StrEnum):
    """How a gateway is heard."""

    NEVER = "never"
    UP = "up"
    LATE = "late"
    DOWN = "down"
    SILENT = "silent"


def hearing_of(age_s: float | None, *, session_open: bool) -> Hearing:
    """How a gateway is heard that was last heard `age_s` real seconds ago (None: never)."""
    if age_s is None:
        return Hearing.NEVER
    if age_s > SILENT_AFTER_S:
        return Hearing.SILENT
    if not session_open:
        return Hearing.DOWN
    return Hearing.LATE if age_s > LATE_AFTER_S else Hearing.UP
