"""What the provider does with money: intents are made, confirmed, authenticated, captured, cancelled, refunded, and lapse.

The rules are Stripe's for a card with manual capture (docs.stripe.com, "Place a hold on a payment method"): confirming holds the money, after the
driver's authentication where the card asks for it; a hold that nobody captures within 7 days is let go and its intent cancelled; a refused card leaves
the intent open for another; a captured one can be given back, in parts, never more than was taken. Cards are Stripe's test cards, by
the names of their payment methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from simulators.provider.agenda import Agenda
from simulators.provider.forms import Form, group_of, only_known, text_of, whole_number
from simulators.provider.money import Charge, Intent, IntentStatus, Refund
from simulators.provider.refusals import Refusal, invalid, missing

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LEAST_AMOUNT = 50
MOST_AMOUNT = 99_999_999
PAGE = 10
OPEN = frozenset({IntentStatus.NO_METHOD, IntentStatus.UNCONFIRMED, IntentStatus.AUTHENTICATING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a test card behaves: it may decline with a code, or ask its holder to authenticate."""

    declines: str | None = None
    authenticates: bool = False


CARDS: Mapping[str, Card] = {
    "pm_card_visa": Card(),
    "pm_card_mastercard": Card(),
    "pm_card_authenticationRequired": Card(authenticates=True),
    "pm_card_visa_chargeDeclined": Card(declines="generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card(declines="insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": Card(declines="expired_card"),
}


@dataclass(slots=True, kw_only=True)
class Habits:
    """How the provider behaves at the moment; orders change it.

    `decline` and `refuse_capture` are how many confirmations and captures are still to be refused; `pending_refunds` how many refunds
    stay pending for `refund_takes` and end as `refund_ends`.
    """

    authentication_takes: timedelta = timedelta(minutes=1)
    always_authenticate: bool = False
    hold_lives: timedelta = timedelta(days=7)
    decline: int = 0
    refuse_capture: int = 0
    fail_authentication: int = 0
    pending_refunds: int = 0
    refund_takes: timedelta = timedelta(hours=1)
    refund_ends: str = "succeeded"


Tell = Callable[[str, Intent, dict[str, object]], None]
"""What happened, to which intent, and the object that a webhook of it shows."""


class Account:
    """One merchant's money. `tell` hears of every change as it happens."""

    def __init__(self, *, agenda: Agenda, draw: Random, habits: Habits, tell: Tell) -> None:
        self.intents: dict[str, Intent] = {}
        self.habits = habits
        self._refunds: dict[str, Refund] = {}
        self._agenda = agenda
        self._draw = draw
        self._tell = tell

    def new_id(self, prefix: str) -> str:
        """An id in Stripe's form, drawn from the seed."""
        return prefix + "".join(self._draw.choice(LETTERS) for _ in range(24))

    # what is asked of it

    def create(self, form: Form) -> dict[str, object]:
        """Make an intent, and confirm it where `confirm` says so.

        Raises:
            Refusal: a parameter is wrong, or the card declines.
        """
        only_known(form, _CREATE)
        amount, currency = _amount(form), (text_of(form, "currency") or "").lower()
        if len(currency) != 3 or not currency.isalpha():
            raise invalid("Missing required param: currency.", param="currency", code="parameter_missing")
        id_ = self.new_id("pi_3")
        intent = Intent(
            id=id_,
            amount=amount,
            currency=currency,
            created_at=self._agenda.now(),
            client_secret=f"{id_}_secret_{self.new_id('')}",
            capture_method=text_of(form, "capture_method") or "automatic",
            metadata=group_of(form, "metadata"),
            description=text_of(form, "description"),
        )
        self.intents[id_] = intent
        self._note(intent, "payment_intent.created", "created")
        if text_of(form, "payment_method") is not None:
            intent.payment_method = self._card_name(form)
            intent.status = IntentStatus.UNCONFIRMED
        return self._confirmed(intent) if text_of(form, "confirm") == "true" else intent.as_json()

    def retrieve(self, name: str, form: Form) -> dict[str, object]:
        """One intent; `expand[]=latest_charge` shows its charge.

        Raises:
            Refusal: there is none.
        """
        only_known(form, frozenset({"expand", "client_secret"}))
        intent = self._intent(name)
        return intent.as_json(expand_charge="latest_charge" in group_of(form, "expand").values())

    def confirm(self, name: str, form: Form) -> dict[str, object]:
        """The driver pays with a card.

        Raises:
            Refusal: the card declines, or the intent does not wait for one.
        """
        only_known(form, _CONFIRM)
        intent = self._intent(name)
        secret = text_of(form, "client_secret")
        if secret is not None and secret != intent.client_secret:
            raise invalid("The client_secret provided does not match", param="client_secret")
        if intent.status not in {IntentStatus.NO_METHOD, IntentStatus.UNCONFIRMED}:
            raise _unexpected(intent, "confirmed")
        if text_of(form, "payment_method") is not None:
            intent.payment_method = self._card_name(form)
        return self._confirmed(intent)

    def capture(self, name: str, form: Form) -> dict[str, object]:
        """Take the held money, or a part of it; the rest is let go.

        Raises:
            Refusal: nothing is held, it is too much, or the bank refuses.
        """
        only_known(form, frozenset({"amount_to_capture", "expand", "metadata"}))
        intent = self._intent(name)
        charge = intent.charge
        if intent.status is not IntentStatus.HELD or charge is None:
            raise _unexpected(intent, "captured")
        amount = whole_number(form, "amount_to_capture") or charge.amount
        if amount > charge.amount:
            raise invalid(
                "The amount_to_capture is more than the amount that can be captured",
                param="amount_to_capture",
                code="amount_too_large",
            )
        if self.habits.refuse_capture:
            self.habits.refuse_capture -= 1
            raise self._declined(intent, "generic_decline", did="capture_failed")
        charge.captured, intent.status = amount, IntentStatus.SUCCEEDED
        self._note(intent, "payment_intent.succeeded", "captured")
        return intent.as_json(expand_charge="latest_charge" in group_of(form, "expand").values())

    def cancel(self, name: str, form: Form) -> dict[str, object]:
        """Let the held money go, or end an intent that never held any.

        Raises:
            Refusal: the money was taken, or the intent is cancelled.
        """
        only_known(form, frozenset({"cancellation_reason", "expand"}))
        intent = self._intent(name)
        if intent.status not in {*OPEN, IntentStatus.HELD}:
            raise _unexpected(intent, "canceled")
        self._cancelled(intent, text_of(form, "cancellation_reason"), "canceled")
        return intent.as_json()

    def refund(self, form: Form) -> dict[str, object]:
        """Give money back.

        Raises:
            Refusal: there is none to give back, or it is more than was taken.
        """
        only_known(form, frozenset({"payment_intent", "amount", "metadata", "reason", "expand"}))
        intent = self._intent(text_of(form, "payment_intent") or "")
        charge = intent.charge
        if charge is None or not charge.captured:
            raise invalid("This PaymentIntent does not have a successful charge to refund.")
        if not intent.refundable:
            raise invalid(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
        amount = whole_number(form, "amount") or intent.refundable
        if amount > intent.refundable:
            raise invalid(
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({intent.refundable})",
                param="amount",
                code="amount_too_large",
            )
        refund = Refund(
            id=self.new_id("re_3"),
            intent=intent.id,
            charge=charge.id,
            amount=amount,
            currency=intent.currency,
            created_at=self._agenda.now(),
            metadata=group_of(form, "metadata"),
            reason=text_of(form, "reason"),
        )
        self._refunds[refund.id] = refund
        intent.refunds.append(refund)
        charge.refunded += amount
        self._begin_refund(intent, refund)
        return refund.as_json()

    def retrieve_refund(self, name: str, form: Form) -> dict[str, object]:
        """One refund.

        Raises:
            Refusal: there is none.
        """
        only_known(form, frozenset({"expand"}))
        if name not in self._refunds:
            raise missing("refund", name)
        return self._refunds[name].as_json()

    def refunds(self, form: Form) -> dict[str, object]:
        """The refunds of an intent (or all), newest first, in pages.

        Raises:
            Refusal: a parameter is wrong.
        """
        only_known(form, frozenset({"payment_intent", "limit", "starting_after", "expand"}))
        of = text_of(form, "payment_intent")
        found = [refund for refund in self._refunds.values() if of in (None, refund.intent)][::-1]
        last = text_of(form, "starting_after")
        if last is not None:
            places = [place for place, refund in enumerate(found) if refund.id == last]
            if not places:
                raise missing("refund", last)
            found = found[places[0] + 1 :]
        limit = min(whole_number(form, "limit") or PAGE, 100)
        return {
            "object": "list",
            "url": "/v1/refunds",
            "has_more": len(found) > limit,
            "data": [refund.as_json() for refund in found[:limit]],
        }

    # what happens by itself, or by order

    def authenticate(self, name: str, *, passed: bool) -> None:
        """The driver's authentication ends.

        Raises:
            Refusal: there is no such intent.
        """
        intent = self._intent(name)
        if intent.status is not IntentStatus.AUTHENTICATING:
            return
        if passed:
            self._held(intent)
            return
        intent.status, intent.payment_method = IntentStatus.NO_METHOD, None
        intent.last_error = {
            "type": "invalid_request_error",
            "code": "payment_intent_authentication_failure",
            "message": "The provided PaymentMethod has failed authentication.",
        }
        self._note(intent, "payment_intent.payment_failed", "authentication_failed")

    def lapse(self, name: str) -> None:
        """The hold on the money ends.

        Raises:
            Refusal: there is no such intent.
        """
        intent = self._intent(name)
        if intent.status is IntentStatus.HELD:
            self._cancelled(intent, "automatic", "lapsed")

    def _confirmed(self, intent: Intent) -> dict[str, object]:
        if intent.payment_method is None:
            raise invalid("You cannot confirm this PaymentIntent because it's missing a payment method.")
        card = CARDS[intent.payment_method]
        if self.habits.decline:
            self.habits.decline -= 1
            raise self._declined(intent, "generic_decline", did="declined")
        if card.declines is not None:
            raise self._declined(intent, card.declines, did="declined")
        intent.last_error = None
        if not card.authenticates and not self.habits.always_authenticate:
            self._held(intent)
            return intent.as_json()
        intent.status = IntentStatus.AUTHENTICATING
        self._note(intent, "payment_intent.requires_action", "authenticating")
        passed = not self.habits.fail_authentication
        self.habits.fail_authentication -= 0 if passed else 1
        self._agenda.after(
            self.habits.authentication_takes, lambda: self.authenticate(intent.id, passed=passed)
        )
        return intent.as_json()

    def _held(self, intent: Intent) -> None:
        now, lives = self._agenda.now(), self.habits.hold_lives
        manual = intent.capture_method == "manual"
        intent.charge = Charge(
            id=self.new_id("ch_3"),
            amount=intent.amount,
            created_at=now,
            capture_before=now + lives if manual else None,
        )
        if not manual:
            intent.charge.captured, intent.status = intent.amount, IntentStatus.SUCCEEDED
            self._note(intent, "payment_intent.succeeded", "captured")
            return
        intent.status = IntentStatus.HELD
        self._agenda.after(lives, lambda: self.lapse(intent.id))
        self._note(intent, "payment_intent.amount_capturable_updated", "held")

    def _cancelled(self, intent: Intent, reason: str | None, did: str) -> None:
        intent.status, intent.cancellation_reason = IntentStatus.CANCELED, reason
        intent.canceled_at = self._agenda.now()
        self._note(intent, "payment_intent.canceled", did)

    def _declined(self, intent: Intent, decline_code: str, *, did: str) -> Refusal:
        """The refusal that a declined card is; the intent waits for another card."""
        intent.status, intent.payment_method = IntentStatus.NO_METHOD, None
        intent.charge = None
        intent.last_error = {
            "type": "card_error",
            "code": "card_declined",
            "decline_code": decline_code,
            "message": "Your card was declined.",
        }
        self._note(intent, "payment_intent.payment_failed", did)
        return Refusal(
            402,
            "card_error",
            "Your card was declined.",
            code="card_declined",
            decline_code=decline_code,
            intent=intent.as_json(),
        )

    def _begin_refund(self, intent: Intent, refund: Refund) -> None:
        if self.habits.pending_refunds:
            self.habits.pending_refunds -= 1
            refund.status = "pending"
            ends = self.habits.refund_ends
            self._agenda.after(self.habits.refund_takes, lambda: self._end_refund(intent, refund, ends))
        self._note(intent, "refund.created", "refund_made", shown=refund.as_json())
        self._note(intent, "charge.refunded", "refunded", shown=intent.charge_as_json())

    def _end_refund(self, intent: Intent, refund: Refund, status: str) -> None:
        refund.status = status
        if status == "failed" and intent.charge is not None:
            intent.charge.refunded -= refund.amount
        kind = "refund.failed" if status == "failed" else "refund.updated"
        self._note(intent, kind, f"refund_{status}", shown=refund.as_json())

    def _note(self, intent: Intent, kind: str, did: str, *, shown: dict[str, object] | None = None) -> None:
        change: dict[str, object] = {
            "did": did,
            "status": str(intent.status),
            "received_minor": intent.received,
            "refunded_minor": intent.refunded,
            "at": self._agenda.now().isoformat(),
        }
        intent.history.append(change)
        self._tell(kind, intent, shown or intent.as_json())

    def _intent(self, name: str) -> Intent:
        if name not in self.intents:
            raise missing("payment_intent", name)
        return self.intents[name]

    def _card_name(self, form: Form) -> str:
        name = text_of(form, "payment_method") or ""
        if name not in CARDS:
            raise missing("PaymentMethod", name)
        return name


_CREATE = frozenset(
    {
        "amount",
        "currency",
        "capture_method",
        "confirm",
        "confirmation_method",
        "description",
        "expand",
        "metadata",
        "payment_method",
        "payment_method_types",
        "allowed_payment_method_types",
        "automatic_payment_methods",
        "return_url",
    }
)
_CONFIRM = frozenset({"payment_method", "client_secret", "return_url", "expand", "use_stripe_sdk", "key"})


def _amount(form: Form) -> int:
    amount = whole_number(form, "amount")
    if amount is None:
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    if amount < LEAST_AMOUNT:
        raise invalid("Amount must be at least 50 cents", param="amount", code="amount_too_small")
    if amount > MOST_AMOUNT:
        raise invalid("Amount must be no more than 999,999.99", param="amount", code="amount_too_large")
    return amount


def _unexpected(intent: Intent, wanted: str) -> Refusal:
    return Refusal(
        400,
        "invalid_request_error",
        f"This PaymentIntent could not be {wanted} because it has a status of {intent.status}.",
        code="payment_intent_unexpected_state",
        intent=intent.as_json(),
    )
