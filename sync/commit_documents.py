"""What the commit puts into a lot's list of documents, so that it cannot be missed. Next in its story: edge/configuration.

| kind | body |
| --- | --- |
| `decision` | {reservation, revision, outcome, reason, claim?}: a decision, word for word as the frame has it |
| `change` | {reservation, revision, starts_us, ends_us}: the booking is for this window from now on; what its lot holds outside it goes free |
| `cancellation` | {reservation, revision}: the booking is over; its lot frees the place, unless somebody is inside on it |
"""

from __future__ import annotations

from datetime import datetime

from parking.claims import Claim
from parking.interval import Interval
from sync.errors import MalformedFrame
from sync.fields import Fields, instant, integer, optional, text, word
from sync.instants import to_us
from sync.message_pack import pack, unpack
from sync.participant_news import Changed, Decided
from sync.rows import claim_from_row, claim_row
from sync.transaction import Outcome, TransactionId

DECISION = "decision"
CANCELLATION = "cancellation"
CHANGE = "change"

_ID = text(64, shortest=1)
_REVISION = integer(1, 2**31 - 1)


def decision_body(
    transaction: TransactionId, outcome: Outcome, *, reason: str = "", claim: Claim | None = None
) -> bytes:
    """The body of a document of kind decision."""
    return pack(
        {
            "reservation": transaction.reservation,
            "revision": transaction.revision,
            "outcome": str(outcome),
            "reason": reason,
            "claim": None if claim is None else claim_row(claim),
        }
    )


def decision_from(body: bytes) -> Decided:
    """A decision as the participant hears it; the document's own acknowledgement is its answer.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    fields = Fields(unpack(body, DECISION), DECISION)
    return Decided(
        id=_transaction(fields),
        outcome=fields.take("outcome", word(Outcome)),
        reason=fields.take_or("reason", text(200), ""),
        claim=fields.take_or("claim", optional(claim_from_row), None),
        acknowledge=False,
    )


def cancellation_body(transaction: TransactionId) -> bytes:
    """The body of a document of kind cancellation; `transaction` is the revision that cancels."""
    return pack({"reservation": transaction.reservation, "revision": transaction.revision})


def cancellation_from(body: bytes) -> TransactionId:
    """Which revision cancels its reservation.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    return _transaction(Fields(unpack(body, CANCELLATION), CANCELLATION))


def change_body(transaction: TransactionId, starts_at: datetime, ends_at: datetime) -> bytes:
    """The body of a document of kind change; `transaction` is the revision that stands for this window."""
    return pack(
        {
            "reservation": transaction.reservation,
            "revision": transaction.revision,
            "starts_us": to_us(starts_at),
            "ends_us": to_us(ends_at),
        }
    )


def change_from(body: bytes) -> Changed:
    """Which window a reservation has from this revision on.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    fields = Fields(unpack(body, CHANGE), CHANGE)
    starts_at, ends_at = fields.take("starts_us", instant), fields.take("ends_us", instant)
    if ends_at <= starts_at:
        raise MalformedFrame(f"{CHANGE}.ends_us", "is not after starts_us")
    return Changed(id=_transaction(fields), window=Interval(starts_at, ends_at))


def _transaction(fields: Fields) -> TransactionId:
    return TransactionId(
        reservation=fields.take("reservation", _ID), revision=fields.take("revision", _REVISION)
    )
