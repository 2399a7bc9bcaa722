"""Ed25519 keys: a gateway's own, which never leaves it, and the public halves that others check with.

One key serves a gateway for two purposes that can never be taken for each other, since what is signed begins with the purpose: its
hello at each connect (`sync.session.hello_bytes`) and its lot's tickets and receipts (`sync.tokens`). Other secrets are derived from it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.errors import LocalError, NotAuthentic

KEY_ID_BYTES = 4
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64


def key_id(public: bytes) -> bytes:
    """The short name of a key: the first 4 bytes of SHA-256 over its public half."""
    return hashlib.sha256(public).digest()[:KEY_ID_BYTES]


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature.

    Raises:
        NotAuthentic: it does not hold, or `public` is no Ed25519 key.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise NotAuthentic("signature", "does not hold") from error


def keyed_hash(secret: bytes, text: str) -> bytes:
    """16 bytes that tell whether two texts (plates) are equal, and nothing else to whoever lacks `secret`: HMAC-SHA-256, cut."""
    return hmac.digest(secret, text.encode(), "sha256")[:16]


class SigningKey:
    """A private key. It signs, and shows its public half."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key that 32 secret bytes stand for (RFC 8032)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def id(self) -> bytes:
        """The short name of this key."""
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """64 bytes of signature; the same message gives the same signature."""
        return self._private.sign(message)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte secret for `purpose` ("plates"), from which nobody gets back to the key: HKDF-SHA-256."""
        derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"lotgate {purpose}".encode())
        return derivation.derive(self._private.private_bytes_raw())

    def write(self, path: Path) -> None:
        """Keep this key in a new file (PEM, PKCS 8) that only its owner reads; durable when this returns.

        Raises:
            FileExistsError: a key is never overwritten.
        """
        pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """The key in a file.

        Raises:
            FileNotFoundError: there is none.
            LocalError: others can read the file, or it holds no Ed25519 key.
        """
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise LocalError(f"{path}: others can read this key (mode {mode:o}); run: chmod 600 {path}")
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise LocalError(f"{path}: not a private key in PEM form") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise LocalError(f"{path}: not an Ed25519 key")
        return cls(private)

    @classmethod
    def read_or_make(cls, path: Path) -> SigningKey:
        """The key in a file, made there from the system's randomness where there is none yet.

        Raises:
            LocalError: the file is there and is not a key that only its owner reads.
        """
        try:
            return cls.read(path)
        except FileNotFoundError:
            key = cls(Ed25519PrivateKey.generate())
            key.write(path)
            return key
