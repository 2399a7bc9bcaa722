"""What the simulation's record says while it is still being written, for the live view: the lanes, the first walk-in, what went on with the line down.

Nothing of the report is computed from it: the report reads the whole record at the end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Line = Mapping[str, object]


@dataclass(slots=True, kw_only=True)
class LaneNews:
    """What is at a lane as a bystander sees it."""

    arm: str = "down"
    vehicle_here: bool = False
    doing: str = ""


@dataclass(slots=True, kw_only=True)
class News:
    """The record so far. `with_line_down` counts what happened while the line was cut."""

    lanes: dict[str, LaneNews] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    with_line_down: Counter[str] = field(default_factory=Counter)
    arm_on_a_car: int = 0
    first_decision_ms: float | None = None
    paid_minor: int = 0
    currency: str = ""
    first_change: tuple[str, str, float] | None = None
    _said: dict[str, bool] = field(default_factory=dict)
    _known_after_ms: float | None = None

    def take(self, line: Line, *, line_up: bool) -> None:
        """Read one more line."""
        what = str(line["what"])
        self.counts[what] += 1
        if not line_up:
            self.with_line_down[what] += 1
        if "lane" in line:
            self._at_lane(self.lanes.setdefault(str(line["lane"]), LaneNews()), what, line)
        if what == "entered" and "reservation" in line:
            self.counts["pass"] += 1
            self.with_line_down["pass"] += not line_up
        if what == "payment":
            self.paid_minor += int(str(line["amount_minor"]))
            self.currency = str(line["currency"])
        if what == "reading":
            self._reading(str(line["spot"]), float(str(line["t"])), occupied=bool(line["occupied"]))

    def known_after_ms(self, seen: Sequence[tuple[str, str, float]]) -> float | None:
        """How long after the first change of a place a subscriber knew of it; None while it does not."""
        if self._known_after_ms is None and self.first_change is not None:
            spot, state, sent_s = self.first_change
            heard = (
                at_s for number, told, at_s in seen if (number, told) == (spot, state) and at_s >= sent_s
            )
            at_s = next(heard, None)
            self._known_after_ms = None if at_s is None else (at_s - sent_s) * 1_000
        return self._known_after_ms

    def _reading(self, spot: str, at_s: float, *, occupied: bool) -> None:
        if self.first_change is None and self._said.get(spot, occupied) is not occupied:
            self.first_change = (spot, "occupied" if occupied else "free", at_s)
        self._said[spot] = occupied

    def _at_lane(self, lane: LaneNews, what: str, line: Line) -> None:
        if what == "arm" and not line.get("refused"):
            lane.arm = "up" if line["move"] == "open" else "down"
            self.arm_on_a_car += line["move"] == "close" and line.get("safety_loop_occupied_s") is not None
        elif what == "loop" and line["loop"] == "arming_loop":
            lane.vehicle_here = bool(line["occupied"])
            if lane.vehicle_here:
                lane.doing = ""
        elif what == "decision":
            ms = float(str(line["ms"]))
            if line["kind"] == "payment":
                lane.doing = f"paid, the arm told {ms:.0f} ms later"
            else:
                lane.doing = f"{SHOWN.get(str(line['kind']), line['kind'])}, decided in {ms:.0f} ms"
                self.first_decision_ms = self.first_decision_ms or ms
        elif what in {"entered", "left", "turned_away", "backed_out", "tailgated"}:
            lane.doing = _farewell(what, line)


SHOWN = {
    "button": "ticket by button",
    "touch": "ticket at the kiosk",
    "plate": "let in by plate",
    "ticket": "ticket at the reader",
    "code": "ticket shown again",
    "pass": "let in by pass",
}


def _farewell(what: str, line: Line) -> str:
    vehicle = f"vehicle {line['vehicle']}"
    if what == "turned_away":
        return f"{vehicle} turned away: {line.get('why', '')}"
    if what == "entered":
        return f"{vehicle} in, {line.get('type', '')}"
    return f"{vehicle} {({'left': 'out', 'backed_out': 'backed out', 'tailgated': 'tailgated'})[what]}"


class RecordFollower:
    """Reads what was added to a record since it was looked at last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""

    def lines(self) -> list[Line]:
        """The whole lines that are new; none where there is no file yet."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return []
        self._read += len(new)
        *whole, self._rest = (self._rest + new).split(b"\n")
        return [json.loads(line) for line in whole if line]
