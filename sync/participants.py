"""Every transaction that a lot takes part in, with the timers of its doubts. The machine of one is sync/participant.py.

Theory. Rows live until their window's end + 30 days. A doubt asks first when the coordinator's deadline is over (at once after a start, since
nobody knows how long the lot was away), then again after 15 s, doubling up to 60 s, each wait drawn from its upper half, so that a thousand
lots whose line comes back do not ask at once. Timers are not durable: they only decide when a question is asked.

The highest revision seen of a reservation wins: an older pass is judged by what became of the newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from parking.book import Book
from parking.conflicts import LONG_AGO
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from sync.part import DOUBTS, LotStanding, Moment, Part, ParticipantState
from sync.participant import Context, ParticipantSignal, step
from sync.participant_news import (
    Cancelled,
    Changed,
    Commit,
    Decided,
    LinkIsOpen,
    OperatorDecides,
    ParticipantEffect,
    ParticipantNews,
    PassShown,
    PrepareArrived,
    TimePassed,
)
from sync.transaction import TransactionId

FIRST_INQUIRY_S = 15.0
LAST_INQUIRY_S = 60.0
KEPT_AFTER_WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A transaction whose decision is not known here. `overdue`: the coordinator's deadline is over."""

    part: Part
    overdue: bool


@dataclass(slots=True)
class _Timer:
    """Real seconds: when the deadline is over, when to ask next, how often was asked."""

    overdue_s: float
    ask_s: float
    asked: int = 0


class Participants:
    """A lot's side of every commit. Memory moves at once; the shell commits each `Commit` in the same turn, or the process ends."""

    def __init__(
        self,
        book: Book,
        *,
        new_claim: Callable[[], ClaimId],
        random: Random,
        parts: Iterable[Part] = (),
        now_s: float = 0.0,
    ) -> None:
        """`parts` are the rows that the store kept."""
        self._book = book
        self._new_claim = new_claim
        self._random = random
        self._parts: dict[TransactionId, Part] = {}
        self._timers: dict[TransactionId, _Timer] = {}
        for part in parts:
            self._note(part, _Timer(overdue_s=now_s, ask_s=now_s))

    def part(self, transaction: TransactionId) -> Part:
        """What is known of a transaction; in state NONE where nothing is."""
        return self._parts.get(transaction, Part(id=transaction))

    def parts(self) -> Sequence[Part]:
        """Everything that is known."""
        return list(self._parts.values())

    def take_in(self, part: Part) -> None:
        """A row that was decided without asking anybody: a sale of the lot's own."""
        self._note(part, _Timer(overdue_s=0.0, ask_s=0.0))

    def doubts(self, now_s: float) -> Sequence[Doubt]:
        """What is to be decided elsewhere, the oldest first."""
        doubts = [
            Doubt(part=self._parts[each], overdue=timer.overdue_s <= now_s)
            for each, timer in self._timers.items()
        ]
        return sorted(doubts, key=lambda doubt: (doubt.part.prepared_at or LONG_AGO, doubt.part.id))

    def timer(self) -> float | None:
        """The monotonic instant at which to give `TimePassed`; None: no doubt waits. Windows that end are for the civil clock."""
        return min((timer.ask_s for timer in self._timers.values()), default=None)

    def step(
        self, news: ParticipantNews | Changed | LinkIsOpen | TimePassed, now: Moment, lot: LotStanding
    ) -> tuple[ParticipantEffect, ...]:
        """What is to be done, in order. Commit every `Commit` before anything else is given."""
        match news:
            case LinkIsOpen():
                return self._ask_all(ParticipantSignal.LINK_OPENED, list(self._timers), now, lot)
            case TimePassed(linked=linked):
                return self._time_passed(now, lot, linked=linked)
            case Cancelled(id=cancelled):
                older = [
                    each
                    for each in self._parts
                    if each.reservation == cancelled.reservation and each.revision < cancelled.revision
                ]
                steps = [
                    self._one(each, Cancelled(id=each, used=news.used), now, lot)
                    for each in (*older, cancelled)
                ]
                return tuple(effect for effects in steps for effect in effects)
            case Changed():
                return self._changed(news, now, lot)
            case PassShown(id=shown):
                return self._one(self._newest(shown), news, now, lot)
            case PrepareArrived(prepare=prepare):
                asked = TransactionId(reservation=prepare.reservation, revision=prepare.revision)
                effects = self._one(asked, news, now, lot)
                timer = self._timers.get(asked)
                if timer is not None and any(isinstance(effect, Commit) for effect in effects):
                    timer.overdue_s = timer.ask_s = now.real_s + prepare.left_ms / 1_000
                return effects
            case Decided(id=decided) | OperatorDecides(id=decided):
                return self._one(decided, news, now, lot)

    def forget(self, now: Moment) -> Sequence[TransactionId]:
        """Drop what ended long ago, except doubts; the ids, to be dropped from the store as well."""
        old = [
            each
            for each, part in self._parts.items()
            if part.state not in DOUBTS
            and part.window is not None
            and part.window.ends_at is not None
            and part.window.ends_at + KEPT_AFTER_WINDOW < now.lower_at
        ]
        for each in old:
            del self._parts[each]
        return old

    def _one(
        self,
        transaction: TransactionId,
        news: ParticipantNews | ParticipantSignal,
        now: Moment,
        lot: LotStanding,
    ) -> tuple[ParticipantEffect, ...]:
        part = self.part(transaction)
        asked = news.prepare.type if isinstance(news, PrepareArrived) else part.type
        context = Context(
            book=self._book,
            now=now,
            lot=lot,
            overdue=self._overdue(asked, now.real_s),
            new_claim=self._new_claim,
        )
        after, effects = step(part, news, context)
        if after != part and after.state is not ParticipantState.NONE:
            self._note(after, _Timer(overdue_s=now.real_s, ask_s=now.real_s + FIRST_INQUIRY_S))
        return effects

    def _note(self, part: Part, timer: _Timer) -> None:
        self._parts[part.id] = part
        if part.state in DOUBTS:
            self._timers.setdefault(part.id, timer)
        else:
            self._timers.pop(part.id, None)

    def _changed(self, news: Changed, now: Moment, lot: LotStanding) -> tuple[ParticipantEffect, ...]:
        """Earlier revisions keep what lies in the new window: one that lies outside is cancelled, one that reaches out of it is cut."""
        effects: list[ParticipantEffect] = []
        for part in self.parts():
            is_earlier = part.id.reservation == news.id.reservation and part.id.revision < news.id.revision
            if not is_earlier or part.state is not ParticipantState.COMM or part.window is None:
                continue
            if not part.window.overlaps(news.window):
                effects += self._one(part.id, Cancelled(id=part.id, used=False), now, lot)
            elif not news.window.covers(part.window):
                effects.append(self._cut(part, news.window))
        return tuple(effects)

    def _cut(self, part: Part, window: Interval) -> Commit:
        """Somebody inside keeps the claim as it is: a stay is never shortened from afar."""
        used = {stay.claim for stay in self._book.open_stays()}
        claims = [
            claim.with_window(claim.window.within(window))
            for claim in self._book.claims()
            if claim.id == part.claim and claim.id not in used and claim.window.overlaps(window)
        ]
        after = part if part.window is None else replace(part, window=part.window.within(window))
        self._parts[part.id] = after
        return Commit(part=after, claims=tuple(claims))

    def _newest(self, shown: TransactionId) -> TransactionId:
        decided = [
            part.id
            for part in self._parts.values()
            if part.id.reservation == shown.reservation
            and part.id.revision > shown.revision
            and part.state in {ParticipantState.COMM, ParticipantState.CANC}
        ]
        return max(decided, default=shown)

    def _overdue(self, spot_type: SpotType | str | None, now_s: float) -> int:
        return sum(
            1
            for each, timer in self._timers.items()
            if timer.overdue_s <= now_s
            and self._parts[each].type == spot_type
            and self._parts[each].state is ParticipantState.PREP
        )

    def _time_passed(self, now: Moment, lot: LotStanding, *, linked: bool) -> tuple[ParticipantEffect, ...]:
        ended = [each for each in self._timers if self._holds_past_its_window(self._parts[each], now)]
        effects = self._ask_all(ParticipantSignal.WINDOW_ENDED, ended, now, lot)
        if not linked:
            return effects
        due = [each for each, timer in self._timers.items() if timer.ask_s <= now.real_s]
        return (*effects, *self._ask_all(ParticipantSignal.INQUIRY_DUE, due, now, lot))

    def _holds_past_its_window(self, part: Part, now: Moment) -> bool:
        if part.claim is None or part.window is None or part.window.ends_at is None:
            return False
        held = {claim.id for claim in self._book.claims()} if part.window.ends_at <= now.lower_at else set()
        return part.claim in held

    def _ask_all(
        self, signal: ParticipantSignal, transactions: Sequence[TransactionId], now: Moment, lot: LotStanding
    ) -> tuple[ParticipantEffect, ...]:
        effects: list[ParticipantEffect] = []
        for each in transactions:
            effects += self._one(each, signal, now, lot)
            if signal is not ParticipantSignal.WINDOW_ENDED and each in self._timers:
                self._asked(self._timers[each], now.real_s)
        return tuple(effects)

    def _asked(self, timer: _Timer, now_s: float) -> None:
        longest_s = min(LAST_INQUIRY_S, FIRST_INQUIRY_S * 2.0 ** min(timer.asked, 10))
        timer.asked += 1
        timer.ask_s = now_s + self._random.uniform(longest_s / 2, longest_s)
