"""Whose plate was read at the exit: the rule of parking/plates.py over the cars that are inside. Asked by edge/leaving.py.

A plate that equals one on record is found by its keyed hash, as ever. Only where none does are the plates themselves looked at: each is
decrypted once while its car is inside, and kept in memory alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from edge.ledger import Ledger
from edge.store.cipher import PlateKeys
from parking.ids import StayId
from parking.plates import MatchKind, canonical, match_plate
from parking.stays import Credential, CredentialKind, Stay

LOG = structlog.stdlib.get_logger("edge.plates")


@dataclass(slots=True, kw_only=True)
class PlatesInside:
    """Finds the open stay of a plate."""

    ledger: Ledger
    plates: PlateKeys
    _known: dict[StayId, str] = field(default_factory=dict)

    def find(self, read: str) -> Stay | None:
        """The open stay whose plate was read; None where that is nobody's, or more than one car's."""
        credential = Credential(kind=CredentialKind.PLATE, subject=self.plates.hash(read))
        exact = self.ledger.open_stay(credential)
        if exact is not None:
            return exact
        match = match_plate(read, self._inside())
        if match.kind is MatchKind.UNDECIDED:
            LOG.warning("plate_undecided")
        if match.key is None:
            return None
        LOG.info("plate_matched_by_confusion", stay=match.key)
        return self.ledger.stay(match.key)

    def _inside(self) -> dict[StayId, str]:
        """The plates of the cars inside in normal form; one that is not on disk yet, or that another key wrote, is not among them."""
        inside: dict[StayId, str] = {}
        for stay in self.ledger.open_stays():
            if stay.credential.kind is CredentialKind.PLATE:
                plate = self._known.get(stay.id) or canonical(self.ledger.plate(stay.id) or "")
                if plate:
                    inside[stay.id] = plate
        self._known = inside
        return inside
