"""Every order of calls, answers, losses, looks and decisions: money is taken and given back exactly as decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloud.errors import Conflict
from cloud.payments.book import (
    Book,
    Taken,
    answered,
    ask_refund,
    created,
    hear,
    outstanding,
    refund_answered,
)
from cloud.payments.provider import (
    Answer,
    Done,
    IntentSeen,
    IntentState,
    RefundProgress,
    RefundSeen,
    RefusalReason,
    Refused,
    Unknown,
    UnknownWhy,
)
from cloud.payments.records import PaymentRecord, RefundRecord, asked_minor, booked_minor
from cloud.payments.refund_states import BOOKED, RefundState
from cloud.payments.standing import PaymentStatus
from sync.payment import PaymentAct, PaymentNews, PaymentStanding

PAYMENT = UUID(int=1)
LOT = UUID(int=2)
AMOUNT = 1_000
NO_ANSWER = Unknown(why=UnknownWhy.NO_ANSWER)


def new_book() -> Book:
    record = PaymentRecord(
        id=PAYMENT,
        lot=LOT,
        reservation=UUID(int=3),
        demand=None,
        amount_minor=AMOUNT,
        currency="EUR",
        standing=PaymentStanding.CREATING,
        status=PaymentStatus.PENDING,
    )
    return Book(payment=record)


@dataclass
class Bank:
    """A provider as small as can be: what it has of the one payment."""

    state: IntentState | None = None
    declined: bool = False
    captured: int = 0
    refunds: dict[str, RefundSeen] = field(default_factory=dict)

    def seen(self, *, looked: bool) -> IntentSeen:
        assert self.state is not None
        return IntentSeen(
            id="pi_1",
            payment=str(PAYMENT),
            state=self.state,
            amount_minor=AMOUNT,
            currency="EUR",
            captured_minor=self.captured,
            declined=self.declined,
            refunds=tuple(self.refunds.values()) if looked else None,
        )

    def do(self, act: PaymentAct) -> Answer[IntentSeen]:
        if act is PaymentAct.CREATE:
            self.state = self.state or IntentState.AWAITING
        elif self.state is None:
            return Refused(reason=RefusalReason.NO_SUCH)
        elif act is PaymentAct.CAPTURE:
            if self.state is not IntentState.AUTHORISED:
                return Refused(reason=RefusalReason.WRONG_STATE)
            self.state, self.captured = IntentState.CAPTURED, AMOUNT
        elif act is PaymentAct.CANCEL:
            if self.state not in (IntentState.AUTHORISED, IntentState.AWAITING):
                return Refused(reason=RefusalReason.WRONG_STATE)
            self.state = IntentState.CANCELLED
        return Done(seen=self.seen(looked=act is PaymentAct.LOOK_UP))

    def refund(self, id_: UUID, amount: int) -> Answer[RefundSeen]:
        known = next((one for one in self.refunds.values() if one.refund == str(id_)), None)
        if known is not None:
            return Done(seen=known)
        left = self.captured - sum(
            one.amount_minor for one in self.refunds.values() if one.progress is not RefundProgress.FAILED
        )
        if amount > left:
            return Refused(reason=RefusalReason.TOO_MUCH, detail="too much")
        name = f"re_{len(self.refunds)}"
        made = RefundSeen(id=name, refund=str(id_), amount_minor=amount, progress=RefundProgress.PENDING)
        self.refunds[name] = made
        return Done(seen=made)


class AnyOrder(RuleBasedStateMachine):
    """Calls are made, done at the bank, answered, or their answers lost, in any order; looks may be stale."""

    def __init__(self) -> None:
        super().__init__()
        self.book = new_book()
        self.bank = Bank()
        self.to_call: list[PaymentAct | UUID] = [PaymentAct.CREATE]
        self.answers: list[tuple[PaymentAct | UUID, Answer[IntentSeen] | Answer[RefundSeen]]] = []
        self.refused: dict[UUID, str] = {}
        self.decided: PaymentNews | None = None
        self.booked: Counter[UUID] = Counter()
        self.unbooked: Counter[UUID] = Counter()
        self.owed = False
        self.next_refund = 100

    def take(self, taken: Taken) -> None:
        self.book = taken.book
        calls = [act for act in taken.acts if act in set(PaymentAct) - {PaymentAct.REFUND}]
        self.to_call += [
            act
            for act in calls
            if act in (PaymentAct.CREATE, PaymentAct.LOOK_UP, PaymentAct.CAPTURE, PaymentAct.CANCEL)
        ]
        self.to_call += taken.calls
        self.owed = self.owed or PaymentAct.RECORD_RECEIVABLE in taken.acts
        for refund in taken.booked:
            (self.booked if refund.state in BOOKED else self.unbooked)[refund.id] += 1

    # the driver and the bank

    @precondition(lambda self: self.bank.state is IntentState.AWAITING)
    @rule()
    def the_driver_pays(self) -> None:
        self.bank.state, self.bank.declined = IntentState.AUTHORISED, False

    @precondition(lambda self: self.bank.state is IntentState.AWAITING)
    @rule()
    def the_card_is_declined(self) -> None:
        self.bank.declined = True

    @precondition(lambda self: self.bank.state is IntentState.AUTHORISED)
    @rule()
    def the_hold_lapses(self) -> None:
        self.bank.state = IntentState.CANCELLED

    @precondition(lambda self: self.bank.refunds)
    @rule(ends=st.sampled_from([RefundProgress.SUCCEEDED, RefundProgress.FAILED]))
    def a_refund_ends(self, ends: RefundProgress) -> None:
        name, refund = next(iter(self.bank.refunds.items()))
        if refund.progress is RefundProgress.PENDING:
            self.bank.refunds[name] = replace(refund, progress=ends)

    # the coordinator and people

    @precondition(lambda self: self.decided is None)
    @rule()
    def the_booking_is_aborted(self) -> None:
        self.decided = PaymentNews.DECIDED_ABORTED
        self.take(hear(self.book, self.decided))

    @precondition(
        lambda self: self.decided is None and self.book.payment.standing is PaymentStanding.AUTHORISED
    )
    @rule()
    def the_booking_is_committed(self) -> None:
        self.decided = PaymentNews.DECIDED_COMMITTED
        self.take(hear(self.book, self.decided))

    @precondition(lambda self: self.book.payment.standing is PaymentStanding.CAPTURED)
    @rule()
    def the_booking_is_cancelled(self) -> None:
        self.take(hear(self.book, PaymentNews.REFUND_DUE))

    @precondition(lambda self: self.book.payment.captured_minor > 0)
    @rule(amount=st.sampled_from([300, 300, 700]))
    def a_person_gives_money_back(self, amount: int) -> None:
        self.next_refund += 1
        try:
            self.take(ask_refund(self.book, UUID(int=self.next_refund), amount, "kindness"))
        except Conflict:
            assert amount > self.book.payment.captured_minor - asked_minor(self.book.refunds)

    # the wire

    @precondition(lambda self: self.to_call)
    @rule(which=st.integers(0, 50), lost=st.sampled_from(["no", "no", "on the way there", "on the way back"]))
    def a_call_is_made(self, which: int, lost: str) -> None:
        call = self.to_call.pop(which % len(self.to_call))
        answer: Answer[IntentSeen] | Answer[RefundSeen] = NO_ANSWER
        if lost != "on the way there":
            answer = self._at_bank(call)
        self.answers.append((call, NO_ANSWER if lost == "on the way back" else answer))

    def _at_bank(self, call: PaymentAct | UUID) -> Answer[IntentSeen] | Answer[RefundSeen]:
        if isinstance(call, UUID):
            amount = next(one.amount_minor for one in self.book.refunds if one.id == call)
            return self.bank.refund(call, amount)
        return self.bank.do(call)

    @precondition(lambda self: self.answers)
    @rule(which=st.integers(0, 50))
    def an_answer_comes(self, which: int) -> None:
        self._answer(self.answers.pop(which % len(self.answers)))

    @rule()
    def a_webhook_makes_us_look(self) -> None:
        self.to_call += outstanding(self.book)

    def _answer(self, told: tuple[PaymentAct | UUID, Answer[IntentSeen] | Answer[RefundSeen]]) -> None:
        call, answer = told
        if isinstance(call, UUID):
            self._answer_refund(answer)
        elif call is PaymentAct.CREATE:
            self.take(created(self.book, _of_intent(answer)))
        else:
            self.take(answered(self.book, call, _of_intent(answer)))

    def _answer_refund(self, answer: Answer[IntentSeen] | Answer[RefundSeen]) -> None:
        if isinstance(answer, Done):
            assert isinstance(answer.seen, RefundSeen)
            self.take(refund_answered(self.book, Done(seen=answer.seen)))
        else:
            self.take(refund_answered(self.book, answer))

    # what must hold

    @invariant()
    def money_is_taken_only_for_a_commit(self) -> None:
        if self.bank.captured:
            assert self.decided is PaymentNews.DECIDED_COMMITTED

    @invariant()
    def no_refund_is_made_or_booked_twice(self) -> None:
        ours = Counter(refund.refund for refund in self.bank.refunds.values())
        assert all(count == 1 for count in ours.values())
        assert all(count == 1 for count in self.booked.values())
        assert all(self.booked[refund] == count for refund, count in self.unbooked.items())

    @invariant()
    def no_more_goes_back_than_was_taken(self) -> None:
        assert booked_minor(self.book.refunds) <= self.book.payment.captured_minor
        assert asked_minor(self.book.refunds) <= max(self.book.payment.captured_minor, 0)

    def teardown(self) -> None:
        """Faults stop; whoever is due looks: everybody must end with the same picture."""
        while self.answers:
            self._answer(self.answers.pop())
        for _ in range(12):
            self.to_call += outstanding(self.book)
            while self.to_call:
                call = self.to_call.pop(0)
                self._answer((call, self._at_bank(call)))
        for name, refund in list(self.bank.refunds.items()):
            if refund.progress is RefundProgress.PENDING:
                self.bank.refunds[name] = replace(refund, progress=RefundProgress.SUCCEEDED)
        self._answer((PaymentAct.LOOK_UP, self.bank.do(PaymentAct.LOOK_UP)))
        self._at_the_end()

    def _at_the_end(self) -> None:
        payment, bank = self.book.payment, self.bank
        there = {refund.refund: refund for refund in bank.refunds.values()}
        assert not [row for row in self.book.refunds if row.state is RefundState.ASKED]
        for row in self.book.refunds:
            assert str(row.id) in there or row.state is RefundState.FAILED
        if self.decided is PaymentNews.DECIDED_COMMITTED:
            assert bank.state in (IntentState.CAPTURED, IntentState.CANCELLED)
            assert (bank.state is IntentState.CANCELLED) == self.owed
            assert payment.captured_minor == bank.captured
        elif self.decided is PaymentNews.DECIDED_ABORTED:
            assert bank.state is IntentState.CANCELLED
            assert payment.standing is PaymentStanding.VOID
        elif bank.state is IntentState.AUTHORISED:
            assert payment.standing is PaymentStanding.AUTHORISED
        if payment.standing is PaymentStanding.REFUNDING:
            assert booked_minor(self.book.refunds) < payment.captured_minor
        if 0 < payment.captured_minor <= booked_minor(self.book.refunds):
            assert payment.status is PaymentStatus.REFUNDED


def _of_intent(answer: Answer[IntentSeen] | Answer[RefundSeen]) -> Answer[IntentSeen]:
    if isinstance(answer, Done):
        assert isinstance(answer.seen, IntentSeen)
        return Done(seen=answer.seen)
    return answer


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=300, stateful_step_count=40)


# single sentences


def captured_book() -> Book:
    book = hear(
        replace(
            new_book(),
            payment=replace(new_book().payment, standing=PaymentStanding.AUTHORISED, intent="pi_1"),
        ),
        PaymentNews.DECIDED_COMMITTED,
    ).book
    bank = Bank(state=IntentState.AUTHORISED)
    return answered(book, PaymentAct.CAPTURE, bank.do(PaymentAct.CAPTURE)).book


def test_two_equal_refunds_are_two_and_one_asked_twice_is_one() -> None:
    book = captured_book()
    for refund in (UUID(int=10), UUID(int=11), UUID(int=11)):
        book = ask_refund(book, refund, 400, "").book
    assert [row.amount_minor for row in book.refunds] == [400, 400]


def test_an_id_of_another_refund_and_too_much_are_refused_by_name() -> None:
    book = ask_refund(captured_book(), UUID(int=10), 400, "").book
    with pytest.raises(Conflict, match="was of 400"):
        ask_refund(book, UUID(int=10), 401, "")
    with pytest.raises(Conflict, match="only 600 is left"):
        ask_refund(book, UUID(int=12), 601, "")
    with pytest.raises(Conflict):
        ask_refund(book, UUID(int=12), 0, "")


def test_a_refund_made_at_the_providers_console_is_taken_in_once_and_told() -> None:
    bank = Bank(state=IntentState.CAPTURED, captured=AMOUNT)
    bank.refunds["re_x"] = RefundSeen(
        id="re_x", refund="", amount_minor=AMOUNT, progress=RefundProgress.SUCCEEDED
    )
    first = answered(captured_book(), PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP))
    second = answered(first.book, PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP))
    assert (len(first.booked), len(second.booked)) == (1, 0)
    assert first.alarms
    assert second.book.payment.status is PaymentStatus.REFUNDED


def test_a_refund_that_the_bank_sends_back_is_taken_off_the_books() -> None:
    book = ask_refund(captured_book(), UUID(int=10), AMOUNT, "").book
    bank = Bank(state=IntentState.CAPTURED, captured=AMOUNT)
    book = refund_answered(book, bank.refund(UUID(int=10), AMOUNT)).book
    assert book.payment.status is PaymentStatus.REFUNDED
    bank.refunds["re_0"] = replace(bank.refunds["re_0"], progress=RefundProgress.FAILED)
    taken = answered(book, PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP))
    assert taken.book.payment.status is PaymentStatus.COMPLETED
    assert taken.alarms == (f"refund {UUID(int=10)} failed at the bank",)


def test_a_refusal_is_not_believed_before_a_look() -> None:
    book = ask_refund(captured_book(), UUID(int=10), AMOUNT, "").book
    bank = Bank(state=IntentState.CAPTURED, captured=AMOUNT)
    bank.refund(UUID(int=10), AMOUNT)
    refused = refund_answered(book, Refused(reason=RefusalReason.NOTHING_LEFT))
    assert refused.acts == (PaymentAct.LOOK_UP,)
    looked = answered(
        refused.book, PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP), refused={UUID(int=10): "nothing left"}
    )
    assert [row.state for row in looked.book.refunds] == [RefundState.PENDING]


def test_a_refund_that_is_refused_and_not_there_has_failed() -> None:
    book = ask_refund(captured_book(), UUID(int=10), AMOUNT, "").book
    bank = Bank(state=IntentState.CAPTURED, captured=AMOUNT)
    looked = answered(
        book, PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP), refused={UUID(int=10): "card is closed"}
    )
    assert looked.book.refunds == (
        RefundRecord(
            id=UUID(int=10),
            payment=PAYMENT,
            amount_minor=AMOUNT,
            state=RefundState.FAILED,
            reason="card is closed",
        ),
    )


@pytest.mark.parametrize(
    "change", [{"payment": str(UUID(int=9))}, {"payment": ""}, {"amount_minor": 1}, {"currency": "USD"}]
)
def test_an_answer_about_another_payment_changes_nothing_and_alarms(change: dict[str, object]) -> None:
    book = new_book()
    seen = replace(Bank(state=IntentState.CAPTURED, captured=AMOUNT).seen(looked=True), **change)  # type: ignore[arg-type]  # a table of changes
    for taken in (created(book, Done(seen=seen)), answered(book, PaymentAct.LOOK_UP, Done(seen=seen))):
        assert taken.book == book
        assert taken.alarms


def test_a_failure_kept_by_the_provider_is_left_behind_with_the_next_attempt() -> None:
    taken = created(new_book(), Unknown(why=UnknownWhy.STORED_FAILURE))
    assert taken.book.payment.attempt == 2
    assert created(new_book(), NO_ANSWER).book.payment.attempt == 1


def test_a_create_that_is_refused_has_failed_and_is_not_tried_again() -> None:
    taken = created(new_book(), Refused(reason=RefusalReason.NOT_UNDERSTOOD, detail="amount too small"))
    assert taken.book.payment.status is PaymentStatus.FAILED
    assert outstanding(taken.book) == ()


@pytest.mark.parametrize("act", [PaymentAct.CAPTURE, PaymentAct.CANCEL])
def test_an_unknown_answer_is_followed_by_a_look_and_never_by_the_same_call(act: PaymentAct) -> None:
    news = {
        PaymentAct.CAPTURE: PaymentNews.DECIDED_COMMITTED,
        PaymentAct.CANCEL: PaymentNews.DECIDED_ABORTED,
    }
    held = replace(new_book().payment, standing=PaymentStanding.AUTHORISED, intent="pi_1")
    asked = hear(replace(new_book(), payment=held), news[act])
    assert asked.acts == (act,)
    assert answered(asked.book, act, NO_ANSWER).acts == (PaymentAct.LOOK_UP,)
    wrong_state = Refused(reason=RefusalReason.WRONG_STATE)
    assert answered(asked.book, act, wrong_state).acts == (PaymentAct.LOOK_UP,)
    looked = answered(asked.book, PaymentAct.LOOK_UP, NO_ANSWER)
    assert (looked.acts, looked.book.payment.unanswered) == ((), 1)


def test_a_look_that_comes_late_takes_no_captured_money_off_the_book() -> None:
    stale = Done(seen=Bank(state=IntentState.AUTHORISED).seen(looked=True))
    taken = answered(captured_book(), PaymentAct.LOOK_UP, stale)
    assert (taken.book.payment.captured_minor, taken.acts) == (AMOUNT, ())
    assert taken.book == captured_book()


def test_money_that_the_bank_sends_back_to_us_is_given_back_again_under_another_id() -> None:
    bank = Bank(state=IntentState.CAPTURED, captured=AMOUNT)
    due = hear(captured_book(), PaymentNews.REFUND_DUE)
    book = refund_answered(due.book, bank.refund(due.calls[0], AMOUNT)).book
    bank.refunds["re_0"] = replace(bank.refunds["re_0"], progress=RefundProgress.FAILED)
    again = answered(book, PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP))
    assert len(again.calls) == 1
    assert again.calls != due.calls
    assert [row.state for row in again.book.refunds] == [RefundState.FAILED, RefundState.ASKED]
    book = refund_answered(again.book, bank.refund(again.calls[0], AMOUNT)).book
    assert book.payment.status is PaymentStatus.REFUNDED
    bank.refunds["re_1"] = replace(bank.refunds["re_1"], progress=RefundProgress.SUCCEEDED)
    end = answered(book, PaymentAct.LOOK_UP, bank.do(PaymentAct.LOOK_UP)).book
    assert end.payment.standing is PaymentStanding.REFUNDED


def test_a_capture_that_the_bank_refuses_is_owed() -> None:
    held = replace(new_book().payment, standing=PaymentStanding.AUTHORISED, intent="pi_1")
    asked = hear(replace(new_book(), payment=held), PaymentNews.DECIDED_COMMITTED)
    taken = answered(asked.book, PaymentAct.CAPTURE, Refused(reason=RefusalReason.DECLINED, detail="no"))
    assert taken.acts == (PaymentAct.RECORD_RECEIVABLE,)
    assert (taken.book.payment.standing, taken.book.payment.refusal) == (PaymentStanding.RECEIVABLE, "no")
