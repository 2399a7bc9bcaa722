from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import base45
import pytest

from parking.ids import LotId, SpotId
from parking.lot import SpotType
from sync.keys import SigningKey
from sync.participant_news import PassShown
from sync.passes import Earlier, LeakedKey, PassRefusal, PassRules, leaked_key, read_pass, refused_for_use
from sync.tokens import KeyRole, Token, TokenKey, TokenKind, TokenSigner, TokenVerifier
from sync.transaction import TransactionId

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LOT, OTHER = (LotId(str(UUID(int=n))) for n in (1, 2))
SPOT = SpotId(str(UUID(int=3)))
TYPES = {SPOT: SpotType.EV}
CLOUD = SigningKey.from_seed(b"c" * 32)
STRANGER = SigningKey.from_seed(b"s" * 32)
LOTS_OWN = SigningKey.from_seed(b"l" * 32)
VERIFIER = TokenVerifier(
    lot=LOT,
    keys=[
        TokenKey(public=CLOUD.public, role=KeyRole.CLOUD),
        TokenKey(public=LOTS_OWN.public, role=KeyRole.LOT, lot=LOT),
    ],
)
RULES = PassRules()
TOKEN = Token(
    kind=TokenKind.PASS,
    subject="booking-1",
    lot=LOT,
    place=SpotType.REGULAR,
    starts_at=NOW,
    ends_at=NOW + timedelta(hours=2),
    revision=3,
    epoch=4,
)


def signed(token: Token = TOKEN, key: SigningKey = CLOUD) -> str:
    return TokenSigner(key, KeyRole.CLOUD).sign(token)


def read(text: str, now: datetime | None = NOW) -> PassShown | PassRefusal:
    return read_pass(text, VERIFIER, RULES, now=now, types=TYPES)


def shown(reservation: str, spot: str | None = SPOT, hours: int = 0) -> PassShown:
    window = replace(TOKEN, starts_at=NOW + timedelta(hours=hours), ends_at=NOW + timedelta(hours=hours + 2))
    read_of = read(
        signed(replace(window, subject=reservation, place=SpotId(spot) if spot else SpotType.REGULAR)), None
    )
    assert isinstance(read_of, PassShown)
    return read_of


def test_an_authentic_pass_says_which_revision_it_commits_and_for_what() -> None:
    heard = read(signed())
    assert isinstance(heard, PassShown)
    assert heard.id == TransactionId(reservation="booking-1", revision=3)
    assert (heard.type, heard.spot, heard.epoch) == (SpotType.REGULAR, None, 4)
    painted = read(signed(replace(TOKEN, place=SPOT)))
    assert isinstance(painted, PassShown)
    assert (painted.type, painted.spot) == (SpotType.EV, SPOT)


def one_bit_changed(text: str, byte: int) -> str:
    signed_bytes = bytearray(base45.b45decode(text.removeprefix("LG1:")))
    signed_bytes[byte] ^= 1
    return "LG1:" + str(base45.b45encode(bytes(signed_bytes)).decode())


def test_five_refusals_have_five_names_and_five_sentences() -> None:
    text = signed()
    refused = [
        refused_for_use(Earlier.LEFT, RULES),
        read(signed(replace(TOKEN, lot=OTHER))),
        read(text, NOW + timedelta(hours=2)),
        read(one_bit_changed(text, -1)),
        read(signed(key=STRANGER)),
    ]
    assert refused == [
        PassRefusal.USED,
        PassRefusal.WRONG_LOT,
        PassRefusal.WRONG_WINDOW,
        PassRefusal.CHANGED,
        PassRefusal.UNKNOWN_KEY,
    ]
    assert read(one_bit_changed(text, 33)) is PassRefusal.CHANGED
    assert len({reason.sentence for reason in PassRefusal}) == len(PassRefusal)


def test_a_pass_is_early_by_the_lots_rule_and_without_a_clock_by_none() -> None:
    assert isinstance(read(signed(), NOW - timedelta(minutes=15)), PassShown)
    assert read(signed(), NOW - timedelta(minutes=16)) is PassRefusal.WRONG_WINDOW
    assert isinstance(read(signed(), None), PassShown)


def test_what_is_no_pass_is_told_so_and_a_lots_own_key_signs_none() -> None:
    permit = replace(TOKEN, kind=TokenKind.PERMIT)
    assert read(signed(permit)) is PassRefusal.NOT_A_PASS
    assert read("LG1:hello") is PassRefusal.NOT_A_PASS
    assert read(signed(replace(TOKEN, ends_at=None))) is PassRefusal.NOT_A_PASS
    assert read(signed(key=LOTS_OWN)) is PassRefusal.UNKNOWN_KEY
    assert read(signed(replace(TOKEN, place=SpotId(str(UUID(int=9)))))) is PassRefusal.WRONG_LOT


@pytest.mark.parametrize(
    ("earlier", "re_entry", "refused"),
    [
        (Earlier.NONE, False, None),
        (Earlier.ADMITTED, False, None),
        (Earlier.INSIDE, False, PassRefusal.USED),
        (Earlier.INSIDE, True, PassRefusal.USED),
        (Earlier.LEFT, False, PassRefusal.USED),
        (Earlier.LEFT, True, None),
    ],
)
def test_a_pass_that_was_used_comes_back_only_by_the_lots_rule(
    earlier: Earlier, re_entry: bool, refused: PassRefusal | None
) -> None:
    assert refused_for_use(earlier, PassRules(re_entry=re_entry)) is refused


def test_two_reservations_for_one_spot_at_one_time_mean_a_leaked_key() -> None:
    first = shown("a")
    assert leaked_key(shown("b", hours=1), [first]) == LeakedKey(spot=SPOT, reservation="b", other="a")
    assert leaked_key(shown("b", hours=2), [first]) is None
    assert leaked_key(shown("a", hours=1), [first]) is None
    assert leaked_key(shown("b", spot=None), [first]) is None
