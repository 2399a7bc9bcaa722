"""Counts which rows of the product's tables a day passes through, "table state/event", so that its zeroes mean something.

The tables are looked up as they always are: their modules' names are bound to dictionaries that count. Pairs that a table does not have are
looked up too ("anything else changes nothing"); they are not counted. A table of what may follow a state is counted by its steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import edge.lanes
import parking.claims
import parking.demands
import parking.stays
import parking.trusted_time
import sync.cancellation
import sync.cloud_session
import sync.coordinator
import sync.edge_session
import sync.ownership
import sync.participant
import sync.payment
import sync.reconnect

SEEN: Counter[str] = Counter()

TABLES: Mapping[str, tuple[Any, str]] = {
    "claim": (parking.claims, "CLAIM_TABLE"),
    "clock": (parking.trusted_time, "CLOCK_TABLE"),
    "coordinator": (sync.coordinator, "COORDINATOR_TABLE"),
    "participant": (sync.participant, "PARTICIPANT_TABLE"),
    "payment at the lot": (parking.demands, "PAYMENT_TABLE"),
    "payment at the centre": (sync.payment, "PROVIDER_TABLE"),
    "booking": (sync.cancellation, "BOOKING_TABLE"),
    "transfer, sender": (sync.ownership, "SENDER_TABLE"),
    "transfer, receiver": (sync.ownership, "RECEIVER_TABLE"),
    "session, edge": (sync.edge_session, "EDGE_TABLE"),
    "session, cloud": (sync.cloud_session, "CLOUD_TABLE"),
    "reconnect": (sync.reconnect, "RECONNECT_TABLE"),
    "stay": (parking.stays, "STAY_TABLE"),
}
LANES = ("entry", "exit")


class _Followers(frozenset[Any]):
    """The states that may follow one."""

    prefix: str

    def __contains__(self, state: object) -> bool:
        may = super().__contains__(state)
        if may:
            SEEN[f"{self.prefix}/{state}"] += 1
        return may


class Counted(dict[Any, Any]):
    """A table that counts the rows that are looked up."""

    def __init__(self, name: str, rows: Mapping[Any, Any]) -> None:
        super().__init__(rows)
        self._name = name
        for state, after in rows.items():
            if isinstance(after, frozenset):
                followers = _Followers(after)
                followers.prefix = f"{name} {state}"
                super().__setitem__(state, followers)

    def get(self, key: Any, default: Any = None) -> Any:
        """As a dictionary's."""
        return self[key] if key in self else default

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(key, tuple):
            SEEN[f"{self._name} {key[0]}/{key[1]}"] += 1
        return found

    def rows(self) -> set[str]:
        """Every row, as it is counted."""
        return {
            f"{self._name} {row}"
            for key, after in self.items()
            for row in ([f"{key[0]}/{key[1]}"] if isinstance(key, tuple) else [f"{key}/{to}" for to in after])
        }


def count_tables() -> None:
    """Count from now on, in this process."""
    for name, (module, attribute) in TABLES.items():
        table = getattr(module, attribute)
        if not isinstance(table, Counted):
            setattr(module, attribute, Counted(name, table))
    for kind in LANES:
        lane = edge.lanes.TABLES[kind]
        if not isinstance(lane, Counted):
            edge.lanes.TABLES[kind] = Counted(f"lane, {kind}", lane)


def all_rows() -> set[str]:
    """Every row of every counted table."""
    count_tables()
    tables = [*(getattr(module, name) for module, name in TABLES.values()), *edge.lanes.TABLES.values()]
    return {row for table in tables for row in table.rows()}
