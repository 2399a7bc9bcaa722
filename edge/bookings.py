"""A pass at the lane: is it ours, in its time, unused, and what is it worth. Story "pass at the lane": next files sync/tokens.py, sync/participant.py.

The pass carries the commit: it is signed only after COMMITTED is durable. So one that is authentic, of this lot and in its window admits, line up
or down, whether this lot knows the booking as committed, is in doubt about it (it commits from the pass) or never heard of it (it takes a place
for it where one is free). What is refused is refused by its own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from edge.change import Change, Conflict, fact
from edge.commitments import Commitments
from edge.ledger import Ledger
from parking.clock import TrustedClock
from parking.decision import Reason
from parking.ids import SpotId
from parking.interval import Interval
from parking.lot import Lot, SpotType
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.events import EventKind
from sync.instants import to_us
from sync.participant_news import Honour, PassShown
from sync.passes import Earlier, PassRefusal, PassRules, leaked_key, read_pass, refused_for_use
from sync.tokens import KeyRole, TokenKey, TokenKind, TokenVerifier, kind_told, tells_a_booking
from sync.transaction import TransactionId

LOG = structlog.stdlib.get_logger("edge.bookings")

REASONS: Mapping[PassRefusal, Reason] = {
    PassRefusal.USED: Reason.PASS_USED,
    PassRefusal.WRONG_LOT: Reason.PASS_WRONG_LOT,
    PassRefusal.WRONG_WINDOW: Reason.PASS_WRONG_WINDOW,
    PassRefusal.CHANGED: Reason.PASS_CHANGED,
    PassRefusal.UNKNOWN_KEY: Reason.PASS_UNKNOWN_KEY,
    PassRefusal.NOT_A_PASS: Reason.CREDENTIAL_UNKNOWN,
}


MOST_SHOWN = 1_000
SHORTEST = timedelta(seconds=1)


class Bookings:
    """Reads passes by the centre's keys, and knows what the lot does for them."""

    def __init__(
        self,
        *,
        lot: Lot,
        ledger: Ledger,
        commitments: Commitments,
        clock: TrustedClock,
        own_key: TokenKey | None = None,
    ) -> None:
        """No key but our own is trusted before the centre's document says which."""
        self._lot = lot
        self._ledger = ledger
        self._commitments = commitments
        self._clock = clock
        self._rules = PassRules(early=lot.policy.early_arrival)
        self._types: Mapping[SpotId, SpotType] = {spot.id: spot.type for spot in lot.spots}
        self._own = () if own_key is None else (own_key,)
        self._verifier = TokenVerifier(lot=lot.id, keys=self._own)
        self.refused: dict[str, int] = {}
        self._shown: dict[TransactionId, PassShown] = {}
        self._leaked: set[TransactionId] = set()

    def trust(self, keys: Iterable[TokenKey]) -> None:
        """These keys, and no other, sign passes from now on: the newest document of kind keys. Bookings of our kiosk are signed by our own."""
        self._verifier = TokenVerifier(
            lot=self._lot.id, keys=[*self._own, *(key for key in keys if key.role is KeyRole.CLOUD)]
        )

    def is_pass(self, text: str) -> bool:
        """Whether a code says of itself that it is a booking: a pass, or a ticket of our kiosk with a window."""
        return tells_a_booking(text)

    def at_entry(self, text: str) -> PassShown | Reason:
        """What a pass says that admits now, or the name of its refusal; changes nothing. Its window is judged by a clock that is known."""
        now = self._clock.now() if self._clock.known else None
        shown = self._read(text, now)
        if now is None or isinstance(shown, Reason):
            return shown
        arrived = Interval(now, now + self._rules.early + SHORTEST)
        return self._count(PassRefusal.WRONG_WINDOW) if self._commitments.gave_up(shown, arrived) else shown

    def opens_at(self, text: str) -> datetime | None:
        """From when on an authentic booking admits; None where that is not to come."""
        shown = self._checked(text, None)
        if isinstance(shown, PassRefusal):
            return None
        opens_at = shown.window.starts_at - self._rules.early
        return opens_at if opens_at > self._clock.now() else None

    def at_exit(self, text: str) -> Stay | Reason | None:
        """The stay of a pass, in whatever window; None where nobody came in on it."""
        shown = self._read(text, None)
        if isinstance(shown, Reason):
            return shown
        return self._ledger.stay_by_subject(credential_of(shown).subject)

    def used(self, shown: PassShown) -> Reason | None:
        """Whether an earlier use forbids this one."""
        refusal = refused_for_use(self._earlier(shown), self._rules)
        return None if refusal is None else self._count(refusal)

    def honour(self, shown: PassShown) -> Honour:
        """Commit from the pass what is not committed; what it is worth. On record before what the lane writes next."""
        return self._commitments.pass_shown(shown)

    def leaks_a_key(self, shown: PassShown) -> bool:
        """Two reservations for one painted spot at one time: somebody else signs passes too. Told once for each such pass."""
        leak = leaked_key(shown, self._shown.values())
        self._shown.setdefault(shown.id, shown)
        if len(self._shown) > MOST_SHOWN:
            del self._shown[next(iter(self._shown))]
        if leak is None or shown.id in self._leaked:
            return leak is not None
        self._leaked.add(shown.id)
        LOG.error("key_leaked", spot=leak.spot, reservation=leak.reservation, other=leak.other)
        now = self._clock.now()
        found = {"kind": "leaked_key", "claim": leak.reservation, "other": leak.other}
        detail = f"two passes for spot {leak.spot} at one time"
        self._ledger.commit(
            Change(
                events=(fact(EventKind.CONFLICT_FOUND, to_us(now), detail=detail, **found),),
                conflicts=(Conflict(claim=leak.reservation, other=leak.other, detail=detail, at=now),),
            )
        )
        return True

    def has_room_for(self, shown: PassShown) -> bool:
        """Whether a place is free from now until the booking's end."""
        now = self._clock.released_before()
        ends_at = max(shown.window.ends_at or now, now + SHORTEST) if self._clock.known else None
        left = Interval(now, ends_at)
        return self._ledger.book.sellable(shown.type, left, now=now) > 0

    def covers_until(self, stay: Stay) -> datetime | None:
        """Until when a stay is paid by its booking; None where it has none."""
        if stay.credential.kind is not CredentialKind.PASS:
            return None
        return self._commitments.booked_until(stay.credential.subject) or stay.paid_until

    def revision(self, stay: Stay) -> int:
        """The revision of the booking that a stay is on."""
        return self._commitments.newest_revision(stay.credential.subject)

    def _read(self, text: str, now: datetime | None) -> PassShown | Reason:
        read = self._checked(text, now)
        return self._count(read) if isinstance(read, PassRefusal) else read

    def _checked(self, text: str, now: datetime | None) -> PassShown | PassRefusal:
        sold_here = kind_told(text) is TokenKind.TICKET
        kinds = (TokenKind.TICKET if sold_here else TokenKind.PASS,)
        read = read_pass(text, self._verifier, self._rules, now=now, types=self._types, kinds=kinds)
        if isinstance(read, PassShown) and sold_here and self._never_sold(read):
            return PassRefusal.NOT_A_PASS
        return read

    def _never_sold(self, shown: PassShown) -> bool:
        """A booking of our kiosk in this epoch that this ledger does not have: no ledger of ours sold it. An older epoch's card is gone."""
        return shown.epoch == self._ledger.epoch and not self._commitments.knows(shown.id)

    def _earlier(self, shown: PassShown) -> Earlier:
        credential = credential_of(shown)
        stay = self._ledger.open_stay(credential)
        if stay is not None:
            return Earlier.ADMITTED if stay.state is StayState.ADMITTED else Earlier.INSIDE
        seen = self._ledger.token_seen(TokenKind.PASS.value, credential.subject)
        return Earlier.NONE if seen is None else Earlier.LEFT

    def _count(self, refusal: PassRefusal) -> Reason:
        self.refused[refusal.value] = self.refused.get(refusal.value, 0) + 1
        LOG.info("pass_refused", why=refusal.value)
        return REASONS[refusal]


def credential_of(shown: PassShown) -> Credential:
    """What ties a car to its booking."""
    return Credential(kind=CredentialKind.PASS, subject=shown.id.reservation)
