"""Claims, stays, demands and payments as the plain maps that event bodies carry, and back.

A body carries the full row, so that a fact applies whatever came before it. Instants are integer microseconds and end in `_us`. Reading
is strict and names the field; a field that this version does not know is ignored, one that an older version did not send takes its default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from parking.claims import Claim, ClaimKind, ClaimState
from parking.demands import Demand, Payment, PaymentState
from parking.ids import ClaimId, DemandId, PaymentId, SpotId, StayId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.errors import MalformedFrame
from sync.fields import Check, Fields, flag, instant, integer, optional, plain_map, sequence, text, word
from sync.instants import to_us

Row = dict[str, object]
_T = TypeVar("_T")

_ID = text(64, shortest=1)
_COUNT = integer(1, 2**31 - 1)
_EPOCH = integer(0, 2**31 - 1)
_AMOUNT: Check[int] = integer(-(2**53), 2**53)
_CURRENCY = text(3, shortest=3)
_FACTOR = integer(0, 1_000_000)


def claim_row(claim: Claim) -> Row:
    """A claim as a map."""
    ends_at = claim.window.ends_at
    return {
        "id": claim.id,
        "spot": claim.spot,
        "type": str(claim.type),
        "starts_us": to_us(claim.window.starts_at),
        "ends_us": None if ends_at is None else to_us(ends_at),
        "kind": str(claim.kind),
        "holder_kind": claim.holder_kind,
        "holder_id": claim.holder_id,
        "state": str(claim.state),
        "sold_by": str(claim.sold_by),
        "epoch": claim.epoch,
        "revision": claim.revision,
        "version": claim.version,
        "clashing": claim.clashing,
    }


def claim_from_row(row: object, path: str = "claim") -> Claim:
    """A claim from its map.

    Raises:
        MalformedFrame: a field is missing or wrong; its path begins with `path`.
    """
    fields = Fields(row, path)
    return Claim(
        id=ClaimId(fields.take("id", _ID)),
        spot=_as_optional(SpotId, fields.take("spot", optional(_ID))),
        type=fields.take("type", word(SpotType)),
        window=_window(fields, "starts_us", "ends_us", path),
        kind=fields.take("kind", word(ClaimKind)),
        holder_kind=fields.take("holder_kind", text(32, shortest=1)),
        holder_id=fields.take("holder_id", text(200)),
        state=fields.take("state", word(ClaimState)),
        sold_by=fields.take("sold_by", word(Tier)),
        epoch=fields.take("epoch", _EPOCH),
        revision=fields.take_or("revision", _COUNT, 1),
        version=fields.take("version", _COUNT),
        clashing=fields.take_or("clashing", flag, False),
    )


def stay_row(stay: Stay) -> Row:
    """A stay as a map."""
    return {
        "id": stay.id,
        "credential_kind": str(stay.credential.kind),
        "subject": stay.credential.subject,
        "type": str(stay.type),
        "state": str(stay.state),
        "lane": stay.lane,
        "admitted_us": to_us(stay.admitted_at),
        "entered_us": None if stay.entered_at is None else to_us(stay.entered_at),
        "left_us": None if stay.left_at is None else to_us(stay.left_at),
        "claim": stay.claim,
        "over_count": stay.over_count,
        "tariff_version": stay.tariff_version,
        "factor_1e4": stay.factor_1e4,
        "paid_until_us": None if stay.paid_until is None else to_us(stay.paid_until),
        "version": stay.version,
    }


def stay_from_row(row: object, path: str = "stay") -> Stay:
    """A stay from its map.

    Raises:
        MalformedFrame: a field is missing or wrong; its path begins with `path`.
    """
    fields = Fields(row, path)
    return Stay(
        id=StayId(fields.take("id", _ID)),
        credential=Credential(
            kind=fields.take("credential_kind", word(CredentialKind)), subject=fields.take("subject", _ID)
        ),
        type=fields.take("type", word(SpotType)),
        state=fields.take("state", word(StayState)),
        lane=fields.take("lane", text(64)),
        admitted_at=fields.take("admitted_us", instant),
        entered_at=fields.take_or("entered_us", optional(instant), None),
        left_at=fields.take_or("left_us", optional(instant), None),
        claim=_as_optional(ClaimId, fields.take_or("claim", optional(_ID), None)),
        over_count=fields.take_or("over_count", flag, False),
        tariff_version=fields.take("tariff_version", text(64)),
        factor_1e4=fields.take_or("factor_1e4", _FACTOR, 10_000),
        paid_until=fields.take_or("paid_until_us", optional(instant), None),
        version=fields.take("version", _COUNT),
    )


def demand_row(demand: Demand) -> Row:
    """A demand as a map; its lines are plain maps already."""
    return {
        "id": demand.id,
        "stay": demand.stay,
        "amount_minor": demand.amount_minor,
        "currency": demand.currency,
        "from_us": to_us(demand.from_at),
        "to_us": to_us(demand.to_at),
        "lines": [dict(line) for line in demand.lines],
        "made_us": to_us(demand.made_at),
    }


def demand_from_row(row: object, path: str = "demand") -> Demand:
    """A demand from its map.

    Raises:
        MalformedFrame: a field is missing or wrong; its path begins with `path`.
    """
    fields = Fields(row, path)
    return Demand(
        id=DemandId(fields.take("id", _ID)),
        stay=StayId(fields.take("stay", _ID)),
        amount_minor=fields.take("amount_minor", _AMOUNT),
        currency=fields.take("currency", _CURRENCY),
        from_at=fields.take("from_us", instant),
        to_at=fields.take("to_us", instant),
        lines=fields.take_or("lines", sequence(plain_map, 2_000), ()),
        made_at=fields.take("made_us", instant),
    )


def payment_row(payment: Payment) -> Row:
    """A payment as a map."""
    return {
        "id": payment.id,
        "demand": payment.demand,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "state": str(payment.state),
        "terminal": payment.terminal,
        "reference": payment.reference,
        "changed_us": to_us(payment.changed_at),
        "version": payment.version,
    }


def payment_from_row(row: object, path: str = "payment") -> Payment:
    """A payment from its map.

    Raises:
        MalformedFrame: a field is missing or wrong; its path begins with `path`.
    """
    fields = Fields(row, path)
    return Payment(
        id=PaymentId(fields.take("id", _ID)),
        demand=DemandId(fields.take("demand", _ID)),
        amount_minor=fields.take("amount_minor", _AMOUNT),
        currency=fields.take("currency", _CURRENCY),
        state=fields.take("state", word(PaymentState)),
        terminal=fields.take("terminal", text(64)),
        reference=fields.take_or("reference", optional(text(200)), None),
        changed_at=fields.take("changed_us", instant),
        version=fields.take("version", _COUNT),
    )


def _window(fields: Fields, starts: str, ends: str, path: str) -> Interval:
    starts_at = fields.take(starts, instant)
    ends_at = fields.take(ends, optional(instant))
    if ends_at is not None and ends_at <= starts_at:
        raise MalformedFrame(f"{path}.{ends}", "must be after the start")
    return Interval(starts_at, ends_at)


def _as_optional(name: Callable[[str], _T], value: str | None) -> _T | None:
    return None if value is None else name(value)
