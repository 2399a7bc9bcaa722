"""What can go wrong in the agent, and who must act.

EdgeError
├── SettingsRefused       the lot's TOML cannot work: `problems` names file, line, field and fix of each
├── FactMissing           a fault of ours: a row was to be written without the event that tells it
├── StoreError
│   ├── StoreUnwritable   the disk is full or read-only: the lot is degraded until it can be written again
│   ├── StoreDamaged      the file is no ledger any more: set aside, what can be read is saved
│   ├── StoreInUse        another agent has this ledger open
│   └── StoreTooNew       a newer version of lotgate made this file
├── LedgerFull            more waits for the disk than memory may hold: telemetry is no longer taken
└── CertificateOutOfDate  the centre's certificate had certainly ended, or has not begun: it is to be renewed there
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EdgeError(Exception):
    """The agent cannot do what it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsProblem:
    """One thing that is wrong with a lot's TOML. `line` is None where the line is not known (a field that is missing)."""

    file: str
    line: int | None
    field: str
    problem: str
    fix: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place} {self.field}: {self.problem} Fix: {self.fix}"


class SettingsRefused(EdgeError):
    """The lot's TOML cannot work."""

    def __init__(self, problems: Sequence[SettingsProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class FactMissing(EdgeError):
    """A row was to be written without the event that tells it."""


class StoreError(EdgeError):
    """The ledger's file does not do what a ledger must."""


class StoreUnwritable(StoreError):
    """The disk is full or read-only."""


class StoreDamaged(StoreError):
    """The file is no ledger any more."""


class StoreInUse(StoreError):
    """Another agent has this ledger open."""


class StoreTooNew(StoreError):
    """A newer version of lotgate made this file."""


class LedgerFull(EdgeError):
    """More waits for the disk than memory may hold."""


class CertificateOutOfDate(EdgeError):
    """The centre's certificate had certainly ended, or has not begun."""
