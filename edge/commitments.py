"""The lot's side of every commit at work: the hands of `sync.participants`. Story "booking": next files sync/participant.py, edge/ledger.py.

Theory. What the machine says is carried out in the same turn of the loop: the change goes into the ledger's memory at once, so that two lanes
and a prepare never contradict, and to the disk; its words (a vote, an acknowledgement) leave when the disk has it and not before. Words
belong to the session in which they were said: when that is over they are dropped, since the next session begins by voting and asking
again about everything in doubt. A frame that cannot be understood is counted by name and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum
from functools import partial
from random import Random

import structlog

from edge.change import Change, Conflict, PartChanged, StoredDocument
from edge.configuration import CancelledBy
from edge.ledger import Ledger
from edge.writer import is_written
from parking.clock import TrustedClock
from parking.errors import NoSuchSpot
from parking.ids import ClaimId
from parking.interval import Interval
from parking.stays import Credential, CredentialKind
from sync.errors import MalformedFrame
from sync.failpoints import Failpoints
from sync.messages import Answer, Decision, FromParticipant, Prepare
from sync.part import LotStanding, Moment, Part, ParticipantState
from sync.participant_news import (
    Cancelled,
    Changed,
    Commit,
    Decided,
    Fence,
    Honour,
    LinkIsOpen,
    OperatorDecides,
    ParticipantEffect,
    PassShown,
    PrepareArrived,
    Say,
    TimePassed,
)
from sync.participants import Doubt, Participants
from sync.rows import claim_from_row
from sync.tokens import TokenKind
from sync.transaction import Outcome, TransactionId

LOG = structlog.stdlib.get_logger("edge.commitments")

BEFORE_PREPARED = "edge.commit.before_prepared"
PREPARED = "edge.commit.prepared"
BEFORE_APPLIED = "edge.commit.before_applied"
APPLIED = "edge.commit.applied"

LONGEST_WAIT_S = 30.0

Speaker = Callable[[FromParticipant], None]
"""Sends a frame in one session, as long as that session stands."""

News = PrepareArrived | Decided | PassShown | OperatorDecides | Cancelled | Changed | LinkIsOpen | TimePassed


class Undecided(Enum):
    """The answer to an inquiry that came too early."""

    UNDECIDED = "undecided"


UNDECIDED = Undecided.UNDECIDED


class Commitments:
    """Keeps the lot's word. All methods belong to the event loop's thread."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: TrustedClock,
        new_id: Callable[[], str],
        random: Random,
        failpoints: Failpoints,
    ) -> None:
        """Everything in doubt is known again from the ledger."""
        self._ledger = ledger
        self._clock = clock
        self._failpoints = failpoints
        self._speaker: Speaker | None = None
        self._woken = asyncio.Event()
        self.refused: Counter[str] = Counter()
        self._participants = Participants(
            ledger.book,
            new_claim=lambda: ClaimId(new_id()),
            random=random,
            parts=ledger.parts(),
            now_s=clock.monotonic(),
        )

    # The line

    def link_opened(self, speaker: Speaker) -> None:
        """A session stands, and `speaker` speaks in it: vote and ask again about everything in doubt."""
        self._speaker = speaker
        self._step(LinkIsOpen())

    def link_lost(self) -> None:
        """The session is over."""
        self._speaker = None

    def hear(self, frame: Prepare | Decision | Answer) -> None:
        """A frame of the commit came in the session of the moment."""
        try:
            news = _news_of(frame)
        except MalformedFrame as error:
            self._refuse("malformed", error.field)
            return
        if news is UNDECIDED:
            return  # it is asked again when its time comes
        if isinstance(news, Decided) and not self._has_its_spot(news):
            self._refuse("unknown_spot", str(news.id))
        else:
            self._step(news)

    # What else ends a doubt

    def sold_here(self, part: Part) -> None:
        """A booking that the lot sold itself stands: its pass is honoured, its cancellation heard. The caller commits the row."""
        self._participants.take_in(part)

    def pass_shown(self, shown: PassShown) -> Honour:
        """A pass is at a lane: commit from it what is not committed yet. On record before what the lane writes next."""
        return next(effect for effect in self._step(shown) if isinstance(effect, Honour))

    def decided_by_hand(self, transaction: TransactionId, outcome: Outcome, *, by: str, reason: str) -> bool:
        """A person ends a doubt; the answer is whether there was one."""
        known = self._participants.part(transaction)
        self._step(OperatorDecides(id=transaction, outcome=outcome, by=by, reason=reason))
        return self._participants.part(transaction) != known

    async def document(self, news: Decided | CancelledBy | Changed, stored: StoredDocument) -> None:
        """A decision, a cancellation or a change from the centre's list: applied with its number in one change; durable on return.

        Raises:
            MalformedFrame: it names a spot that this lot does not have.
        """
        if isinstance(news, Decided) and not self._has_its_spot(news):
            raise MalformedFrame("decision.claim.spot", "this lot has no such spot")
        if isinstance(news, CancelledBy):
            used = self._was_used(news.id.reservation)
            self._step(Cancelled(id=news.id, used=used), document=stored)
        else:
            self._step(news, document=stored)
        await self._ledger.durable()

    # What is so

    def doubts(self) -> Sequence[Doubt]:
        """What is to be decided elsewhere, the oldest first."""
        return self._participants.doubts(self._clock.monotonic())

    def oldest_doubt_s(self) -> float:
        """Civil seconds since the oldest doubt began; 0 where there is none."""
        now = self._clock.now()
        began = (doubt.part.prepared_at or now for doubt in self.doubts())
        return max((max(0.0, (now - at).total_seconds()) for at in began), default=0.0)

    def knows(self, transaction: TransactionId) -> bool:
        """Whether this lot has anything on record of a booking."""
        return self._participants.part(transaction).state is not ParticipantState.NONE

    def newest_revision(self, reservation: str) -> int:
        """The highest revision of a reservation that stands here; 1 where none is known."""
        return max(
            (
                part.id.revision
                for part in self._participants.parts()
                if part.id.reservation == reservation and part.state is ParticipantState.COMM
            ),
            default=1,
        )

    def gave_up(self, shown: PassShown, arrived: Interval) -> bool:
        """Whether a later revision stands here that has nothing of the time `arrived`: the pass is of a window that was given up since."""
        standing = [
            part
            for part in self._participants.parts()
            if part.id.reservation == shown.id.reservation and part.state is ParticipantState.COMM
        ]
        is_older = any(part.id.revision > shown.id.revision for part in standing)
        return is_older and not any(part.window and part.window.overlaps(arrived) for part in standing)

    def booked_until(self, reservation: str) -> datetime | None:
        """When the last window ends that a reservation has here; None where none stands."""
        ends = [
            part.window.ends_at
            for part in self._participants.parts()
            if part.id.reservation == reservation and part.state is ParticipantState.COMM and part.window
        ]
        return max((end for end in ends if end is not None), default=None)

    # Time

    async def run(self) -> None:
        """Ask about doubts when it is time, free what ended, forget what is over; the agent's TaskGroup holds this."""
        while True:
            self._step(TimePassed(linked=self._speaker is not None))
            self._participants.forget(self._moment())
            self._woken.clear()
            # Not wait_for: before 3.12 it forgets a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s()):
                    await self._woken.wait()

    def _wait_s(self) -> float:
        timer_s = None if self._speaker is None else self._participants.timer()
        if timer_s is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, max(0.05, timer_s - self._clock.monotonic()))

    # How it is carried out

    def _step(self, news: News, *, document: StoredDocument | None = None) -> tuple[ParticipantEffect, ...]:
        effects = self._participants.step(news, self._moment(), self._standing())
        speaker = self._speaker
        waiting = () if document is None else (document,)
        for effect in effects:
            match effect:
                case Commit():
                    self._commit(effect, speaker, documents=waiting)
                    waiting = ()
                case Say(frame=frame):
                    self._speak_when(self._ledger.durable(), speaker, (frame,))
                case Fence(reason=reason):
                    LOG.error("a_higher_epoch_exists", reason=reason)
                    self._ledger.fence(reason)
                case Honour():
                    pass
        if waiting:
            self._ledger.commit(Change(documents=waiting), urgent=True)
        self._woken.set()
        return effects

    def _commit(
        self, commit: Commit, speaker: Speaker | None, *, documents: Sequence[StoredDocument] = ()
    ) -> None:
        now = self._clock.now()
        preparing = commit.part.state is ParticipantState.PREP
        self._failpoints.hit(BEFORE_PREPARED if preparing else BEFORE_APPLIED)
        for clash in commit.clashes:
            LOG.error(
                "promises_clash", kind=clash.kind, claim=clash.claim, other=clash.other, why=clash.detail
            )
        known = commit.part.state is not ParticipantState.NONE
        change = Change.record(
            at=now,
            claims=commit.claims,
            stays=commit.stays,
            events=commit.events,
            conflicts=[
                Conflict(claim=clash.claim, other=clash.other, detail=clash.detail, at=now)
                for clash in commit.clashes
            ],
            documents=documents,
            parts=(PartChanged(part=commit.part, at=now),) if known else (),
        )
        written = self._ledger.commit(change, urgent=True)
        after = PREPARED if preparing else APPLIED
        written.add_done_callback(partial(self._hit_when_written, after))
        self._speak_when(written, speaker, commit.then)

    def _hit_when_written(self, label: str, done: asyncio.Future[None]) -> None:
        if is_written(done):
            self._failpoints.hit(label)

    def _speak_when(
        self, written: asyncio.Future[None], speaker: Speaker | None, frames: Sequence[FromParticipant]
    ) -> None:
        """The words leave once `written` is; where it failed, the process ends elsewhere."""
        if speaker is None or not frames:
            return

        def speak(done: asyncio.Future[None]) -> None:
            if is_written(done):
                for frame in frames:
                    speaker(frame)

        written.add_done_callback(speak)

    def _standing(self) -> LotStanding:
        ledger = self._ledger
        return LotStanding(
            epoch=ledger.epoch,
            last_seq=ledger.last_seq,
            backlog=ledger.backlog,
            fenced=ledger.verdict == "fenced",
            storing=ledger.degraded is None,
        )

    def _moment(self) -> Moment:
        """While the time is unknown its estimate may be years ahead: no window is judged over by it."""
        clock = self._clock
        at = clock.now() if clock.known else clock.released_before()
        return Moment(at=at, lower_at=clock.released_before(), real_s=clock.monotonic())

    def _has_its_spot(self, news: Decided) -> bool:
        if news.claim is None or news.claim.spot is None:
            return True
        try:
            self._ledger.book.owner(news.claim.spot)
        except NoSuchSpot:
            return False
        return True

    def _was_used(self, reservation: str) -> bool:
        """Whether a car is or was in on this booking."""
        inside = self._ledger.open_stay(Credential(kind=CredentialKind.PASS, subject=reservation))
        return inside is not None or self._ledger.token_seen(TokenKind.PASS.value, reservation) is not None

    def _refuse(self, code: str, about: str) -> None:
        self.refused[code] += 1
        LOG.warning("commit_frame_refused", code=code, about=about)


def decided(frame: Decision | Answer) -> Decided:
    """The coordinator's word as the participant hears it; the codec lets no other outcome through.

    Raises:
        MalformedFrame: its claim is none.
    """
    row = frame.claim if isinstance(frame, Decision) else None
    return Decided(
        id=TransactionId(reservation=frame.reservation, revision=frame.revision),
        outcome=Outcome(frame.outcome),
        reason=frame.reason,
        claim=None if row is None else claim_from_row(row),
    )


def _news_of(frame: Prepare | Decision | Answer) -> PrepareArrived | Decided | Undecided:
    match frame:
        case Prepare():
            return PrepareArrived(prepare=frame)
        case Answer(outcome="undecided"):
            return UNDECIDED
        case Decision() | Answer():
            return decided(frame)
