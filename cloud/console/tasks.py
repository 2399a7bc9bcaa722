"""What needs a person: someone waiting at a lane first, then by age. The fix stands next to the fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloud.console.words import IN_TROUBLE, STOP, WARN, count, lane_name, phase_of
from cloud.gateways.hearing import Hearing
from cloud.gateways.reading import GatewayState
from cloud.parking_lots.search import FoundLot
from cloud.reservations.reading import OpenConflicts

ODD_SHARE = 0.05
ODD_AT_LEAST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do. `age_s`: real seconds, None where it is not known since when. `urgent`: someone stands at a lane."""

    state: str
    icon: str
    title: str
    text: str
    age_s: float | None
    href: str
    action: str
    urgent: bool = False


def tasks(
    fleet: Iterable[GatewayState], lots: Iterable[FoundLot], conflicts: Iterable[OpenConflicts]
) -> list[Task]:
    """All of it, most pressing first."""
    by_id = {lot.id: lot for lot in lots}
    found = [task for gateway in fleet for task in _of_gateway(gateway, by_id.get(gateway.lot))]
    found += [_conflict(conflict, by_id.get(conflict.lot)) for conflict in conflicts]
    return sorted(found, key=pressing)


def pressing(task: Task) -> tuple[bool, float, str]:
    """What sorts the most pressing first: someone at a lane, then the oldest."""
    return not task.urgent, -(task.age_s or 0.0), task.title


def _of_gateway(gateway: GatewayState, lot: FoundLot | None) -> Iterator[Task]:
    name, href = gateway.lot_name, f"/console/lots/{gateway.lot}"
    if gateway.state in {"quarantined", "fenced"}:
        text = gateway.state_reason or "It sells nothing; exits open."
        yield Task(
            state=STOP, icon="lock", title=f"{name}: gateway {gateway.state}", text=text,
            age_s=gateway.age_s, href="/console/gateways", action="Look",
        )  # fmt: skip
    elif gateway.hearing is Hearing.SILENT:
        yield Task(
            state=WARN, icon="cut", title=f"{name}: {'silent' if gateway.session_open else 'line down'}",
            text="No power, or no line. With power the lot works on by itself, and all of it comes when the line is back.",
            age_s=gateway.age_s, href="/console/gateways", action="Look",
        )  # fmt: skip
    if gateway.connected:
        yield from _lanes(gateway, href)
    if gateway.events_quarantined:
        yield Task(
            state=WARN, icon="warn", title=f"{name}: {count(gateway.events_quarantined)} records not understood",
            text="They are kept as they came; the rest of the log goes on.",
            age_s=None, href="/console/gateways", action="Look",
        )  # fmt: skip
    total = lot.total if lot is not None else 0
    if gateway.unexplained >= max(ODD_AT_LEAST, ODD_SHARE * total):
        yield Task(
            state=WARN, icon="warn", title=f"{name}: sensors and ledger differ at {gateway.unexplained} spaces",
            text="A car without a ticket, or a sensor that is wrong. Only a recount changes the ledger.",
            age_s=None, href=href, action="Look",
        )  # fmt: skip


def _lanes(gateway: GatewayState, href: str) -> Iterator[Task]:
    for lane, phase in sorted(gateway.lanes.items()):
        if phase in IN_TROUBLE:
            state, word, icon, _, text = phase_of(phase)
            yield Task(
                state=state, icon=icon, title=f"{gateway.lot_name}, {lane_name(lane).lower()}: {word.lower()}",
                text=text, age_s=None, href=f"{href}#lanes", action="Look", urgent=phase == "stuck",
            )  # fmt: skip


def _conflict(conflict: OpenConflicts, lot: FoundLot | None) -> Task:
    name = "A lot" if lot is None else lot.name
    many = "space is promised twice" if conflict.count == 1 else "spaces are promised twice"
    return Task(
        state=STOP,
        icon="doubt",
        title=f"{name}: {count(conflict.count)} {many}",
        text="Both promises are on record. Move one of them before its driver comes.",
        age_s=conflict.age_s,
        href=f"/console/lots/{conflict.lot}",
        action="Look",
    )
