"""The way in: what was presented becomes a decision, the decision a durable fact. Next files: parking/admission.py, edge/ledger.py.

The arm's word comes after the disk's: `decide` returns once claim, stay, ticket and log row are fsynced as one transaction. Between that
and the arm lie two steps, so the same credential presented again opens for the same stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.bookings import Bookings, credential_of
from edge.cars_counted import is_brim_full
from edge.change import Change, PlateOfStay, TokenSeen, fact
from edge.durable import is_durable
from edge.lane_log import LotLaneLog, Refused
from edge.lane_words import called_for
from edge.lanes import LaneEvent
from edge.ledger import Ledger
from edge.price_list import PriceList
from edge.promise_facts import found_full
from edge.store.cipher import PlateKeys
from edge.ticket_office import TicketOffice
from edge.visit import Answered, PresentedKind, Ticket, Visit
from parking.admission import Arrival, NewIds, Passback, Standing, admit_by_hand, decide_entry
from parking.civil_time import FOREVER_AT as NEVER_AT
from parking.clock import TrustedClock
from parking.decision import Decision, Reason
from parking.ids import ClaimId, StayId
from parking.lot import LaneKind, Lot, SpotType
from parking.opening import is_open, opens_at
from parking.stays import Credential, CredentialKind, Stay, StayEvent, StayState
from sync.events import EventDraft, EventKind
from sync.failpoints import Failpoints
from sync.instants import to_us
from sync.participant_news import PassShown
from sync.tokens import TokenKind

MOST_SENT_ON = 1_000
BEFORE_ADMITTED = "edge.entering.before_admitted"
ADMITTED = "edge.entering.admitted"


@dataclass(slots=True, kw_only=True)
class Entering:
    """The work of the entry lanes."""

    lot: Lot
    ledger: Ledger
    prices: PriceList
    office: TicketOffice
    plates: PlateKeys
    bookings: Bookings
    log: LotLaneLog
    clock: TrustedClock
    new_id: Callable[[], str]
    passback: Passback = Passback.SOFT
    failpoints: Failpoints = field(default_factory=Failpoints)
    borrow: Callable[[SpotType], Awaitable[bool]] | None = None
    """Asks the centre for a spot where none of ours is free (edge/owners); whether it is worth looking again. None: there is nobody to ask."""
    _sent_on: set[str] = field(default_factory=set)

    async def decide(self, visit: Visit) -> Answered:
        """Decide on what the visit presented and make it durable, see `LaneWork.decide`."""
        ids = NewIds(stay=StayId(self.new_id()), claim=ClaimId(self.new_id()), epoch=self.ledger.epoch)
        now = self.clock.now()
        arrival, decision, paid_until = self._judged(visit, ids, now)
        if await self._borrowed(arrival, decision):
            now = self.clock.now()
            arrival, decision, paid_until = self._judged(visit, ids, now)
        if not decision.allowed:
            return self._refuse(visit, arrival, decision)
        if decision.reason is Reason.ALREADY_ADMITTED:
            # Another lane may be waiting for the disk with this very stay.
            if not await is_durable(self.ledger, self.ledger.durable()):
                return self._refuse(visit, arrival, Decision(allowed=False, reason=Reason.NOT_STORING))
            return Answered(event=LaneEvent.GRANTED, reason=decision.reason, stay=arrival.stay)
        stay = Stay(
            id=decision.stay or ids.stay,
            credential=arrival.credential,
            type=arrival.type,
            state=StayState.ADMITTED,
            lane=visit.lane,
            admitted_at=now,
            claim=decision.claim,
            over_count=decision.over_count,
            tariff_version=self.prices.in_force(now).name_of_version,
            paid_until=paid_until,
        )
        ticket = self._ticket(stay)
        change = Change.record(
            at=now,
            claims=decision.claims,
            stays=(stay,),
            events=self._told(visit, decision, stay, ticket),
            plates=(PlateOfStay(stay=stay.id, plate=visit.presented.text),)
            if visit.presented.kind is PresentedKind.PLATE
            else (),
        )
        self.failpoints.hit(BEFORE_ADMITTED)
        stored = await is_durable(self.ledger, self.ledger.commit(change, urgent=True))
        self.failpoints.hit(ADMITTED)
        # A booking was promised before: its driver is not the one to turn away while the disk takes nothing.
        if not stored and stay.credential.kind is not CredentialKind.PASS:
            self._end(stay, StayEvent.VOIDED)
            return self._refuse(visit, arrival, Decision(allowed=False, reason=Reason.NOT_STORING))
        return Answered(event=LaneEvent.GRANTED, reason=decision.reason, stay=stay, ticket=ticket)

    async def _borrowed(self, arrival: Arrival, decision: Decision) -> bool:
        """A walk-in that finds no spot of ours waits for the centre's answer; whether there may be one now."""
        if decision.reason is not Reason.FULL or arrival.credential.kind is CredentialKind.PASS:
            return False
        return self.borrow is not None and await self.borrow(arrival.type)

    async def pay(self, visit: Visit) -> Answered:  # noqa: ARG002 - the port is shared with the exits
        """Nothing is paid on the way in; the entry's table never asks for it."""
        return Answered(event=LaneEvent.DECLINED, reason=Reason.UNPAID)

    def passed(self, visit: Visit | None) -> None:
        """The vehicle is inside."""
        self._after(visit, StayEvent.ENTERED)

    def backed_out(self, visit: Visit) -> None:
        """The vehicle was let in and did not come: its stay is void and its place is free again."""
        self._after(visit, StayEvent.VOIDED)

    def _after(self, visit: Visit | None, event: StayEvent) -> None:
        stay = None if visit is None or visit.stay_id is None else self.ledger.stay(StayId(visit.stay_id))
        if stay is not None and stay.state is StayState.ADMITTED:
            self._end(stay, event)

    def _end(self, stay: Stay, event: StayEvent) -> None:
        """The admission is over: the vehicle is inside, or it never came."""
        now = self.clock.now()
        claims = self.ledger.book.release_of_void(stay) if event is StayEvent.VOIDED else ()
        change = Change.record(
            at=now,
            claims=claims,
            stays=(stay.after(event, now),),
            tokens_seen=self._used(stay, now) if event is StayEvent.ENTERED else (),
        )
        self.ledger.commit(change, urgent=False)

    def _used(self, stay: Stay, now: datetime) -> tuple[TokenSeen, ...]:
        """A pass is used once its car is inside."""
        if stay.credential.kind is not CredentialKind.PASS:
            return ()
        revision = self.bookings.revision(stay)
        subject = stay.credential.subject
        return (TokenSeen(kind=TokenKind.PASS.value, subject=subject, revision=revision, at=now),)

    def _judged(self, visit: Visit, ids: NewIds, now: datetime) -> tuple[Arrival, Decision, datetime | None]:
        """Who asks to come in, whether they may, and until when it is paid already."""
        presented = visit.presented
        if presented.kind is PresentedKind.CODE and self.bookings.is_pass(presented.text):
            return self._judged_pass(presented.text, ids, now)
        arrival = self._arrival(visit, ids.stay)
        # What is sold begins where time has certainly come to: no promise is over by the estimate.
        sold_at = self.clock.released_before()
        if presented.kind is PresentedKind.BY_HAND:
            known = self.clock.known
            by_hand = admit_by_hand(arrival, self.ledger.book, now=sold_at, ids=ids, clock_known=known)
            return arrival, by_hand, None
        return arrival, decide_entry(arrival, self._standing(), self.ledger.book, now=sold_at, ids=ids), None

    def _judged_pass(
        self, text: str, ids: NewIds, now: datetime
    ) -> tuple[Arrival, Decision, datetime | None]:
        """The pass's own checks come first; then it commits, and what it commits is a booking like any other."""
        shown = self.bookings.at_entry(text)
        if isinstance(shown, Reason):
            unknown = Arrival(credential=Credential(kind=CredentialKind.PASS, subject=""), known=False)
            early = self.bookings.opens_at(text) if shown is Reason.PASS_WRONG_WINDOW else None
            return unknown, Decision(allowed=False, reason=shown, opens_at=early), None
        credential = credential_of(shown)
        arrival = Arrival(credential=credential, type=shown.type, stay=self.ledger.open_stay(credential))
        used = self.bookings.used(shown)
        if used is not None:
            return arrival, Decision(allowed=False, reason=used, call_help=True), None
        if (
            arrival.stay is None
            and self.bookings.leaks_a_key(shown)
            and not self.bookings.has_room_for(shown)
        ):
            return arrival, Decision(allowed=False, reason=Reason.FULL, call_help=True), None
        honour = self.bookings.honour(shown)
        if honour.refusal is not None:
            return arrival, Decision(allowed=False, reason=honour.refusal, call_help=True), None
        paid_until = shown.window.ends_at
        brim_full = is_brim_full(self.lot, self.ledger, shown.type)
        if honour.claim is None and arrival.stay is None:
            if brim_full:
                self._tell_full(shown, None, now)
                return arrival, Decision(allowed=False, reason=Reason.BOOKED_BUT_FULL, call_help=True), None
            granted = Decision(allowed=True, reason=Reason.GRANTED, stay=ids.stay, over_count=True)
            return arrival, granted, paid_until
        booked = replace(arrival, booking=honour.claim)
        standing = replace(self._standing(), brim_full=brim_full)
        decision = decide_entry(booked, standing, self.ledger.book, now=now, ids=ids)
        if decision.reason is Reason.BOOKED_BUT_FULL:
            self._tell_full(shown, honour.claim, now)
        return booked, decision, paid_until

    def _tell_full(self, shown: PassShown, claim: ClaimId | None, now: datetime) -> None:
        """Tell the centre of a booked driver who is sent on: once for each booking, however often the pass is shown."""
        if shown.id.reservation not in self._sent_on:
            if len(self._sent_on) >= MOST_SENT_ON:
                self._sent_on.clear()
            self._sent_on.add(shown.id.reservation)
            told = found_full(shown, claim, at=now)
            self.ledger.commit(Change(events=(told,)), urgent=False)

    def _arrival(self, visit: Visit, new_stay: StayId) -> Arrival:
        """What is on record about what was presented; a new ticket's subject is the stay that it would open."""
        presented = visit.presented
        if presented.kind in {PresentedKind.BUTTON, PresentedKind.BY_HAND}:
            credential = Credential(kind=CredentialKind.TICKET, subject=new_stay)
            return Arrival(credential=credential, type=presented.spot_type or SpotType.REGULAR)
        if presented.kind is PresentedKind.PLATE:
            credential = Credential(kind=CredentialKind.PLATE, subject=self.plates.hash(presented.text))
            return Arrival(credential=credential, stay=self.ledger.open_stay(credential))
        ticket = self.office.read(presented.text)
        if ticket is None:
            unknown = Credential(kind=CredentialKind.TICKET, subject="")
            return Arrival(credential=unknown, known=False)
        credential = Credential(kind=CredentialKind.TICKET, subject=ticket.subject)
        stay = self.ledger.open_stay(credential)
        return Arrival(credential=credential, stay=stay, known=stay is not None)

    def _standing(self) -> Standing:
        shut_until = self._shut_until(self.clock.now()) if self.clock.known else None
        return Standing(
            open=shut_until is None,
            opens_at=None if shut_until == NEVER_AT else shut_until,
            fenced=self.ledger.verdict == "fenced",
            storing=self.ledger.degraded is None,
            clock_known=self.clock.known,
            passback=self.passback,
        )

    def _shut_until(self, now: datetime) -> datetime | None:
        """When cars may enter again, by the lot's own hours and those of the tariff; None while they may."""
        hours, timezone = self.lot.opening_hours, self.lot.timezone
        opens = None if is_open(hours, timezone, now) else opens_at(hours, timezone, now) or NEVER_AT
        return max(filter(None, (opens, self.prices.in_force(now).closed_until(now))), default=None)

    def _refuse(self, visit: Visit, arrival: Arrival, decision: Decision) -> Answered:
        self.log.refused(
            Refused(
                lane=visit.lane,
                direction=LaneKind.ENTRY,
                reason=decision.reason,
                credential_kind=arrival.credential.kind.value,
                # A button press has a fresh subject each time, and is one and the same button.
                subject="" if visit.presented.kind is PresentedKind.BUTTON else arrival.credential.subject,
            )
        )
        until_at = decision.opens_at
        if decision.reason is Reason.FULL:
            until_at = self._full_until(arrival.type)
        return Answered(
            event=LaneEvent.REFUSED,
            reason=decision.reason,
            stay=arrival.stay,
            until_at=until_at,
            help_why=called_for(decision.reason) if decision.call_help else "",
        )

    def _full_until(self, kind: SpotType) -> datetime | None:
        counts = self.ledger.counts()
        return counts[kind].holds_until if kind in counts else None

    def _ticket(self, stay: Stay) -> Ticket | None:
        return self.office.issue_ticket(stay) if stay.credential.kind is CredentialKind.TICKET else None

    def _told(
        self, visit: Visit, decision: Decision, stay: Stay, ticket: Ticket | None
    ) -> tuple[EventDraft, ...]:
        """What the log is told besides the rows: the ticket, and a second entry that was let in."""
        at_us = to_us(stay.admitted_at)
        told: list[EventDraft] = []
        if ticket is not None:
            issued = {"kind": "ticket", "subject": stay.credential.subject, "stay": stay.id}
            told.append(fact(EventKind.TOKEN_ISSUED, at_us, **issued, key_id=self.office.key_id))
        if decision.reason is Reason.OVERRIDE:
            who = {"by": visit.presented.by, "reason": visit.presented.reason}
            over = "admitted_over_count" if decision.over_count else "admitted"
            told.append(fact(EventKind.OVERRIDE, at_us, lane=visit.lane, action=over, **who))
        if decision.reason is Reason.PASSBACK_TOLERATED:
            why = {"by": "lane", "reason": decision.reason.sentence}
            told.append(fact(EventKind.OVERRIDE, at_us, lane=visit.lane, action="passback_tolerated", **why))
        return tuple(told)
