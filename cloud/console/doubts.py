"""Bookings on their way between centre and lot, as the console says them: a doubt is shown as a doubt, never as an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID
from zoneinfo import ZoneInfo

from cloud.console.tasks import Task
from cloud.console.views import DoubtLine
from cloud.console.words import WAIT, Tag, count, duration, type_name
from cloud.parking_lots.search import FoundLot
from cloud.reservations.reading import OpenTransaction, OverdueDoubts

DOUBT = "doubt"
OVERDUE_S = 600.0
"""A decision that a lot has not acknowledged for so long (real seconds) is a task for a person; the alert of the deployment has the same limit."""

DECIDED = {"committed": "booked", "aborted": "not booked"}


def doubt_line(doubt: OpenTransaction, zone: ZoneInfo) -> DoubtLine:
    """One row of a lot's table."""
    if doubt.state == "preparing":
        tag = Tag(state=WAIT, word="Being decided", icon="wait")
        text = "The lot was asked. It is decided within seconds, or not booked."
    else:
        tag = Tag(state=DOUBT, word="In doubt at the lot", icon="doubt")
        decided = DECIDED.get(doubt.state, doubt.state)
        text = f"Decided here: {decided}. The lot has not heard it yet and keeps the space; the pass opens."
    return DoubtLine(
        short=str(doubt.reservation)[:8],
        revision=doubt.revision,
        type=type_name(doubt.type),
        starts_at=None if doubt.starts_at is None else doubt.starts_at.astimezone(zone),
        ends_at=None if doubt.ends_at is None else doubt.ends_at.astimezone(zone),
        tag=tag,
        text=text,
        since=duration(doubt.age_s),
    )


def doubt_tasks(overdue: Iterable[OverdueDoubts], lots: Mapping[UUID, FoundLot]) -> Iterator[Task]:
    """Where a decision has been on its way for too long."""
    for one in overdue:
        name = lots[one.lot].name if one.lot in lots else "A lot"
        many = "booking is in doubt" if one.count == 1 else "bookings are in doubt"
        yield Task(
            state=DOUBT,
            icon="doubt",
            title=f"{name}: {count(one.count)} {many}",
            text="Decided here, not heard there. The spaces stay kept and the passes open; on site a person may decide, with a reason.",
            age_s=one.age_s,
            href=f"/console/lots/{one.lot}#doubts",
            action="Look",
        )
