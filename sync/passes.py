"""A pass at the lane: what it is worth, five refusals by name, and the alarm of a leaked key. Next in its story: sync/participant.

Theory. The pass carries the commit: it is signed only after COMMITTED is durable. So an authentic one for this lot in its window is honoured, line up
or down, and what the lot knows of the booking only says how (sync.participant). Whether it was used before is the ledger's to say: an
`Earlier` use, and the lot's rule for coming back. A signature by a key that we trust is all that stands between us and anybody; what would
show that a key leaked is two different reservations for one spot at one time, since we sell none. The first is honoured, the second alarms
and is refused only where nothing is free: most likely it is an honest driver who meets a forger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from parking.ids import SpotId
from parking.interval import Interval
from parking.lot import SpotType
from sync.participant_news import PassShown
from sync.tokens import Token, TokenKind, TokenRefusal, TokenVerifier
from sync.transaction import TransactionId


class PassRefusal(StrEnum):
    """Why a pass is not honoured. The first five are those that people meet; `sentence` is for them."""

    USED = "used"
    WRONG_LOT = "wrong_lot"
    WRONG_WINDOW = "wrong_window"
    CHANGED = "changed"
    UNKNOWN_KEY = "unknown_key"
    NOT_A_PASS = "not_a_pass"  # noqa: S105 - a reason, not a secret

    @property
    def sentence(self) -> str:
        """What to tell a person."""
        return _SENTENCES[self]


_SENTENCES = {
    PassRefusal.USED: "This booking has been used already. Please call for help if you come back.",
    PassRefusal.WRONG_LOT: "This booking is for another car park.",
    PassRefusal.WRONG_WINDOW: "This booking is not for this time.",
    PassRefusal.CHANGED: "This pass has been altered.",
    PassRefusal.UNKNOWN_KEY: "This pass was not issued by this operator.",
    PassRefusal.NOT_A_PASS: "This code is no booking, or was read badly. Please try again.",
}

_REFUSALS = {
    TokenRefusal.USED: PassRefusal.USED,
    TokenRefusal.WRONG_LOT: PassRefusal.WRONG_LOT,
    TokenRefusal.TOO_EARLY: PassRefusal.WRONG_WINDOW,
    TokenRefusal.TOO_LATE: PassRefusal.WRONG_WINDOW,
    TokenRefusal.CHANGED: PassRefusal.CHANGED,
    TokenRefusal.UNKNOWN_KEY: PassRefusal.UNKNOWN_KEY,
    TokenRefusal.WRONG_ROLE: PassRefusal.UNKNOWN_KEY,
    TokenRefusal.WRONG_KIND: PassRefusal.NOT_A_PASS,
    TokenRefusal.MALFORMED: PassRefusal.NOT_A_PASS,
}


class Earlier(StrEnum):
    """What the ledger knows of an earlier use: none, let in but not passed yet, inside, or gone again."""

    NONE = "none"
    ADMITTED = "admitted"
    INSIDE = "inside"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRules:
    """The lot's rules: how early a pass admits, and whether one that left may come back within its window."""

    early: timedelta = timedelta(minutes=15)
    re_entry: bool = False


def read_pass(
    text: str,
    verifier: TokenVerifier,
    rules: PassRules,
    *,
    now: datetime | None,
    types: Mapping[SpotId, SpotType],
    kinds: Iterable[TokenKind] = (TokenKind.PASS,),
) -> PassShown | PassRefusal:
    """An authentic pass of this lot in its window, or why it is none.

    `now` None: the clock is unknown, and no window is checked. `types` are those of the lot's spots. A ticket with a window, which a lot's kiosk
    sells, is read by its kind.
    """
    token = verifier.check(text, kinds=kinds, now=now, early=rules.early)
    if isinstance(token, TokenRefusal):
        return _REFUSALS[token]
    return shown(token, types)


def shown(token: Token, types: Mapping[SpotId, SpotType]) -> PassShown | PassRefusal:
    """An authentic pass as the participant hears it; one without an end, or for a spot that we do not have, is none that we sell."""
    if token.ends_at is None or token.ends_at <= token.starts_at:
        return PassRefusal.NOT_A_PASS
    spot = None if isinstance(token.place, SpotType) else SpotId(token.place)
    kind = token.place if isinstance(token.place, SpotType) else types.get(SpotId(token.place))
    if kind is None:
        return PassRefusal.WRONG_LOT
    return PassShown(
        id=TransactionId(reservation=token.subject, revision=token.revision),
        type=kind,
        window=Interval(token.starts_at, token.ends_at),
        epoch=token.epoch,
        spot=spot,
    )


def refused_for_use(earlier: Earlier, rules: PassRules) -> PassRefusal | None:
    """Whether an earlier use forbids this one. Let in but not passed yet: the same arm opens for the same stay."""
    if earlier is Earlier.INSIDE:
        return PassRefusal.USED
    if earlier is Earlier.LEFT and not rules.re_entry:
        return PassRefusal.USED
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakedKey:
    """Two different reservations for one spot at one time: a key that signs passes is in other hands."""

    spot: SpotId
    reservation: str
    other: str


def leaked_key(shown_now: PassShown, seen: Iterable[PassShown]) -> LeakedKey | None:
    """The alarm, where a pass and one seen before name one spot for overlapping windows and different reservations."""
    if shown_now.spot is None:
        return None
    for other in seen:
        if (
            other.spot == shown_now.spot
            and other.id.reservation != shown_now.id.reservation
            and other.window.overlaps(shown_now.window)
        ):
            return LeakedKey(
                spot=shown_now.spot, reservation=shown_now.id.reservation, other=other.id.reservation
            )
    return None
