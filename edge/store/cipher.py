"""Plates are personal data on a card that can be stolen: encrypted in the store, keyed hashes everywhere else.

Both keys are derived from the unit's credential (a file outside the ledger; LoadCredential under systemd), HKDF-SHA-256 with
different purposes. Without the credential a stored plate cannot be read again, and a plate's hash cannot be guessed by trying plates.
"""

from __future__ import annotations

import base64
import hmac
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parking.plates import canonical

SHORTEST_BYTES = 16


class PlateCipher(Protocol):
    """How plates reach the disk."""

    def encrypt(self, plate: str) -> bytes:
        """The plate as it may be stored."""
        ...

    def decrypt(self, stored: bytes) -> str | None:
        """The plate; None where the key is another one."""
        ...


class PlateKeys:
    """The two keys of a unit: one encrypts plates, one hashes them."""

    def __init__(self, credential: bytes) -> None:
        """Derive the keys.

        Raises:
            ValueError: fewer than 16 bytes cannot be a secret.
        """
        if len(credential) < SHORTEST_BYTES:
            raise ValueError(f"a credential has at least {SHORTEST_BYTES} bytes, not {len(credential)}")
        self._fernet = Fernet(base64.urlsafe_b64encode(_derive(credential, b"lotgate plates encrypted 1")))
        self._hash_key = _derive(credential, b"lotgate plates hashed 1")

    def encrypt(self, plate: str) -> bytes:
        """The plate as it may be stored."""
        return self._fernet.encrypt(plate.encode())

    def decrypt(self, stored: bytes) -> str | None:
        """The plate; None where the key is another one."""
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            return None

    def hash(self, plate: str) -> str:
        """The keyed hash of a plate in its normal form, hex."""
        return self.blind(canonical(plate))

    def blind(self, text: str) -> str:
        """The keyed hash of a text, hex: tells whether two are equal, and nothing else to whoever lacks the credential."""
        return hmac.new(self._hash_key, text.encode(), "sha256").hexdigest()[:32]


def read_credential(path: Path) -> bytes | None:
    """The unit's credential; None where the file is missing, empty or cut short."""
    try:
        credential = path.read_bytes()
    except OSError:
        return None
    return credential if len(credential) >= SHORTEST_BYTES else None


def _derive(credential: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(credential)
