"""Tickets, passes, receipts and permits: one format, one signer, one verifier. The layout is in docs/tokens.md, with vectors.

Theory. A token says what a driver may do, so that a lot without a line can read it: "LG1:" and then base45 of one MessagePack array followed by
a 64-byte Ed25519 signature over "LG1:" and the array's bytes. Each key has a role: a lot's own key signs tickets and receipts, the cloud's signs
passes and permits, and a verifier takes a kind only from a key whose role it is, so that a stolen lot key makes no passes. What is
refused is refused by name. Whether a token was used before is the ledger's to know: `TokenRefusal.USED` is for the caller.

Base45 holds spaces: a reader never strips or joins what it read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

import base45

from parking.ids import LotId, SpotId
from parking.lot import SpotType
from sync.errors import LocalError, MalformedFrame, NotAuthentic
from sync.fields import Check, binary, integer, optional, text
from sync.keys import KEY_ID_BYTES, SIGNATURE_BYTES, SigningKey, key_id, verify
from sync.message_pack import pack, unpack

PREFIX = "LG1:"
LONGEST_TEXT = 600
FEWEST_FIELDS = 11


class TokenKind(StrEnum):
    """What a token is."""

    TICKET = "ticket"
    PASS = "pass"  # noqa: S105 - a kind of token, not a secret
    RECEIPT = "receipt"
    PERMIT = "permit"


class KeyRole(StrEnum):
    """Whose key it is."""

    LOT = "lot"
    CLOUD = "cloud"


ROLE_OF: Mapping[TokenKind, KeyRole] = MappingProxyType(
    {
        TokenKind.TICKET: KeyRole.LOT,
        TokenKind.RECEIPT: KeyRole.LOT,
        TokenKind.PASS: KeyRole.CLOUD,
        TokenKind.PERMIT: KeyRole.CLOUD,
    }
)


class TokenRefusal(StrEnum):
    """Why a token is not taken; `sentence` is for a person."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    CHANGED = "changed"
    WRONG_ROLE = "wrong_role"
    WRONG_KIND = "wrong_kind"
    WRONG_LOT = "wrong_lot"
    TOO_EARLY = "too_early"
    TOO_LATE = "too_late"
    USED = "used"

    @property
    def sentence(self) -> str:
        """What to tell a person."""
        return _SENTENCES[self]


_SENTENCES = {
    TokenRefusal.MALFORMED: "This code is not one of ours, or was read badly. Please try again.",
    TokenRefusal.UNKNOWN_KEY: "This code was not issued by this operator.",
    TokenRefusal.CHANGED: "This code has been altered.",
    TokenRefusal.WRONG_ROLE: "This code was signed by someone who may not issue it.",
    TokenRefusal.WRONG_KIND: "This kind of code is of no use here.",
    TokenRefusal.WRONG_LOT: "This code belongs to another car park.",
    TokenRefusal.TOO_EARLY: "This code is not valid yet.",
    TokenRefusal.TOO_LATE: "This code is no longer valid.",
    TokenRefusal.USED: "This code has been used already.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What only some kinds carry. `tariff_version` and `factor_1e4` are a ticket's price lock; the amount is a receipt's."""

    tariff_version: str | None = None
    factor_1e4: int | None = None
    amount_minor: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says. Instants are whole seconds. A ticket starts at the entry; a receipt ends at `paid_until`; `ends_at` None: open.

    `place` is a type of spot, or one painted spot. `subject` is a stay, a reservation or a permit. `plate_hash` is `sync.keys.keyed_hash` of the
    plate, None where the token is not tied to one. `epoch` is the signer's. `revision`: the highest one seen of a subject wins.
    """

    kind: TokenKind
    subject: str
    lot: LotId
    place: SpotType | SpotId
    starts_at: datetime
    ends_at: datetime | None
    revision: int = 1
    epoch: int
    plate_hash: bytes | None = None
    extras: Extras = field(default_factory=Extras)

    def __post_init__(self) -> None:
        for instant in (self.starts_at, self.ends_at):
            if instant is not None and (instant.utcoffset() is None or instant.microsecond):
                raise ValueError(f"{instant}: a token's instants are aware and whole seconds")
        if self.ends_at is not None and self.ends_at < self.starts_at:
            raise ValueError(f"ends_at {self.ends_at} is before starts_at {self.starts_at}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A public key that a verifier trusts. `lot` is whose, where the role is lot."""

    public: bytes
    role: KeyRole
    lot: LotId | None = None

    @property
    def id(self) -> bytes:
        """Its short name, as tokens carry it."""
        return key_id(self.public)


def whole_seconds(instant: datetime) -> datetime:
    """`instant` in UTC, cut to the second before: what a token carries of it."""
    return instant.astimezone(UTC).replace(microsecond=0)


class TokenSigner:
    """Signs the kinds that its role may."""

    __slots__ = ("_key", "_role")

    def __init__(self, key: SigningKey, role: KeyRole) -> None:
        self._key = key
        self._role = role

    def sign(self, token: Token) -> str:
        """The text of a token, ready for a QR code in alphanumeric mode.

        Raises:
            LocalError: the kind is not this key's to sign.
        """
        if ROLE_OF[token.kind] is not self._role:
            raise LocalError(f"a {self._role} key does not sign a {token.kind}")
        payload = pack(_array(token, self._key.id))
        signature = self._key.sign(PREFIX.encode() + payload)
        encoded: bytes = base45.b45encode(payload + signature)
        return PREFIX + encoded.decode()


class TokenVerifier:
    """Reads tokens for one lot, by the keys it trusts."""

    __slots__ = ("_keys", "_lot")

    def __init__(self, *, lot: LotId, keys: Iterable[TokenKey]) -> None:
        self._lot = lot
        self._keys: dict[bytes, list[TokenKey]] = {}
        for key in keys:
            self._keys.setdefault(key.id, []).append(key)

    def check(
        self,
        read: str,
        *,
        kinds: Iterable[TokenKind],
        now: datetime | None,
        early: timedelta = timedelta(0),
        late: timedelta = timedelta(0),
    ) -> Token | TokenRefusal:
        """What `read` says, or why it is not taken.

        `now` None means that the clock is not known: then no window is checked. `early` and `late` widen the window. The order of checks is
        that of `TokenRefusal`: a token that is not authentic is never told anything else about.
        """
        parsed = _parse(read)
        if isinstance(parsed, TokenRefusal):
            return parsed
        token, signer, payload, signature = parsed
        candidates = self._keys.get(signer, [])
        if not candidates:
            return TokenRefusal.UNKNOWN_KEY
        key = next((key for key in candidates if _holds(key, signature, payload)), None)
        if key is None:
            return TokenRefusal.CHANGED
        if key.role is not ROLE_OF[token.kind] or (key.role is KeyRole.LOT and key.lot != token.lot):
            return TokenRefusal.WRONG_ROLE
        if token.kind not in frozenset(kinds):
            return TokenRefusal.WRONG_KIND
        if token.lot != self._lot:
            return TokenRefusal.WRONG_LOT
        return token if now is None else _in_window(token, now, early, late)


def _in_window(token: Token, now: datetime, early: timedelta, late: timedelta) -> Token | TokenRefusal:
    if now < token.starts_at - early:
        return TokenRefusal.TOO_EARLY
    if token.ends_at is not None and now >= token.ends_at + late:
        return TokenRefusal.TOO_LATE
    return token


def _holds(key: TokenKey, signature: bytes, payload: bytes) -> bool:
    try:
        verify(key.public, signature, PREFIX.encode() + payload)
    except NotAuthentic:
        return False
    return True


_KINDS = (TokenKind.TICKET, TokenKind.PASS, TokenKind.RECEIPT, TokenKind.PERMIT)
_TYPES = (SpotType.REGULAR, SpotType.COMPACT, SpotType.DISABLED, SpotType.EV, SpotType.MOTORCYCLE)
_EXTRA_FIELDS: tuple[tuple[str, Check[str] | Check[int]], ...] = (
    ("tariff_version", text(64)),
    ("factor_1e4", integer(0, 1_000_000)),
    ("amount_minor", integer(0, 2**53)),
    ("currency", text(3, shortest=3)),
)
_UUID_BYTES = binary(16, shortest=16)
_SECOND = integer(0, 253_370_764_800)  # the year 9999
_SMALL = integer(0, 2**31 - 1)


def kind_told(read: str) -> TokenKind | None:
    """What kind of token `read` says it is, None where it is none: only to choose who checks it, since nothing is verified here."""
    parsed = _parse(read)
    return None if isinstance(parsed, TokenRefusal) else parsed[0].kind


def tells_a_booking(read: str) -> bool:
    """Whether a text says of itself that it is a booking: a pass, or a ticket with an end. Nothing is verified here."""
    parsed = _parse(read)
    if isinstance(parsed, TokenRefusal):
        return False
    token = parsed[0]
    return token.kind is TokenKind.PASS or (token.kind is TokenKind.TICKET and token.ends_at is not None)


def _array(token: Token, signer: bytes) -> list[object]:
    extras = [getattr(token.extras, name) for name, _ in _EXTRA_FIELDS]
    while extras and extras[-1] is None:
        extras.pop()
    return [
        _KINDS.index(token.kind),
        signer,
        _short_id(token.subject),
        UUID(token.lot).bytes,
        _TYPES.index(token.place) if isinstance(token.place, SpotType) else UUID(token.place).bytes,
        int(token.starts_at.timestamp()),
        None if token.ends_at is None else int(token.ends_at.timestamp()),
        token.revision,
        token.epoch,
        token.plate_hash,
        extras,
    ]


def _parse(read: str) -> tuple[Token, bytes, bytes, bytes] | TokenRefusal:
    if not read.startswith(PREFIX) or len(read) > LONGEST_TEXT or read.endswith("\n"):
        return TokenRefusal.MALFORMED
    try:
        signed = base45.b45decode(read[len(PREFIX) :].encode())
        payload, signature = signed[:-SIGNATURE_BYTES], signed[-SIGNATURE_BYTES:]
        token, signer = _token(unpack(payload, "token"))
    except (ValueError, MalformedFrame):
        return TokenRefusal.MALFORMED
    return token, signer, payload, signature


def _token(value: object) -> tuple[Token, bytes]:
    """Read the array; further entries, of a newer version, are ignored."""
    if not isinstance(value, list) or len(value) < FEWEST_FIELDS:
        raise MalformedFrame("token", f"must be a list of at least {FEWEST_FIELDS} entries")
    kind, signer, subject, lot, place, starts, ends, revision, epoch, plate_hash, extras = value[
        :FEWEST_FIELDS
    ]
    ends_s = optional(_SECOND)(ends, "token.ends")
    token = Token(
        kind=_KINDS[integer(0, len(_KINDS) - 1)(kind, "token.kind")],
        subject=_long_id(subject),
        lot=LotId(str(UUID(bytes=_UUID_BYTES(lot, "token.lot")))),
        place=_place(place),
        starts_at=datetime.fromtimestamp(_SECOND(starts, "token.starts"), UTC),
        ends_at=None if ends_s is None else datetime.fromtimestamp(ends_s, UTC),
        revision=_SMALL(revision, "token.revision"),
        epoch=_SMALL(epoch, "token.epoch"),
        plate_hash=optional(binary(16, shortest=8))(plate_hash, "token.plate_hash"),
        extras=_extras(extras),
    )
    return token, binary(KEY_ID_BYTES, shortest=KEY_ID_BYTES)(signer, "token.key")


def _extras(value: object) -> Extras:
    if not isinstance(value, list):
        raise MalformedFrame("token.extras", "must be a list")
    given = zip(_EXTRA_FIELDS, value, strict=False)
    read = {name: None if part is None else check(part, f"token.{name}") for (name, check), part in given}
    return Extras(**read)  # type: ignore[arg-type]  # each check gives its field's own type


def _place(value: object) -> SpotType | SpotId:
    if type(value) is int:
        return _TYPES[integer(0, len(_TYPES) - 1)(value, "token.place")]
    return SpotId(str(UUID(bytes=_UUID_BYTES(value, "token.place"))))


def _short_id(subject: str) -> bytes | str:
    """16 bytes where the subject is a UUID in its canonical text, else the text itself."""
    try:
        as_uuid = UUID(subject)
    except ValueError:
        return subject
    return as_uuid.bytes if str(as_uuid) == subject else subject


def _long_id(value: object) -> str:
    if isinstance(value, bytes):
        return str(UUID(bytes=_UUID_BYTES(value, "token.subject")))
    return text(64, shortest=1)(value, "token.subject")
