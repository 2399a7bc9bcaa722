"""Why something is allowed or not: a closed list, each reason with the sentence that a person at the lane reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from parking.claims import Claim
from parking.ids import ClaimId, StayId


class Reason(StrEnum):
    """The closed list of reasons."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """A member is its word; its sentence comes along."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # in
    GRANTED = "granted", "Welcome. Please drive in."
    ALREADY_ADMITTED = "already_admitted", "You are expected already. Please drive in."
    OVERRIDE = "override", "An attendant let you in."
    PASSBACK_TOLERATED = (
        "passback_tolerated",
        "You are on record as inside already. Please drive in; the lot was told.",
    )
    FULL = "full", "The car park is full."
    WOULD_NOT_PACK = "would_not_pack", "There are free places, but none for as long as you need it."
    TYPE_NOT_HERE = "type_not_here", "This car park has no places for this kind of vehicle."
    CLOSED = "closed", "The car park is closed."
    ALREADY_INSIDE = "already_inside", "This ticket or plate is inside already. Please call for help."
    BLOCKED_CREDENTIAL = "blocked_credential", "This ticket, card or plate is blocked. Please call for help."
    CREDENTIAL_UNKNOWN = "credential_unknown", "This ticket, card or plate is not known here."
    NOT_YET = "not_yet", "Your booking has not begun yet."
    BOOKING_OVER = "booking_over", "Your booking is over. Please take a ticket."
    PASS_USED = "pass_used", "This booking has been used already. Please call for help if you come back."
    PASS_WRONG_LOT = "pass_wrong_lot", "This booking is for another car park."
    PASS_WRONG_WINDOW = "pass_wrong_window", "This booking is not for this time."
    PASS_CHANGED = "pass_changed", "This pass has been altered."
    PASS_UNKNOWN_KEY = "pass_unknown_key", "This pass was not issued by this operator."
    BOOKING_NOT_FIRM = "booking_not_firm", "Your booking is not confirmed yet. Please call for help."
    BOOKED_BUT_FULL = (
        "booked_but_full",
        "You have a place, but the lot is full of cars. Help has been called.",
    )
    TOO_FAR_AHEAD = "too_far_ahead", "That is too far ahead. Choose an earlier time."
    TOO_LONG = "too_long", "That is longer than can be booked here. Choose a shorter time."
    CLOCK_UNKNOWN = "clock_unknown", "This screen does not know the time yet. Please call for help."
    TERMINAL_BUSY = "terminal_busy", "Somebody is paying here. Wait until it is done."
    TIME_OVER = "time_over", "That time is over. Choose a later one."
    POOL_FULL = "pool_full", "All places of your permit are in use."
    FENCED = "fenced", "The car park takes no new cars until a person has counted it."
    NOT_STORING = "not_storing", "The car park cannot record entries at the moment."
    # out
    PAID = "paid", "Paid. Have a good trip."
    FREE_OF_CHARGE = "free_of_charge", "Nothing to pay. Have a good trip."
    GRACE = "grace", "Nothing to pay for a stay this short. Have a good trip."
    PREPAID = "prepaid", "Your booking covers this stay. Have a good trip."
    BILLED_LATER = "billed_later", "You can leave. The amount is billed later."
    ALREADY_LEFT = "already_left", "This ticket has been used to leave. Please drive out; the lot was told."
    UNPAID = "unpaid", "Please pay first. Help has been called in case you cannot."
    NO_SUCH_STAY = "no_such_stay", "We cannot find your entry. Please drive out; help has been called."
    UNREADABLE = "unreadable", "Your ticket cannot be read. Please drive out; help has been called."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The book does not sell this, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is decided at a lane.

    `claims` are the claims to put on record in the same transaction as the stay: the promise itself and those it moved. `opens_at` says
    when another try makes sense (NOT_YET, CLOSED). `amount_minor` is what is owed (UNPAID, BILLED_LATER), in the lot's currency's
    smallest unit. `call_help` asks for a person, with an open arm or a shut one. `over_count`: the stay gets no claim.
    """

    allowed: bool
    reason: Reason
    stay: StayId | None = None
    claim: ClaimId | None = None
    claims: tuple[Claim, ...] = ()
    opens_at: datetime | None = None
    amount_minor: int | None = None
    call_help: bool = False
    over_count: bool = False
