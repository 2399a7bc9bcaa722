"""What the domain refuses.

ParkingError
├── ClaimsOverlap      two promises of one spot would overlap
├── NoSuchClaim        nothing is promised under this id
├── NoSuchSpot         the lot has no such spot
├── SpotIsPromised     a spot with a promise or a car on it may not change its owner
├── CurrencyMismatch   money of two currencies does not add up
├── InvalidStay        a stay that cannot be priced: no offset, or an end before its start
├── InvalidTariff      a tariff document says something wrong: which field, what, and the fix
└── NoRateApplies      a tariff says nothing of some time in the stay
"""

from __future__ import annotations

from datetime import datetime


class ParkingError(Exception):
    """A rule of the domain does not allow this."""


class ClaimsOverlap(ParkingError):
    """Two claims of one spot would overlap."""

    def __init__(self, spot: str, claim: str, other: str) -> None:
        super().__init__(f"claim {claim} would overlap claim {other} on spot {spot}")
        self.spot = spot
        self.claim = claim
        self.other = other


class NoSuchClaim(ParkingError):
    """Nothing is promised under this id."""

    def __init__(self, claim: str) -> None:
        super().__init__(f"claim {claim} is not known here")
        self.claim = claim


class NoSuchSpot(ParkingError):
    """The lot has no such spot."""

    def __init__(self, spot: str) -> None:
        super().__init__(f"spot {spot} is not a spot of this lot")
        self.spot = spot


class SpotIsPromised(ParkingError):
    """A spot with a promise or a car on it may not change its owner."""

    def __init__(self, spot: str, claim: str) -> None:
        super().__init__(f"spot {spot} still carries claim {claim}; it stays with its owner")
        self.spot = spot
        self.claim = claim


class CurrencyMismatch(ParkingError):
    """Money of two currencies does not add up."""

    def __init__(self, currency: str, other: str) -> None:
        super().__init__(f"{currency} and {other} do not add up; convert one of them first")
        self.currency = currency
        self.other = other


class InvalidStay(ParkingError):
    """A stay that cannot be priced."""


class InvalidTariff(ParkingError):
    """A tariff document says something wrong. `field` is its path, lists counted from 1 as one reads the file."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}; {fix}")
        self.field = field
        self.problem = problem
        self.fix = fix


class NoRateApplies(ParkingError):
    """A tariff says nothing of some time in the stay."""

    def __init__(self, tariff: str, at: datetime) -> None:
        super().__init__(f"tariff {tariff} does not say what {at:%a %Y-%m-%d %H:%M} costs; add a rate for it")
        self.tariff = tariff
        self.at = at
