"""What a lane does, as facts of the log. Next file of every story: edge/ledger.py.

Repeated refusals of one credential coalesce: a card held to a reader for an hour must not fill a log that may drop nothing. The first
refusal is told at once; those that follow within `REFUSAL_WINDOW_S` (real seconds) are told as one fact with their number.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from drivers.ports import Move
from edge.change import Change, fact
from edge.ledger import Ledger
from parking.clock import Clock
from parking.decision import Reason
from parking.lot import LaneKind
from sync.events import EventDraft, EventKind
from sync.instants import to_us

REFUSAL_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One credential that was refused for one reason at one lane."""

    lane: str
    direction: LaneKind
    reason: Reason
    credential_kind: str
    subject: str


@dataclass(slots=True, kw_only=True)
class LotLaneLog:
    """The lanes' facts, written through the ledger; nobody at the lane waits for them. `window_s`: see `REFUSAL_WINDOW_S`."""

    ledger: Ledger
    clock: Clock
    window_s: float = REFUSAL_WINDOW_S
    moves: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    _repeated: dict[Refused, int] = field(default_factory=dict)

    def gate_moved(self, lane: str, move: Move, why: str, stay: str | None) -> None:
        """The arm was told to move."""
        self.moves += 1
        self._write(EventKind.GATE_MOVED, lane=lane, move=move.value, why=why, stay=stay)

    def tailgated(self, lane: str) -> None:
        """A second vehicle went through."""
        self._write(
            EventKind.OVERRIDE,
            lane=lane,
            action="tailgated",
            by="safety loop",
            reason="a second vehicle passed",
        )

    def help_called(self, lane: str, why: str) -> None:
        """A person is needed at the lane."""
        self._write(EventKind.OVERRIDE, lane=lane, action="help_called", by="lane", reason=why)

    def person_acted(self, lane: str, action: str, by: str, reason: str, *, command: str = "") -> None:
        """A person decided; it goes on record. `command`: see `LaneLog`."""
        remote = {"command": command} if command else {}
        self._write(EventKind.OVERRIDE, lane=lane, action=action, by=by, reason=reason, **remote)

    def refused(self, refused: Refused) -> None:
        """A credential was refused."""
        self.refusals[refused.reason.value] = self.refusals.get(refused.reason.value, 0) + 1
        if refused in self._repeated:
            self._repeated[refused] += 1
            return
        self._repeated[refused] = 0
        self._tell(refused, times=1)
        asyncio.get_running_loop().call_later(self.window_s, self._tell_repeated, refused)

    def tell_what_repeated(self) -> None:
        """Tell at once what still waits to be told in one fact: the agent goes down."""
        for refused in tuple(self._repeated):
            self._tell_repeated(refused)

    def _tell_repeated(self, refused: Refused) -> None:
        times = self._repeated.pop(refused, 0)
        if times:
            self._tell(refused, times=times)

    def _tell(self, refused: Refused, *, times: int) -> None:
        self._write(
            EventKind.ADMISSION_REFUSED,
            lane=refused.lane,
            direction=refused.direction.value,
            reason=refused.reason.value,
            credential_kind=refused.credential_kind,
            times=times,
        )

    def _write(self, kind: EventKind, **body: object) -> None:
        draft: EventDraft = fact(kind, to_us(self.clock.now()), **body)
        self.ledger.commit(Change(events=(draft,)), urgent=False)
