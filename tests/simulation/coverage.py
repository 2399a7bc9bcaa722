"""Counts which rows of the product's tables a day passes through, "table state/event", so that its zeroes mean something.

The tables are looked up as they always are: their modules' names are bound to dictionaries that count. Pairs that a table does not have are
looked up too ("anything else changes nothing"); they are not counted. A table of what may follow a state is counted by its steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
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
        if key not in self:
            return default
        return self[key]

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


NOT_ON_THE_DAY: Mapping[str, str] = {
    "* */alarm": "no house burns; tests/integration/edge plays fire alarms",
    "* evacuat*": "the same",
    "booking in_use/cancel_asked": "the service refuses before it asks the table",
    "booking cancel_pending/displaced": "nobody is sent on who does not come",
    "clock */contradicted": "the centre's clock is right here",
    "clock */set": "only a lot without a centre takes its machine's word",
    "coordinator */inquired_after_loss": "no ledger is lost: incarnations come later",
    "coordinator */recovered": "the same",
    "coordinator withheld/*": "the same",
    "coordinator none/inquired": "the centre never loses what it drafted",
    "coordinator none/pass_reported": "the same",
    "coordinator draft/inquired*": "nobody asks about what was never sent to him",
    "coordinator draft/begun_*": "the service refuses before it begins",
    "coordinator draft/pass_reported": "a pass exists only after COMMITTED",
    "coordinator preparing/pass_reported": "the same",
    "coordinator aborted/pass_reported": "the same",
    "coordinator preparing/given_up": "a driver waits for the answer",
    "coordinator preparing/payment_lost": "a lapsed hold is found at the capture",
    "coordinator preparing/met_by_fact": "the lot chooses the spot, and chooses a free one",
    "coordinator committed/met_by_fact": "the same",
    "coordinator committed/vote_counted": "one lot votes, so each yes is the last",
    "coordinator */link_opened": "what is decided is told from the list of the untold",
    "coordinator committed/taken_over": "the same; the money is the cashier's",
    "coordinator aborted/taken_over": "the same",
    "coordinator */inquired": "a lot asks when the deadline is over: inquired_late",
    "participant *_by_hand/*": "nobody ends a doubt by hand: it would be undone on most days, and I4 with it",
    "participant prep/operator_*": "the same",
    "participant abrt/committed": "a decision is never taken back",
    "participant comm/aborted": "the same",
    "participant abrt/pass_shown": "a pass exists only after COMMITTED",
    "participant canc/*": "the document comes after the decision that it cancels",
    "participant none/cancelled": "the same",
    "participant prep/cancelled": "the same",
    "payment at the centre void/decided_committed": "a decision is never taken back",
    "payment at the centre declined/*": "who was declined is not asked again",
    "payment at the centre voiding/decided_aborted": "one word of the decision is enough",
    "payment at the centre capturing/decided_committed": "the same",
    "payment at the centre authorised/captured": "only we capture",
    "payment at the centre void*/captured": "the same",
    "payment at the centre receivable/*": "what is owed is collected by people",
    "session, * fenced/*": "no epoch ends",
    "session, edge await_welcome/welcome_fenced": "the same",
    "transfer, sender in_flight/epoch_ended": "the same",
    "transfer, sender stranded/*": "the same",
    "transfer, receiver none/arrived_stale": "the same",
    "session, *error": "both ends speak the same version",
    "session, cloud open/command_result": "nobody moves a gate from afar",
    "session, edge */gate_command": "the same",
    "session, edge */drain": "no process of the centre is told to drain",
    "reconnect */drained": "the same",
    "session, edge layout/*": "the layout is asked for in the first session, and nothing is booked yet",
    "stay void/entered": "who backed out is gone",
    "lane, * unread/arm_between": "an arm stands still while the agent boots",
    "lane, * closing/safety_occupied": "nobody walks under a closing arm",
    "lane, * released/*": "the same",
    "lane, * unsure/safety_occupied": "the same",
    "lane, exit */vehicle_gone": "whoever is at the exit wants out",
    "lane, * deciding/vehicle_gone": "a driver waits for the answer",
    "lane, * abandoned/*": "the same",
    "lane, exit deciding/refused": "nobody is kept in",
}
"""Rows that the day does not pass through, and why; patterns as of a file's name."""

SELDOM = (
    "booking */pass_used",
    "coordinator preparing/inquired_late",
    "coordinator committed/payment_lost",
    "lane, * */controller_lost",
    "lane, * */person_*",
    "lane, * */time_out",
    "lane, * */safety_*",
    "lane, * open_empty/*",
    "lane, * stuck/*",
    "lane, exit owes/presented",
    "participant comm/prepare_again",
    "participant prep/window_ended",
    "payment at the centre */cancelled",
    "payment at the centre */declined",
    "payment at the centre capturing/*",
    "stay admitted/left",
)
"""Two rare things at once: passed through on some of a hundred days, or on none. The tables' own tests pass through every row."""


def not_passed(seen: Mapping[str, int]) -> set[str]:
    """The rows that should have been passed through and were not."""
    left = all_rows() - set(seen)
    excused = (*NOT_ON_THE_DAY, *SELDOM)
    return {row for row in left if not any(fnmatchcase(row, pattern) for pattern in excused)}


def needless() -> set[str]:
    """Excuses that excuse no row of any table."""
    rows = all_rows()
    return {
        pattern
        for pattern in (*NOT_ON_THE_DAY, *SELDOM)
        if not any(fnmatchcase(row, pattern) for row in rows)
    }
