"""A booking at the lot: prepared, decided, in doubt, and the pass at the lane, on the real ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import base45
import pytest

from edge.change import StoredDocument
from edge.configuration import CancelledBy
from edge.lanes import LaneEvent
from edge.visit import Answered, Presented, Visit
from parking.claims import ClaimState
from parking.decision import Reason
from parking.ids import ClaimId, LotId, SpotId
from parking.lot import SpotType
from parking.stays import StayState
from sync.events import EventKind
from sync.instants import to_us
from sync.keys import SigningKey
from sync.messages import Answer, Decision, DecisionAck, FromParticipant, Inquiry, Prepare, Vote
from sync.part import ParticipantState
from sync.tokens import PREFIX, KeyRole, Token, TokenKey, TokenKind, TokenSigner
from sync.transaction import Outcome, TransactionId
from tests.unit.edge.lot_at_work import CENTRE, LotAtWork

RESERVATION = str(UUID(int=1 << 100))
CLAIM = ClaimId(str(UUID(int=1 << 101)))
ID = TransactionId(reservation=RESERVATION, revision=1)
COMMITTED = Decision(epoch=1, session=1, reservation=RESERVATION, revision=1, outcome="committed")
ABORTED = replace(COMMITTED, outcome="aborted", reason="deadline")


def starts_at(lot: LotAtWork) -> datetime:
    return lot.premises.clock.now()


def prepare(lot: LotAtWork, reservation: str = RESERVATION, claim: str = CLAIM) -> Prepare:
    at = starts_at(lot)
    return Prepare(
        epoch=1,
        session=1,
        reservation=reservation,
        revision=1,
        claim=claim,
        type="regular",
        starts_us=to_us(at),
        ends_us=to_us(at + timedelta(hours=2)),
        left_ms=8_000,
    )


def pass_of(
    lot: LotAtWork,
    *,
    key: SigningKey = CENTRE,
    where: LotId | None = None,
    at: datetime | None = None,
    reservation: str = RESERVATION,
    place: SpotType | SpotId = SpotType.REGULAR,
    until: datetime | None = None,
    revision: int = 1,
) -> str:
    at = at or starts_at(lot)
    token = Token(
        kind=TokenKind.PASS,
        subject=reservation,
        lot=where or lot.premises.lot.id,
        place=place,
        starts_at=at,
        ends_at=until or at + timedelta(hours=2),
        revision=revision,
        epoch=1,
    )
    return TokenSigner(key, KeyRole.CLOUD).sign(token)


@dataclass
class Session:
    """What the lot says in one session."""

    said: list[FromParticipant] = field(default_factory=list)

    async def all(self) -> list[FromParticipant]:
        for _ in range(5):
            await asyncio.sleep(0)
        return self.said


async def opened(lot: LotAtWork) -> Session:
    session = Session()
    lot.commitments.link_opened(session.said.append)
    await session.all()
    return session


async def come_with(lot: LotAtWork, text: str) -> tuple[Visit, Answered]:
    return await lot.come(Presented.code(text))


def state(lot: LotAtWork) -> ParticipantState:
    return next(part.state for part in lot.ledger.parts() if part.id == ID)


async def test_a_yes_names_the_row_before_its_own_and_is_said_after_the_disk_has_it(lot: LotAtWork) -> None:
    session = await opened(lot)
    before = lot.ledger.last_seq
    lot.disk.fill()
    lot.commitments.hear(prepare(lot))
    assert await session.all() == []
    lot.disk.free()
    (vote,) = await session.all()
    assert isinstance(vote, Vote)
    assert (vote.yes, vote.claim, vote.log_seq_before) == (True, CLAIM, before)
    held = lot.ledger.book.claim(CLAIM)
    assert (held.state, held.spot) == (ClaimState.HELD, vote.spot)
    assert lot.ledger.book.is_pinned(held)
    told = lot.events()[before:]
    assert [row["claim"]["id"] for row in told if "claim" in row] == [CLAIM]
    assert lot.events(EventKind.PREPARED)[0]["claim_id"] == CLAIM


async def test_a_lot_whose_disk_takes_nothing_votes_no(lot: LotAtWork) -> None:
    session = await opened(lot)
    lot.disk.fill()
    await lot.come()
    lot.commitments.hear(prepare(lot))
    (vote,) = await _said_once_free(lot, session)
    assert isinstance(vote, Vote)
    assert (vote.yes, vote.reason) == (False, "not_storing")
    assert lot.ledger.parts() == []


async def _said_once_free(lot: LotAtWork, session: Session) -> list[FromParticipant]:
    lot.disk.free()
    return await session.all()


async def test_a_full_lot_votes_no_and_keeps_the_tombstone_through_a_power_cut(lot: LotAtWork) -> None:
    await lot.come_in()
    await lot.come_in()
    session = await opened(lot)
    lot.commitments.hear(prepare(lot))
    (vote,) = await session.all()
    assert isinstance(vote, Vote)
    assert (vote.yes, vote.reason) == (False, "full")
    await lot.restart()
    assert state(lot) is ParticipantState.ABRT


async def test_a_lot_with_more_than_a_page_of_backlog_is_catching_up(lot: LotAtWork) -> None:
    session = await opened(lot)
    lot.ledger._log.seq += 600
    lot.commitments.hear(prepare(lot))
    (vote,) = await session.all()
    assert isinstance(vote, Vote)
    assert (vote.yes, vote.reason) == (False, "catching_up")


async def test_two_doubts_over_their_deadline_and_the_lot_promises_no_third(lot: LotAtWork) -> None:
    session = await opened(lot)
    for number in (1, 2):
        lot.commitments.hear(prepare(lot, str(UUID(int=number)), str(UUID(int=number + 50))))
    lot.later(seconds=9)
    lot.commitments.hear(prepare(lot))
    vote = (await session.all())[-1]
    assert isinstance(vote, Vote)
    assert (vote.yes, vote.reason) == (False, "too_many_doubts")


@pytest.mark.parametrize(
    ("decision", "claim", "part", "kind"),
    [
        (COMMITTED, ClaimState.FIRM, ParticipantState.COMM, EventKind.COMMITTED),
        (ABORTED, ClaimState.RELEASED, ParticipantState.ABRT, EventKind.ABORTED),
    ],
)
async def test_a_decision_ends_the_doubt_and_is_acknowledged_when_durable(
    lot: LotAtWork, decision: Decision, claim: ClaimState, part: ParticipantState, kind: EventKind
) -> None:
    session = await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.disk.fill()
    lot.commitments.hear(decision)
    await lot.come()  # the disk is known to be full from here on
    assert not [frame for frame in await session.all() if isinstance(frame, DecisionAck)]
    lot.disk.free()
    assert isinstance((await session.all())[-1], DecisionAck)
    await lot.restart()
    assert (lot.ledger.book.claim(CLAIM).state, state(lot)) == (claim, part)
    assert lot.events(kind)[0]["by"] == "decision"
    assert lot.commitments.doubts() == []


async def test_a_doubt_survives_a_power_cut_and_asks_when_the_line_is_back(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    await lot.restart()
    (doubt,) = lot.commitments.doubts()
    assert doubt.part.state is ParticipantState.PREP
    assert lot.ledger.book.claim(CLAIM).state is ClaimState.HELD
    said = await (await opened(lot)).all()
    assert {type(frame) for frame in said} == {Vote, Inquiry}


async def test_words_of_a_session_that_is_over_go_nowhere(lot: LotAtWork) -> None:
    old = await opened(lot)
    lot.disk.fill()
    lot.commitments.hear(prepare(lot))
    lot.commitments.link_lost()
    new = await opened(lot)
    lot.disk.free()
    votes = [frame for frame in await new.all() if isinstance(frame, Vote)]
    assert len(votes) == 1
    assert len([frame for frame in await old.all() if isinstance(frame, Vote)]) == 1  # its line drops it


async def test_an_answer_that_is_undecided_changes_nothing(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(Answer(epoch=1, session=1, reservation=RESERVATION, revision=1, outcome="undecided"))
    assert state(lot) is ParticipantState.PREP


async def test_a_decision_about_a_spot_that_is_not_here_is_counted_and_changes_nothing(
    lot: LotAtWork,
) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    row = {
        "id": CLAIM,
        "spot": "elsewhere",
        "type": "regular",
        "starts_us": 1,
        "ends_us": 2,
        "kind": "booking",
        "holder_kind": "reservation",
        "holder_id": RESERVATION,
        "state": "firm",
        "sold_by": "cloud",
        "epoch": 1,
        "revision": 1,
        "version": 2,
        "clashing": False,
    }
    lot.commitments.hear(replace(COMMITTED, claim=row))
    assert lot.commitments.refused == {"unknown_spot": 1}
    assert state(lot) is ParticipantState.PREP


async def test_a_doubt_that_a_person_ends_is_on_record_with_the_reason(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    assert lot.commitments.decided_by_hand(ID, Outcome.ABORTED, by="Ada", reason="the centre burnt down")
    assert lot.events(EventKind.ABORTED)[0]["reason"] == "the centre burnt down"
    lot.commitments.hear(COMMITTED)
    assert lot.events(EventKind.CONFLICT_FOUND)
    assert state(lot) is ParticipantState.COMM


async def test_a_cancellation_from_the_list_frees_the_place_and_keeps_its_number(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(COMMITTED)
    cancels = TransactionId(reservation=RESERVATION, revision=2)
    stored = StoredDocument(n=1, kind="cancellation", body=b"")
    await lot.commitments.document(CancelledBy(id=cancels), stored)
    await lot.restart()
    assert lot.ledger.document_n == 1
    assert lot.ledger.book.claim(CLAIM).state is ClaimState.RELEASED
    _, refused = await come_with(lot, pass_of(lot))
    assert refused.reason is Reason.BOOKING_OVER


# The pass


async def test_the_pass_of_a_committed_booking_opens_the_lane_and_the_exit(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(COMMITTED)
    text = pass_of(lot)
    visit, answered = await come_with(lot, text)
    assert (answered.event, answered.reason) == (LaneEvent.GRANTED, Reason.GRANTED)
    assert answered.stay is not None
    assert answered.stay.claim == CLAIM
    lot.entering.passed(visit)
    lot.later(hours=1)
    leaving, out = await lot.show(text)
    assert (out.event, out.reason) == (LaneEvent.GRANTED, Reason.PREPAID)
    lot.leaving.passed(leaving)
    assert lot.ledger.open_stays() == []


async def test_a_booked_car_that_stays_longer_owes_from_its_bookings_end(lot: LotAtWork) -> None:
    text = pass_of(lot)
    visit, _ = await come_with(lot, text)
    lot.entering.passed(visit)
    lot.later(hours=3)
    _, out = await lot.show(text)
    assert (out.event, out.reason) == (LaneEvent.OWES, Reason.UNPAID)
    assert out.demand is not None
    assert out.demand.amount_minor == 300


async def test_a_lot_in_doubt_commits_from_the_pass_and_admits(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.link_lost()
    await lot.restart()
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED
    assert (state(lot), lot.ledger.book.claim(CLAIM).state) == (ParticipantState.COMM, ClaimState.FIRM)
    assert lot.events(EventKind.COMMITTED)[0]["by"] == "pass"
    await lot.restart()
    assert lot.commitments.doubts() == []


async def test_a_lot_that_never_heard_of_the_booking_admits_on_the_pass_and_records_it(
    lot: LotAtWork,
) -> None:
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED
    assert answered.stay is not None
    assert answered.stay.claim is not None
    assert state(lot) is ParticipantState.COMM
    late = prepare(lot)
    await opened(lot)
    lot.commitments.hear(late)
    assert len(lot.ledger.book.claims()) == 1


async def test_a_full_lot_admits_a_pass_it_never_heard_of_over_the_count(lot: LotAtWork) -> None:
    await lot.come_in()
    await lot.come_in()
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED
    assert answered.stay is not None
    assert answered.stay.over_count


async def test_a_pass_against_our_own_abort_admits_while_a_place_is_free_and_alarms(lot: LotAtWork) -> None:
    await opened(lot)
    lot.commitments.hear(prepare(lot))
    lot.commitments.hear(ABORTED)
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED
    assert lot.events(EventKind.CONFLICT_FOUND)[0]["kind"] == "decision_contradicted"


async def test_a_pass_that_is_used_twice_is_refused_by_that_name(lot: LotAtWork) -> None:
    text = pass_of(lot)
    visit, _ = await come_with(lot, text)
    _, again = await come_with(lot, text)
    assert again.reason is Reason.ALREADY_ADMITTED
    lot.entering.passed(visit)
    _, inside = await come_with(lot, text)
    assert (inside.event, inside.reason) == (LaneEvent.REFUSED, Reason.PASS_USED)
    leaving, _ = await lot.show(text)
    lot.leaving.passed(leaving)
    await lot.restart()
    _, gone = await come_with(lot, text)
    assert gone.reason is Reason.PASS_USED


async def test_who_backs_out_may_come_again_on_the_pass(lot: LotAtWork) -> None:
    text = pass_of(lot)
    visit, first = await come_with(lot, text)
    lot.entering.backed_out(visit)
    _, again = await come_with(lot, text)
    assert again.event is LaneEvent.GRANTED
    assert again.stay is not None
    assert first.stay is not None
    assert again.stay.claim == first.stay.claim
    assert len([stay for stay in lot.ledger.open_stays() if stay.state is StayState.ADMITTED]) == 1


def _changed(text: str) -> str:
    """The same pass with one bit turned, in its signature."""
    signed = bytearray(base45.b45decode(text[len(PREFIX) :].encode()))
    signed[-1] ^= 1
    encoded: bytes = base45.b45encode(bytes(signed))
    return PREFIX + encoded.decode()


async def test_each_wrong_pass_is_refused_by_its_own_name(lot: LotAtWork) -> None:
    at = starts_at(lot)
    forger = SigningKey.from_seed(b"f" * 32)
    elsewhere = LotId(str(UUID(int=9)))
    wrong = {
        Reason.PASS_WRONG_LOT: pass_of(lot, where=elsewhere),
        Reason.PASS_WRONG_WINDOW: pass_of(lot, at=at + timedelta(hours=5)),
        Reason.PASS_CHANGED: _changed(pass_of(lot)),
        Reason.PASS_UNKNOWN_KEY: pass_of(lot, key=forger),
    }
    for reason, text in wrong.items():
        _, answered = await come_with(lot, text)
        assert (answered.event, answered.reason) == (LaneEvent.REFUSED, reason)
    assert lot.ledger.parts() == []
    assert lot.ledger.open_stays() == []
    assert sum(lot.bookings.refused.values()) == len(wrong)


async def test_a_lot_that_was_told_no_keys_takes_no_pass(lot: LotAtWork) -> None:
    lot.bookings.trust([TokenKey(public=CENTRE.public, role=KeyRole.LOT, lot=lot.premises.lot.id)])
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.reason is Reason.PASS_UNKNOWN_KEY


async def test_a_pass_opens_while_the_disk_takes_nothing(lot: LotAtWork) -> None:
    lot.disk.fill()
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED
    lot.disk.free()
    await lot.restart()
    assert [stay.credential.subject for stay in lot.ledger.open_stays()] == [RESERVATION]


async def test_a_fenced_lot_sells_nothing_and_honours_passes(lot: LotAtWork) -> None:
    lot.ledger.fence("an old image")
    _, walk_in = await lot.come()
    assert walk_in.reason is Reason.FENCED
    _, answered = await come_with(lot, pass_of(lot))
    assert answered.event is LaneEvent.GRANTED


async def test_two_passes_for_one_painted_spot_alarm_and_the_second_is_refused_only_where_nothing_is_free(
    lot: LotAtWork,
) -> None:
    spot = lot.premises.lot.spots[0].id
    texts = [pass_of(lot, reservation=str(UUID(int=number)), place=spot) for number in (1, 2, 3)]
    _, first = await come_with(lot, texts[0])
    _, second = await come_with(lot, texts[1])
    assert (first.event, second.event) == (LaneEvent.GRANTED, LaneEvent.GRANTED)
    assert [row["kind"] for row in lot.events(EventKind.CONFLICT_FOUND)] == ["leaked_key"]
    _, third = await come_with(lot, texts[2])
    assert (third.event, third.reason) == (LaneEvent.REFUSED, Reason.FULL)


async def test_a_booking_may_come_a_little_early_and_no_earlier(lot: LotAtWork) -> None:
    at = starts_at(lot) + timedelta(minutes=20)
    text = pass_of(lot, at=at)
    _, early = await come_with(lot, text)
    assert early.reason is Reason.PASS_WRONG_WINDOW
    lot.later(minutes=6)
    _, answered = await come_with(lot, text)
    assert answered.event is LaneEvent.GRANTED
    assert answered.stay is not None
    assert answered.stay.claim is not None
    assert lot.ledger.book.claim(answered.stay.claim).window.starts_at == lot.premises.clock.now()
