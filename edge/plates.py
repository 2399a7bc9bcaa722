"""Plates as the ledger and the log may know them: keyed hashes. The plate itself is stored encrypted, and in no event."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass

SEPARATORS = str.maketrans("", "", " -.·•‐‑–_")


@dataclass(frozen=True, slots=True)
class PlateHash:
    """Hashes plates with a key of the lot, so that one plate is found again and none can be guessed from the log."""

    key: bytes

    def of(self, plate: str) -> str:
        """HMAC-SHA-256 of the plate in capitals without separators (NFC), in hex, 128 bits of it."""
        canonical = unicodedata.normalize("NFC", plate).upper().translate(SEPARATORS)
        return hmac.new(self.key, canonical.encode(), hashlib.sha256).hexdigest()[:32]
