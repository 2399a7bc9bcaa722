from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import base45
import msgpack
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from parking.ids import LotId, SpotId
from parking.lot import SpotType
from sync.errors import LocalError
from sync.keys import SigningKey, keyed_hash
from sync.tokens import (
    ROLE_OF,
    Extras,
    KeyRole,
    Token,
    TokenKey,
    TokenKind,
    TokenRefusal,
    TokenSigner,
    TokenVerifier,
    whole_seconds,
)

LOT = LotId("11111111-2222-4333-8444-555555555555")
OTHER_LOT = LotId("99999999-2222-4333-8444-555555555555")
LOT_KEY = SigningKey.from_seed(bytes(range(32)))
CLOUD_KEY = SigningKey.from_seed(bytes(range(32, 64)))
NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
KEYS = (
    TokenKey(public=LOT_KEY.public, role=KeyRole.LOT, lot=LOT),
    TokenKey(public=CLOUD_KEY.public, role=KeyRole.CLOUD),
)
VERIFIER = TokenVerifier(lot=LOT, keys=KEYS)
SIGNERS = {
    KeyRole.LOT: TokenSigner(LOT_KEY, KeyRole.LOT),
    KeyRole.CLOUD: TokenSigner(CLOUD_KEY, KeyRole.CLOUD),
}
DOCUMENT = Path(__file__).parents[3] / "docs" / "tokens.md"


def a_token(kind: TokenKind = TokenKind.TICKET, **changes: Any) -> Token:
    return replace(
        Token(
            kind=kind,
            subject="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
            lot=LOT,
            place=SpotType.REGULAR,
            starts_at=NOW,
            ends_at=None,
            epoch=1,
            extras=Extras(tariff_version="2026-1", factor_1e4=10_000),
        ),
        **changes,
    )


def signed(token: Token) -> str:
    return SIGNERS[ROLE_OF[token.kind]].sign(token)


def check(read: str, **changes: Any) -> Token | TokenRefusal:
    given_: dict[str, Any] = {"kinds": TokenKind, "now": NOW} | changes
    return VERIFIER.check(read, **given_)


seconds = st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
tokens = st.builds(
    lambda starts, length, **rest: Token(
        starts_at=starts, ends_at=None if length is None else starts + length, **rest
    ),
    seconds,
    st.none() | st.integers(0, 10**7).map(lambda s: timedelta(seconds=s)),
    kind=st.sampled_from(TokenKind),
    subject=st.uuids().map(str) | texts,
    lot=st.just(LOT),
    place=st.sampled_from(SpotType) | st.uuids().map(lambda u: SpotId(str(u))),
    revision=st.integers(0, 1000),
    epoch=st.integers(0, 1000),
    plate_hash=st.none() | st.binary(min_size=8, max_size=16),
    extras=st.builds(
        Extras,
        tariff_version=st.none() | texts,
        factor_1e4=st.none() | st.integers(0, 1_000_000),
        amount_minor=st.none() | st.integers(0, 10**9),
        currency=st.none() | st.just("EUR"),
    ),
)


@given(tokens)
def test_a_token_that_was_signed_is_read_as_it_was(token: Token) -> None:
    assert check(signed(token), now=None) == token


@given(st.data())
def test_no_single_changed_bit_gets_through(data: st.DataObject) -> None:
    raw = bytearray(base45.b45decode(signed(a_token())[4:].encode()))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    assert check("LG1:" + base45.b45encode(bytes(raw)).decode()) in {
        TokenRefusal.CHANGED,
        TokenRefusal.MALFORMED,
        TokenRefusal.UNKNOWN_KEY,
    }


@given(st.data())
def test_no_single_changed_character_gets_through(data: st.DataObject) -> None:
    text = signed(a_token())
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_characters=text[at]))
    assert isinstance(check(text[:at] + other + text[at + 1 :]), TokenRefusal)


@given(st.text(max_size=60) | st.text("ABC019 $%*+-./:", max_size=200).map(lambda t: "LG1:" + t))
def test_any_text_is_a_named_refusal(text: str) -> None:
    assert check(text) in {TokenRefusal.MALFORMED, TokenRefusal.UNKNOWN_KEY}


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        lambda t: t.replace(" ", ""),
        lambda t: " ".join(t.split()),
        lambda t: t + "\n",
        lambda t: t + " ",
    ],
)
def test_a_reader_that_alters_the_text_is_noticed(change: Any) -> None:
    text = next(t for n in range(500) if "  " in (t := signed(a_token(revision=n))))
    assert isinstance(check(text), Token)
    assert isinstance(check(change(text)), TokenRefusal)


@pytest.mark.parametrize(("kind", "role"), list(product(TokenKind, KeyRole)))
def test_a_kind_is_taken_only_from_the_key_whose_role_it_is(kind: TokenKind, role: KeyRole) -> None:
    token = a_token(kind)
    if ROLE_OF[kind] is role:
        assert check(SIGNERS[role].sign(token)) == token
        return
    with pytest.raises(LocalError, match=f"does not sign a {kind}"):
        SIGNERS[role].sign(token)
    key = {KeyRole.LOT: LOT_KEY, KeyRole.CLOUD: CLOUD_KEY}[role]
    forged = TokenSigner(key, ROLE_OF[kind]).sign(token)
    assert check(forged) is TokenRefusal.WRONG_ROLE


def test_a_lot_key_signs_for_its_own_lot_only() -> None:
    assert check(signed(a_token(lot=OTHER_LOT))) is TokenRefusal.WRONG_ROLE


@pytest.mark.parametrize(
    ("token", "changes", "refusal"),
    [
        (a_token(TokenKind.PASS, lot=OTHER_LOT), {}, TokenRefusal.WRONG_LOT),
        (a_token(TokenKind.RECEIPT), {"kinds": [TokenKind.TICKET]}, TokenRefusal.WRONG_KIND),
        (a_token(starts_at=NOW + timedelta(seconds=1)), {}, TokenRefusal.TOO_EARLY),
        (a_token(starts_at=NOW - timedelta(1), ends_at=NOW), {}, TokenRefusal.TOO_LATE),
    ],
)
def test_each_wrong_token_is_refused_by_its_own_name(
    token: Token, changes: Any, refusal: TokenRefusal
) -> None:
    assert check(signed(token), **changes) is refusal


def test_an_unknown_key_is_told_apart_from_a_changed_token() -> None:
    stranger = TokenSigner(SigningKey.from_seed(b"s" * 32), KeyRole.LOT)
    assert check(stranger.sign(a_token())) is TokenRefusal.UNKNOWN_KEY
    raw = bytearray(base45.b45decode(signed(a_token())[4:].encode()))
    raw[-1] ^= 1
    assert check("LG1:" + base45.b45encode(bytes(raw)).decode()) is TokenRefusal.CHANGED


def test_early_and_late_widen_the_window_and_an_unknown_clock_opens_it() -> None:
    early = signed(a_token(TokenKind.PASS, starts_at=NOW + timedelta(minutes=10)))
    assert isinstance(check(early, early=timedelta(minutes=15)), Token)
    late = signed(a_token(starts_at=NOW - timedelta(hours=2), ends_at=NOW - timedelta(hours=1)))
    assert isinstance(check(late, late=timedelta(minutes=61)), Token)
    assert isinstance(check(late, now=None), Token)


def test_every_refusal_has_its_own_sentence() -> None:
    assert len({refusal.sentence for refusal in TokenRefusal}) == len(TokenRefusal)


def test_further_entries_of_a_newer_version_are_ignored() -> None:
    payload = base45.b45decode(signed(a_token())[4:].encode())[:-64]
    newer = msgpack.packb([*msgpack.unpackb(payload), "new"])
    text = "LG1:" + base45.b45encode(newer + LOT_KEY.sign(b"LG1:" + newer)).decode()
    assert check(text) == a_token()


def test_a_token_holds_whole_aware_seconds_only() -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        a_token(starts_at=NOW + timedelta(microseconds=1))
    assert a_token(starts_at=whole_seconds(NOW + timedelta(microseconds=1))) == a_token()


def test_a_ticket_is_small_enough_for_a_cheap_scanner() -> None:
    ticket = signed(a_token(plate_hash=keyed_hash(b"s", "B-LG 1")))
    codes = {level: segno.make(ticket, error=level, boost_error=False, micro=False) for level in "LM"}
    assert {level: (code.mode, code.version) for level, code in codes.items()} == {
        "L": ("alphanumeric", 7),
        "M": ("alphanumeric", 9),
    }


def test_the_vectors_of_the_document_hold() -> None:
    block = DOCUMENT.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    vectors = json.loads(block)
    assert {vector["expected"] for vector in vectors} >= {
        "valid",
        "changed",
        "unknown_key",
        "wrong_role",
        "malformed",
    }
    keys = [
        TokenKey(public=SigningKey.from_seed(bytes.fromhex(seed)).public, role=role, lot=lot)
        for seed, role, lot in (
            (bytes(range(32)).hex(), KeyRole.LOT, LOT),
            (bytes(range(32, 64)).hex(), KeyRole.CLOUD, None),
        )
    ]
    verifier = TokenVerifier(lot=LOT, keys=keys)
    for vector in vectors:
        read = verifier.check(vector["text"], kinds=TokenKind, now=datetime.fromisoformat(vector["now"]))
        assert ("valid" if isinstance(read, Token) else str(read)) == vector["expected"], vector["id"]
