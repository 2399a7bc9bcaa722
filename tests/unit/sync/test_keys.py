from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import LocalError, NotAuthentic
from sync.keys import SigningKey, key_id, keyed_hash, verify

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "tokens" / "ed25519.json"


@pytest.mark.skipif(
    not VECTORS.exists(), reason="the shared vectors lie beside the checkout, and are not there"
)
def test_the_published_ed25519_vectors_are_signed_and_judged_alike() -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    for vector in vectors:
        public, message, signature = (
            bytes.fromhex(vector[name]) for name in ("public_key", "message", "signature")
        )
        if vector["expected"] == "valid":
            verify(public, signature, message)
        else:
            with pytest.raises(NotAuthentic):
                verify(public, signature, message)
        if vector["expected"] == "valid" and vector.get("secret_key"):
            key = SigningKey.from_seed(bytes.fromhex(vector["secret_key"]))
            assert (key.public, key.sign(message)) == (public, signature)
    assert {vector["expected"] for vector in vectors} == {"valid", "invalid"}


@given(st.binary(max_size=40), st.binary(max_size=70), st.binary(max_size=40))
def test_any_bytes_as_key_and_signature_are_not_authentic(
    public: bytes, signature: bytes, message: bytes
) -> None:
    with pytest.raises(NotAuthentic):
        verify(public, signature, message)


def test_a_key_is_kept_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "gateway.key"
    made = SigningKey.read_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.read_or_make(path).public == made.public
    assert key_id(made.public) == made.id


def test_a_key_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "gateway.key"
    SigningKey.read_or_make(path)
    path.chmod(0o644)
    with pytest.raises(LocalError, match="chmod 600"):
        SigningKey.read(path)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_refused_and_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gateway.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(LocalError, match="not a private key"):
        SigningKey.read_or_make(path)
    with pytest.raises(FileExistsError):
        SigningKey.from_seed(b"k" * 32).write(path)
    assert path.read_bytes() == content


def test_secrets_for_two_purposes_and_of_two_keys_differ() -> None:
    one, two = SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)
    assert len({one.derive("plates"), one.derive("kiosk"), two.derive("plates")}) == 3
    assert keyed_hash(one.derive("plates"), "B-LG 1") != keyed_hash(two.derive("plates"), "B-LG 1")
