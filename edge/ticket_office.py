"""Issues this lot's tickets and receipts and reads what drivers show. Next file of both stories: sync/tokens.py.

A ticket carries entry time, type and locked price, so that a gateway whose ledger is gone can still price the stay; a receipt carries the instant
until which an exit opens, so that nobody pays twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edge.visit import Receipt, Ticket
from parking.clock import Clock
from parking.demands import Payment
from parking.ids import StayId
from parking.interval import Interval
from parking.lot import Lot, SpotType
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.keys import SigningKey
from sync.tokens import (
    Extras,
    KeyRole,
    Token,
    TokenKey,
    TokenKind,
    TokenRefusal,
    TokenSigner,
    TokenVerifier,
    whole_seconds,
)

SHOWN_LETTERS = 8
ABOVE_ANY_LOST_VERSION = 1_000
EXIT_KINDS = (TokenKind.TICKET, TokenKind.RECEIPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadToken:
    """What a driver's code says: the stay's id, the stay as the token itself tells it, and until when it is paid."""

    subject: str
    stay: Stay
    paid_until: datetime | None


class TicketOffice:
    """Signs with the lot's key; trusts the lot's own tickets and receipts."""

    def __init__(self, *, lot: Lot, key: SigningKey, epoch: int, clock: Clock) -> None:
        self._lot = lot
        self._epoch = epoch
        self._clock = clock
        self._signer = TokenSigner(key, KeyRole.LOT)
        self.own_key = TokenKey(public=key.public, role=KeyRole.LOT, lot=lot.id)
        self._verifier = TokenVerifier(lot=lot.id, keys=[self.own_key])
        self.key_id = key.id.hex()
        self.refused: dict[str, int] = {}

    def issue_ticket(self, stay: Stay) -> Ticket:
        """The ticket of a stay that was just admitted."""
        extras = Extras(tariff_version=stay.tariff_version, factor_1e4=stay.factor_1e4)
        text = self._signer.sign(self._token(TokenKind.TICKET, stay, None, extras))
        return Ticket(text=text, code=shown(stay.id), issued_at=stay.admitted_at)

    def issue_booking(
        self,
        reservation: str,
        spot_type: SpotType,
        window: Interval,
        *,
        tariff_version: str,
        amount_minor: int,
        currency: str,
    ) -> Ticket:
        """The ticket of a booking that was sold at the kiosk: it has a window, and admits in it."""
        ends_at = window.ends_at
        token = Token(
            kind=TokenKind.TICKET,
            subject=reservation,
            lot=self._lot.id,
            place=spot_type,
            starts_at=whole_seconds(window.starts_at),
            ends_at=None if ends_at is None else whole_seconds(ends_at),
            epoch=self._epoch,
            extras=Extras(tariff_version=tariff_version, amount_minor=amount_minor, currency=currency),
        )
        return Ticket(text=self._signer.sign(token), code=shown(reservation), issued_at=self._clock.now())

    def issue_receipt(self, stay: Stay, payment: Payment) -> Receipt:
        """The receipt of a payment that was taken; `stay.paid_until` is when it stops opening exits."""
        leave_by_at = stay.paid_until or payment.changed_at
        extras = Extras(
            tariff_version=stay.tariff_version,
            factor_1e4=stay.factor_1e4,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
        )
        return Receipt(
            text=self._signer.sign(self._token(TokenKind.RECEIPT, stay, leave_by_at, extras)),
            code=shown(payment.id),
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            paid_at=payment.changed_at,
            leave_by_at=leave_by_at,
        )

    def read(self, text: str) -> ReadToken | None:
        """What a code says, or None where it is not one of ours; the refusal is counted by its name.

        Windows are not checked: an old ticket still names its stay, and a receipt whose time is over names what was paid.
        """
        token = self._verifier.check(text, kinds=EXIT_KINDS, now=None)
        if isinstance(token, TokenRefusal):
            self.refused[token.value] = self.refused.get(token.value, 0) + 1
            return None
        paid_until = token.ends_at if token.kind is TokenKind.RECEIPT else None
        return ReadToken(subject=token.subject, stay=_stay_told_by(token, paid_until), paid_until=paid_until)

    def _token(self, kind: TokenKind, stay: Stay, ends_at: datetime | None, extras: Extras) -> Token:
        return Token(
            kind=kind,
            subject=stay.id,
            lot=self._lot.id,
            place=stay.type,
            starts_at=whole_seconds(stay.entered_at or stay.admitted_at),
            ends_at=None if ends_at is None else whole_seconds(ends_at),
            epoch=self._epoch,
            extras=extras,
        )


def shown(subject: str) -> str:
    """The letters of an id that a person reads out."""
    return subject[:SHOWN_LETTERS].upper()


def _stay_told_by(token: Token, paid_until: datetime | None) -> Stay:
    """The stay as the token tells it: what an exit works with when the ledger has no record of it.

    Its version lies above every one that the lost ledger can have told the centre, where a lower one never overwrites.
    """
    return Stay(
        id=StayId(token.subject),
        credential=Credential(kind=CredentialKind.TICKET, subject=token.subject),
        type=token.place if isinstance(token.place, SpotType) else SpotType.REGULAR,
        state=StayState.INSIDE,
        lane="",
        admitted_at=token.starts_at,
        entered_at=token.starts_at,
        tariff_version=token.extras.tariff_version or "",
        factor_1e4=token.extras.factor_1e4 or 10_000,
        paid_until=paid_until,
        version=ABOVE_ANY_LOST_VERSION,
    )
