"""Who may drive in. The story goes on in edge/ledger.py, which records the decision.

Theory. A decision reads top to bottom: what forbids everybody (blocked, inside already, closed), then what the driver brought: a booking
is a promise made before and outranks the count; a permit and a walk-in are sales of [now, now + assumed_stay). Every
refusal has a reason with a sentence that a person understands. Nothing changes here: the `claims` of the decision are a plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from parking.book import Book, ClaimRequest
from parking.claims import Claim, ClaimKind, ClaimState
from parking.decision import Decision, Reason, Refusal
from parking.early_arrival import start_early
from parking.errors import NoSuchClaim
from parking.ids import ClaimId, StayId
from parking.interval import Interval
from parking.lot import SpotType
from parking.stays import Credential, CredentialKind, Stay, StayState


class Passback(StrEnum):
    """What to do with a credential that is inside already."""

    HARD = "hard"
    SOFT = "soft"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the lot stands at this moment.

    `fenced`: its ledger may be behind the truth, so it sells nothing. `storing` False: a sale cannot be made durable. `brim_full`: as
    far as sensors and counters tell, no place is physically free. `clock_known` False: no window can be trusted.
    """

    open: bool = True
    opens_at: datetime | None = None
    fenced: bool = False
    storing: bool = True
    brim_full: bool = False
    clock_known: bool = True
    passback: Passback = Passback.HARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A right to park that claims at entry. `places_left` of its pool; None where it has no pool."""

    id: str
    places_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A vehicle that asks to come in, and what is on record about what it showed.

    `known` False: a pass, permit or ticket that nobody here issued. `stay` is the open stay of this credential. `booking` is the claim
    that the pass or plate was promised.
    """

    credential: Credential
    type: SpotType = SpotType.REGULAR
    known: bool = True
    blocked: bool = False
    stay: Stay | None = None
    booking: ClaimId | None = None
    permit: Permit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids to use should the decision need them, and the epoch they are made in."""

    stay: StayId
    claim: ClaimId
    epoch: int


def decide_entry(arrival: Arrival, standing: Standing, book: Book, *, now: datetime, ids: NewIds) -> Decision:
    """Whether `arrival` may drive in at `now`, and with what promise. Apply the decision's `claims` where it is allowed."""
    if arrival.blocked:
        return _refused(Reason.BLOCKED_CREDENTIAL, call_help=True)
    if not arrival.known:
        return _refused(Reason.CREDENTIAL_UNKNOWN)
    inside = arrival.stay
    if inside is not None and inside.state is StayState.ADMITTED:
        return Decision(allowed=True, reason=Reason.ALREADY_ADMITTED, stay=inside.id, claim=inside.claim)
    if inside is not None and standing.passback is Passback.HARD:
        return _refused(Reason.ALREADY_INSIDE, call_help=True)
    decision = _decide_promise(arrival, standing, book, now, ids)
    if inside is not None and standing.passback is Passback.SOFT and decision.allowed:
        return replace(decision, reason=Reason.PASSBACK_TOLERATED)
    return decision


def admit_by_hand(
    arrival: Arrival, book: Book, *, now: datetime, ids: NewIds, clock_known: bool = True
) -> Decision:
    """An attendant lets a vehicle in, over the count if need be: always allowed, a claim where one can be had."""
    sale = book.sell(_walk_in(arrival, book, now, ids, clock_known=clock_known), now=now, beyond_count=True)
    if isinstance(sale, Refusal):
        return Decision(allowed=True, reason=Reason.OVERRIDE, stay=ids.stay, over_count=True)
    return Decision(
        allowed=True, reason=Reason.OVERRIDE, stay=ids.stay, claim=sale.claim.id, claims=sale.claims
    )


def _decide_promise(arrival: Arrival, standing: Standing, book: Book, now: datetime, ids: NewIds) -> Decision:
    if not standing.open:
        return _refused(Reason.CLOSED, opens_at=standing.opens_at)
    if arrival.booking is not None:
        return _decide_booking(arrival, standing, book, now, ids)
    if standing.fenced:
        return _refused(Reason.FENCED)
    if not standing.storing:
        return _refused(Reason.NOT_STORING)
    if (
        arrival.permit is not None
        and arrival.permit.places_left is not None
        and arrival.permit.places_left < 1
    ):
        return _refused(Reason.POOL_FULL)
    sale = book.sell(_walk_in(arrival, book, now, ids, clock_known=standing.clock_known), now=now)
    if isinstance(sale, Refusal):
        return _refused(sale.reason)
    return Decision(
        allowed=True, reason=Reason.GRANTED, stay=ids.stay, claim=sale.claim.id, claims=sale.claims
    )


def _decide_booking(arrival: Arrival, standing: Standing, book: Book, now: datetime, ids: NewIds) -> Decision:
    """A promise made before. With the clock unknown its window is not judged: a pass admits."""
    claim = _booked(arrival, book)
    if claim is None:
        return _refused(Reason.CREDENTIAL_UNKNOWN)
    if claim.state is ClaimState.HELD and arrival.credential.kind is not CredentialKind.PASS:
        return _refused(Reason.BOOKING_NOT_FIRM, call_help=True)
    ends_at = claim.window.ends_at
    if claim.state is ClaimState.RELEASED or (
        standing.clock_known and ends_at is not None and ends_at <= now
    ):
        return _refused(Reason.BOOKING_OVER)
    claims: tuple[Claim, ...] = ()
    if standing.clock_known and now < claim.window.starts_at:
        opens_at = claim.window.starts_at - book.policy.early_arrival
        if now < opens_at:
            return _refused(Reason.NOT_YET, opens_at=opens_at)
        early = start_early(book, claim.id, now=now)
        if early is None:
            return _refused(Reason.NOT_YET, opens_at=claim.window.starts_at)
        claims = (early,)
    if standing.brim_full:
        return _refused(Reason.BOOKED_BUT_FULL, call_help=True)
    if claim.state is ClaimState.HELD:
        claims = ((claims[0] if claims else claim).moved_to(ClaimState.FIRM),)
    return Decision(allowed=True, reason=Reason.GRANTED, stay=ids.stay, claim=claim.id, claims=claims)


def _booked(arrival: Arrival, book: Book) -> Claim | None:
    if arrival.booking is None:
        return None
    try:
        return book.claim(arrival.booking)
    except NoSuchClaim:
        return None


def _walk_in(arrival: Arrival, book: Book, now: datetime, ids: NewIds, *, clock_known: bool) -> ClaimRequest:
    """With the clock unknown the claim has no end until it is known."""
    return ClaimRequest(
        id=ids.claim,
        type=arrival.type,
        window=Interval(now, now + book.policy.assumed_stay if clock_known else None),
        kind=ClaimKind.WALK_IN if arrival.permit is None else ClaimKind.PERMIT,
        holder_kind="stay" if arrival.permit is None else "permit",
        holder_id=ids.stay if arrival.permit is None else arrival.permit.id,
        epoch=ids.epoch,
    )


def _refused(reason: Reason, *, opens_at: datetime | None = None, call_help: bool = False) -> Decision:
    return Decision(allowed=False, reason=reason, opens_at=opens_at, call_help=call_help)
