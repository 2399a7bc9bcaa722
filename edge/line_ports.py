"""What a line to the centre needs of the lot. Next file: edge/line.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from edge.change import Change, SpotState
from parking.lot import Lot
from sync.messages import (
    Answer,
    Decision,
    Document,
    FromParticipant,
    GateCommand,
    LogRow,
    Prepare,
    Transfer,
)


class LinkLedger(Protocol):
    """What the link needs of the ledger."""

    @property
    def lot(self) -> Lot:
        """The lot as it is built."""
        ...

    @property
    def last_seq(self) -> int:
        """The last row of the log, durable or about to be."""
        ...

    @property
    def document_n(self) -> int:
        """The number of the last document applied."""
        ...

    @property
    def verdict(self) -> Literal["ok", "fenced"]:
        """Whether this lot may sell."""
        ...

    epoch: int
    boot: str
    acknowledged_seq: int
    acknowledged_hash: bytes

    def log_page(self, after_seq: int, limit: int) -> tuple[LogRow, ...]:
        """Durable rows after `after_seq`, as they were stored."""
        ...

    def hash_at(self, seq: int) -> bytes | None:
        """The hash of row `seq` (0: the genesis); None where the row is gone."""
        ...

    def acknowledge(self, seq: int, row_hash: bytes) -> asyncio.Future[None]:
        """The centre has applied the log up to `seq`."""
        ...

    def mark_uploaded(self, states: list[SpotState]) -> asyncio.Future[None]:
        """The centre has stored these words."""
        ...

    def fence(self, reason: str) -> asyncio.Future[None]:
        """Sell nothing until a person has recounted."""
        ...

    def line_lost(self) -> None:
        """The line is down."""
        ...

    def line_back(self) -> None:
        """The line is up again."""
        ...

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back with each change once it is durable; the answer ends it."""
        ...


class Commit(Protocol):
    """The lot's side of the commit (edge/commitments)."""

    def link_opened(self, speaker: Callable[[FromParticipant], None]) -> None:
        """A session stands; `speaker` sends a frame in it, as long as it does."""
        ...

    def link_lost(self) -> None:
        """It is over."""
        ...

    def hear(self, frame: Prepare | Decision | Answer) -> None:
        """A frame of this session came."""
        ...


class SpotOwners(Protocol):
    """Who may sell which spot (edge/owners)."""

    def link_opened(self, speaker: Callable[[FromParticipant], None]) -> None:
        """A session stands; `speaker` sends a frame in it, as long as it does."""
        ...

    def link_lost(self) -> None:
        """It is over."""
        ...

    def hear(self, frame: Transfer) -> None:
        """Spots came, or the answer that none do."""
        ...


class Documents(Protocol):
    """Who applies what the centre decides (edge/configuration)."""

    async def apply(self, document: Document) -> None:
        """Apply it with its number; return when it is durable."""
        ...


class GateDesk(Protocol):
    """Who carries out what a person asks of a lane from afar (edge/gate_commands)."""

    def link_opened(self, speaker: Callable[[FromParticipant], None]) -> None:
        """A session stands; `speaker` sends a frame in it, as long as it does."""
        ...

    def link_lost(self) -> None:
        """It is over."""
        ...

    def hear(self, command: GateCommand) -> None:
        """A command of this session came."""
        ...
