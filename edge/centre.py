"""The centre as the rest of the agent sees it: a line that is up or down, or no centre at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.api.desk import LinkState, LinkStatus
from edge.gate_commands import GateCommands
from edge.ledger import Ledger
from edge.link import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """`link` is None where the lot has no centre, or this unit is not enrolled yet (`detail` says which)."""

    ledger: Ledger
    link: Link | None
    gates: GateCommands
    detail: str = ""

    def status(self) -> LinkStatus:
        """The line as the screens show it."""
        acknowledged_seq = self.ledger.acknowledged_seq
        if self.link is None:
            return LinkStatus(state=LinkState.NONE, acknowledged_seq=acknowledged_seq, detail=self.detail)
        status = self.link.status
        return LinkStatus(
            state=LinkState(status.state),
            since_at=status.since_at,
            backlog=status.backlog,
            acknowledged_seq=acknowledged_seq,
            detail=status.problem,
        )

    def is_up(self) -> bool:
        """Whether the centre hears us now."""
        return self.status().state is LinkState.UP

    def refused(self) -> Mapping[str, int]:
        """Frames that were not accepted, by their error's code."""
        return {} if self.link is None else dict(self.link.refused)

    def gate_commands(self) -> Mapping[str, int]:
        """Gate commands from afar by what became of them."""
        return dict(self.gates.counts)

    def picture_changed(self) -> None:
        """A lane's state is new: the centre wants to know, and whoever it asked something of that lane for."""
        self.gates.lanes_changed()
        if self.link is not None:
            self.link.picture_changed()
