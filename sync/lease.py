"""Who does the work of a transaction, when any process may have died: a lease with a fencing token.

Theory. The holder of a lease sends, tells and captures. It renews the lease while it works; when it is over, anybody takes the work with a
token that is one higher. A process that was only slow wakes up with the old token: every write compares the token in the same
transaction (`WHERE lease_token = …`), so it writes nothing. Time decides only who may take over, never what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

LEASE_TIME = timedelta(seconds=5)
"""Shorter than the coordinator's deadline, so that the work of a process that died while PREPARING is taken over in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """`holder` works on it until `until_at` by the database's clock. `token` grows with each taking; 0: nobody ever did."""

    holder: str = ""
    token: int = 0
    until_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether somebody else may take the work."""
        return self.until_at is None or self.until_at <= now

    def taken(self, holder: str, now: datetime) -> Lease | None:
        """The next lease, of `holder`; None while another holds it."""
        if not self.is_over(now):
            return None
        return Lease(holder=holder, token=self.token + 1, until_at=now + LEASE_TIME)

    def renewed(self, token: int, now: datetime) -> Lease | None:
        """The same lease for longer; None where `token` is not the last one given."""
        return replace(self, until_at=now + LEASE_TIME) if token == self.token else None
