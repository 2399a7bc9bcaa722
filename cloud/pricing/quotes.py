"""A quote: what a window in a lot costs, signed by the centre and true until it expires. Next in its story: cloud/reservations/booking.

Theory. A quote is not stored: the text that the driver gets holds all of it, with an Ed25519 signature over it, so that any process can
check what another has promised. It expires by the database's clock, as every deadline does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloud.errors import BadRequest
from parking.interval import Interval
from parking.lot import SpotType
from parking.price import Price, price
from parking.tariff import Tariff, tariff_in_force
from sync.errors import MalformedFrame, NotAuthentic
from sync.fields import Fields, instant, integer, text, word
from sync.instants import to_us
from sync.keys import SIGNATURE_BYTES, SigningKey, verify
from sync.message_pack import pack, unpack

PREFIX = b"LGQ1:"
LONGEST_TEXT = 2_048
FACTOR_ONE_1E4 = 10_000
_ID = text(64, shortest=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The price of one window. `expires_at` is real, by the database's clock; `factor_1e4` ten-thousandths are in the amount."""

    id: UUID
    lot: UUID
    type: SpotType
    window: Interval
    amount_minor: int
    currency: str
    tariff: str
    factor_1e4: int
    expires_at: datetime


def quoted(
    tariffs: Iterable[Tariff], *, id_: UUID, lot: UUID, kind: SpotType, window: Interval, expires_at: datetime
) -> Quote:
    """The quote for a window by the lot's tariff that is in force when it starts.

    Raises:
        BadRequest: the lot has no tariff for that time.
    """
    known = tuple(tariffs)
    tariff = tariff_in_force(known, window.starts_at)
    cost = priced(known, kind=kind, window=window)
    if tariff is None or cost is None:
        raise BadRequest("the lot has no tariff for this time", "starts_at", "choose another time or lot")
    return Quote(
        id=id_,
        lot=lot,
        type=kind,
        window=window,
        amount_minor=cost.total_minor,
        currency=cost.currency,
        tariff=tariff.name_of_version,
        factor_1e4=FACTOR_ONE_1E4,
        expires_at=expires_at,
    )


def priced(tariffs: Iterable[Tariff], *, kind: SpotType, window: Interval) -> Price | None:
    """What a window costs by the tariff that is in force when it starts; None where there is none."""
    tariff = tariff_in_force(tariffs, window.starts_at)
    if tariff is None or window.ends_at is None:
        return None
    return price(tariff, window.starts_at, window.ends_at, spot_type=kind, factor_1e4=FACTOR_ONE_1E4)


def signed(quote: Quote, key: SigningKey) -> str:
    """The text of a quote, safe in JSON and URLs."""
    ends_at = quote.window.ends_at
    body = pack(
        {
            "id": str(quote.id),
            "lot": str(quote.lot),
            "type": str(quote.type),
            "starts_us": to_us(quote.window.starts_at),
            "ends_us": None if ends_at is None else to_us(ends_at),
            "amount_minor": quote.amount_minor,
            "currency": quote.currency,
            "tariff": quote.tariff,
            "factor_1e4": quote.factor_1e4,
            "expires_us": to_us(quote.expires_at),
        }
    )
    return base64.urlsafe_b64encode(key.sign(PREFIX + body) + body).decode().rstrip("=")


def opened(told: str, public: bytes, *, now: datetime) -> Quote:
    """The quote that `told` holds. `now` is the database's clock.

    Raises:
        BadRequest: it is not one of ours, was altered, or has expired.
    """
    if len(told) > LONGEST_TEXT:
        raise BadRequest("is too long for a quote", "quote", "send the text that POST /api/v1/quotes gave")
    try:
        raw = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4))
        verify(public, raw[:SIGNATURE_BYTES], PREFIX + raw[SIGNATURE_BYTES:])
        quote = _read(raw[SIGNATURE_BYTES:])
    except (ValueError, binascii.Error, NotAuthentic, MalformedFrame) as error:
        raise BadRequest(
            "is no quote of ours, or was altered", "quote", "send the text that POST /api/v1/quotes gave"
        ) from error
    if now >= quote.expires_at:
        raise BadRequest("has expired", "quote", "ask POST /api/v1/quotes for a new one")
    return quote


def _read(body: bytes) -> Quote:
    fields = Fields(unpack(body, "quote"), "quote")
    return Quote(
        id=UUID(fields.take("id", _ID)),
        lot=UUID(fields.take("lot", _ID)),
        type=fields.take("type", word(SpotType)),
        window=Interval(fields.take("starts_us", instant), fields.take("ends_us", instant)),
        amount_minor=fields.take("amount_minor", integer(0, 2**53)),
        currency=fields.take("currency", text(3, shortest=3)),
        tariff=fields.take("tariff", text(200)),
        factor_1e4=fields.take("factor_1e4", integer(0, 1_000_000)),
        expires_at=fields.take("expires_us", instant),
    )
