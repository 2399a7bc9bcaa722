"""One pursuit of a payment: the calls that are left, each no more often than it may be made before the row is due again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from sync.payment import PaymentAct

CALLS = frozenset({PaymentAct.CREATE, PaymentAct.LOOK_UP, PaymentAct.CAPTURE, PaymentAct.CANCEL})
TOLD = frozenset(
    {
        PaymentAct.TELL_AUTHORISED,
        PaymentAct.TELL_LOST,
        PaymentAct.TELL_CAPTURED,
        PaymentAct.RECORD_RECEIVABLE,
    }
)
MOST_TIMES = {PaymentAct.CREATE: 2, PaymentAct.LOOK_UP: 3, PaymentAct.CAPTURE: 1, PaymentAct.CANCEL: 1}
"""In one pursuit. The rest comes when the row is due again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is left to do about a payment, after a commit."""

    payment: UUID
    acts: tuple[PaymentAct, ...] = ()
    refunds: tuple[UUID, ...] = ()


class Pursuit:
    """What one pursuit has still to do, and how often it has done what. It ends: each act has a bound."""

    def __init__(self, work: Work) -> None:
        self.payment = work.payment
        self.refused: dict[UUID, str] = {}
        self.told: list[PaymentAct] = []
        self.client_secret = ""
        self._acts: list[PaymentAct] = []
        self._refunds: list[UUID] = []
        self._asked_refunds: set[UUID] = set()
        self._times: Counter[PaymentAct] = Counter()
        self.add(work)

    def add(self, work: Work) -> None:
        """More to do."""
        self.told += [act for act in work.acts if act in TOLD]
        self._acts += [act for act in work.acts if act in CALLS and act not in self._acts]
        self._refunds += [one for one in work.refunds if one not in self._asked_refunds | set(self._refunds)]

    def next_act(self) -> PaymentAct | None:
        """The next call; None: all is done, or done as often as one pursuit does it."""
        while self._acts:
            act = self._acts.pop(0)
            if self._times[act] < MOST_TIMES[act]:
                self._times[act] += 1
                return act
        return PaymentAct.REFUND if self._refunds else None

    def next_refund(self) -> UUID:
        """The refund to ask for; once in a pursuit."""
        refund = self._refunds.pop(0)
        self._asked_refunds.add(refund)
        return refund

    def take_refused(self) -> dict[UUID, str]:
        """Refunds that were refused since the last look."""
        refused, self.refused = self.refused, {}
        return refused
