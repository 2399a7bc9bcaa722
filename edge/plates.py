"""Plates as the ledger and the log may know them: keyed hashes. The plate itself is stored encrypted, and in no event."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from sync.keys import keyed_hash

SEPARATORS = str.maketrans("", "", " -.·•‐‑–_")


@dataclass(frozen=True, slots=True)
class PlateHash:
    """Hashes plates with a key of the lot, so that one plate is found again and none can be guessed from the log."""

    key: bytes

    def of(self, plate: str) -> str:
        """The keyed hash (`sync.keys.keyed_hash`) of the plate in capitals without separators (NFC), in hex."""
        canonical = unicodedata.normalize("NFC", plate).upper().translate(SEPARATORS)
        return keyed_hash(self.key, canonical).hex()
