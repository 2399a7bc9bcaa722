"""Draws the product's state machines from their own tables, so that the pictures cannot lie.

    python docs/state_diagrams.py            writes docs/diagrams/*.svg
    python docs/state_diagrams.py --check    exits 1 where a committed picture is not what the table says

Graphviz (`dot`) lays them out. Its version and the sizes it gives to text are left out of the comparison: compared is what is drawn,
the titles of nodes and edges in their order.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from edge.lanes import ENTRY, EXIT, LaneEffect, LaneEvent, LanePhase, LaneTable
from parking.claims import CLAIM_TABLE, ClaimState
from parking.demands import PAYMENT_TABLE, PaymentState
from parking.stays import STAY_TABLE, StayState
from parking.street import BAY_TABLE, BayPhase
from parking.trusted_time import CLOCK_TABLE, ClockQuality
from sync.booking import CoordinatorState
from sync.cancellation import BOOKING_TABLE, BookingState
from sync.coordinator import COORDINATOR_TABLE
from sync.edge_session import EDGE_TABLE, EdgeState
from sync.ownership import RECEIVER_TABLE, SENDER_TABLE, TransferState
from sync.part import ParticipantState
from sync.participant import PARTICIPANT_TABLE
from sync.payment import PROVIDER_TABLE, PaymentStanding
from sync.reconnect import RECONNECT_TABLE, ReconnectState

FOLDER = Path(__file__).parent / "diagrams"
Arrow = tuple[str, str, str]


_State = TypeVar("_State", bound=StrEnum)
_Event = TypeVar("_Event", bound=StrEnum)
_Act = TypeVar("_Act", bound=StrEnum)


def arrows_of(table: Mapping[tuple[_State, _Event], _State]) -> Iterable[Arrow]:
    """The arrows of a table {(state, event): state}."""
    return [(source, target, event) for (source, event), target in table.items()]


def arrows_of_lane(table: LaneTable) -> Iterable[Arrow]:
    """The arrows of a lane's table, each with its event over its effects; the losses of the controller are one arrow, and so are the alarms."""
    for (source, event), (target, effects) in table.items():
        if target is LanePhase.LOST or event is LaneEvent.ALARM:
            continue
        done = [effect for effect in effects if effect is not LaneEffect.FORGET]
        yield source, target, f"{event}\\n/ {', '.join(done)}" if done else str(event)
    yield "any phase", LanePhase.LOST, "controller_lost\\n/ call_help"
    yield "any phase", LanePhase.EVACUATING, "alarm\\n/ raise_arm"


def arrows_with_acts(
    table: Mapping[tuple[_State, _Event], tuple[_State, tuple[_Act, ...]]],
) -> Iterable[Arrow]:
    """The arrows of a table {(state, event): (state, acts)}. Events that lead the same way with the same acts share one arrow, and what leaves
    a state where it is shares one loop.
    """
    together: dict[tuple[_State, _State], dict[tuple[_Act, ...], list[_Event]]] = {}
    for (source, event), (target, acts) in table.items():
        if source is not target or acts:
            together.setdefault((source, target), {}).setdefault(acts, []).append(event)
    for (source, target), ways in together.items():
        told = [_told(events, acts) for acts, events in ways.items()]
        if source is target:
            yield source, target, "\\l".join([*told, ""])
        else:
            yield from ((source, target, f"{each}\\l") for each in told)


def _told(events: Iterable[StrEnum], acts: Iterable[StrEnum]) -> str:
    heard = ", ".join(event.replace("_", " ") for event in events)
    done = ", ".join(act.replace("_", " ") for act in acts)
    return f"{heard}\\l  / {done}" if done else heard


def arrows_of_steps(table: Mapping[_State, frozenset[_State]]) -> Iterable[Arrow]:
    """The arrows of a table {state: states that may follow}."""
    return [(source, target, "") for source, targets in table.items() for target in sorted(targets)]


def graph(title: str, first: str, arrows: Iterable[Arrow]) -> str:
    """One machine in Graphviz's language; `first` is where it begins."""
    lines = [
        f"digraph {title} {{",
        '  rankdir=TB; bgcolor="white"; nodesep=0.35; ranksep=0.55; fontname="DejaVu Sans";',
        '  node [shape=box, style="rounded,filled", fillcolor="#f3f6f8", color="#44545f", fontname="DejaVu Sans", fontsize=11];',
        '  edge [color="#44545f", fontname="DejaVu Sans", fontsize=9];',
        f'  "{first}" [fillcolor="#ffc61a", penwidth=2];',
    ]
    for source, target, label in arrows:
        text = label if "\\" in label else label.replace("_", " ")
        lines.append(f'  "{source}" -> "{target}" [label="{text}"];')
    return "\n".join([*lines, "}"])


DIAGRAMS = {
    "lane_entry": graph("lane_entry", LanePhase.UNREAD, arrows_of_lane(ENTRY)),
    "lane_exit": graph("lane_exit", LanePhase.UNREAD, arrows_of_lane(EXIT)),
    "stay": graph("stay", StayState.ADMITTED, arrows_of(STAY_TABLE)),
    "bay": graph("bay", BayPhase.EMPTY, arrows_of(BAY_TABLE)),
    "claim": graph("claim", ClaimState.HELD, arrows_of_steps(CLAIM_TABLE)),
    "payment": graph("payment", PaymentState.PENDING, arrows_of_steps(PAYMENT_TABLE)),
    "coordinator": graph("coordinator", CoordinatorState.NONE, arrows_with_acts(COORDINATOR_TABLE)),
    "participant": graph("participant", ParticipantState.NONE, arrows_with_acts(PARTICIPANT_TABLE)),
    "provider": graph("provider", PaymentStanding.CREATING, arrows_with_acts(PROVIDER_TABLE)),
    "booking": graph("booking", BookingState.ACTIVE, arrows_with_acts(BOOKING_TABLE)),
    "transfer": graph("transfer", TransferState.NONE, arrows_with_acts({**SENDER_TABLE, **RECEIVER_TABLE})),
    "edge_session": graph("edge_session", EdgeState.AWAIT_CHALLENGE, arrows_of(EDGE_TABLE)),
    "clock": graph("clock", ClockQuality.UNKNOWN, arrows_of(CLOCK_TABLE)),
    "reconnect": graph("reconnect", ReconnectState.WAITING, arrows_of(RECONNECT_TABLE)),
}


def draw(source: str) -> str:
    """The SVG of a graph, without the layouter's version."""
    drawn = subprocess.run(["dot", "-Tsvg"], input=source, capture_output=True, text=True, check=True)
    return re.sub(r"<!-- Generated by .*?-->\n", "", drawn.stdout, flags=re.DOTALL)


def drawn_things(svg: str) -> list[tuple[str, str]]:
    """What a picture shows: its titles and words, in their order."""
    return re.findall(r"<title>(.*?)</title>|<text [^>]*>(.*?)</text>", svg)


def main() -> int:
    """Write the pictures, or check them."""
    checking = sys.argv[1:] == ["--check"]
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, source in DIAGRAMS.items():
        path, svg = FOLDER / f"{name}.svg", draw(source)
        if not checking:
            path.write_text(svg)
        elif not path.exists() or drawn_things(path.read_text()) != drawn_things(svg):
            stale.append(path.name)
    for name in stale:
        print(f"docs/diagrams/{name} is not what its table says. Fix: python docs/state_diagrams.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
