"""What is broken on purpose, one thing each, and the tests that must notice it.

`old` stands exactly once in the file (tests/mutants/test_table.py asserts it, so that an edit which moves it shows); a mutant is the file with `new` in its
place. Tests are named as pytest takes them, the narrowest that should do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNIT = "tests/unit/sync"
COORDINATOR, PARTICIPANT = f"{UNIT}/test_coordinator.py", f"{UNIT}/test_participant.py"
OUT_OF_ORDER, OWNERSHIP = f"{UNIT}/test_words_out_of_order.py", f"{UNIT}/test_ownership.py"
MONEY, SESSION = f"{UNIT}/test_payment_and_cancellation.py", f"{UNIT}/test_session.py"
TOKENS, PASSES = f"{UNIT}/test_tokens.py", f"{UNIT}/test_passes.py"
BOOKING, PAGES = "tests/integration/cloud/test_booking.py", "tests/integration/cloud/test_pages.py"
HOOKS = "tests/integration/payments/test_payment_webhooks.py"
AFTER_THE_DISK = "tests/integration/edge/test_vote_after_the_disk.py"
WORDS = "tests/unit/cloud/test_words_of_a_session.py"
OUTSIDE = "tests/proof/test_from_outside.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One mutant: in the file at `path`, `old` becomes `new`."""

    name: str
    path: str
    old: str
    new: str
    tests: Sequence[str]


BREAKS: Sequence[Break] = (
    Break(
        name="vote before fsync",
        path="edge/commitments.py",
        old="        self._speak_when(written, speaker, commit.then)\n",
        new="        for frame in commit.then if speaker is not None else ():\n            speaker(frame)\n",
        tests=(AFTER_THE_DISK,),
    ),
    Break(
        name="abort by timer",
        path="sync/participant.py",
        old="(_S.PREP, _E.INQUIRY_DUE): (_S.PREP, (_A.INQUIRE,))",
        new="(_S.PREP, _E.INQUIRY_DUE): (_S.ABRT, (_A.RELEASE,))",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="the window's end decides",
        path="sync/participant.py",
        old="(_S.PREP, _E.WINDOW_ENDED): (_S.PREP, (_A.RELEASE,))",
        new="(_S.PREP, _E.WINDOW_ENDED): (_S.ABRT, (_A.RELEASE,))",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="inquiry without tombstone",
        path="sync/coordinator.py",
        old="(_S.NONE, _E.INQUIRED): (_S.ABORTED, (_A.ANSWER,))",
        new="(_S.NONE, _E.INQUIRED): (_S.NONE, (_A.ANSWER,))",
        tests=(COORDINATOR,),
    ),
    Break(
        name="the lot keeps no tombstone",
        path="sync/participant.py",
        old="(_S.NONE, _E.ABORTED): (_S.ABRT, (_A.WRITE, _A.ACKNOWLEDGE))",
        new="(_S.NONE, _E.ABORTED): (_S.NONE, (_A.ACKNOWLEDGE,))",
        tests=(PARTICIPANT, OUT_OF_ORDER),
    ),
    Break(
        name="no deadline check",
        path="sync/coordinator.py",
        old="    if late and transaction.state is _S.PREPARING:\n",
        new="    if False:\n",
        tests=(COORDINATOR,),
    ),
    Break(
        name="no deadline check in the row's write",
        path="cloud/reservations/queries.sql",
        old="   AND (%(was)s <> 'preparing' OR %(state)s <> 'committed' OR protocol_now() < deadline_at)\n",
        new="",
        tests=(f"{OUTSIDE}::test_a_decision_whose_deadline_passed_behind_a_lock_is_no_commit",),
    ),
    Break(
        name="votes count before their log is applied",
        path="sync/coordinator.py",
        old="if head.epoch != ballot.yes.epoch or head.seq < ballot.yes.log_seq_before:",
        new="if head.epoch != ballot.yes.epoch:",
        tests=(COORDINATOR,),
    ),
    Break(
        name="a vote of another epoch counts",
        path="sync/coordinator.py",
        old="if head is None or head.epoch != news.vote.epoch:",
        new="if head is None:",
        tests=(COORDINATOR, OUT_OF_ORDER),
    ),
    Break(
        name="a vote for another window counts",
        path="sync/coordinator.py",
        old="return not vote.yes or yes_of(vote).window == transaction.window",
        new="return True",
        tests=(COORDINATOR,),
    ),
    Break(
        name="COMMITTED does not absorb at the centre",
        path="sync/coordinator.py",
        old="(_S.COMMITTED, _E.MET_BY_FACT): (_S.COMMITTED, (_A.CONFLICT,))",
        new="(_S.COMMITTED, _E.MET_BY_FACT): (_S.ABORTED, (*_ABORTING,))",
        tests=(COORDINATOR,),
    ),
    Break(
        name="COMMITTED does not absorb at the lot",
        path="sync/participant.py",
        old="(_S.COMM, _E.ABORTED): (_S.COMM, (_A.WRITE, _A.ALARM))",
        new="(_S.COMM, _E.ABORTED): (_S.ABRT, (_A.RELEASE, _A.ALARM))",
        tests=(PARTICIPANT, OUT_OF_ORDER),
    ),
    Break(
        name="a cancellation after the use frees the place",
        path="sync/participant.py",
        old="(_S.COMM, _E.CANCELLED_AFTER_USE): (_S.COMM, ())",
        new="(_S.COMM, _E.CANCELLED_AFTER_USE): (_S.CANC, (_A.RELEASE,))",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="a held spot is re-packed",
        path="parking/book.py",
        old="            claim.state is ClaimState.HELD\n",
        new="            False\n",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="a fact that meets an undecided hold does not abort it",
        path="sync/coordinator.py",
        old="(_S.PREPARING, _E.MET_BY_FACT): (_S.ABORTED, _ABORTING)",
        new="(_S.PREPARING, _E.MET_BY_FACT): (_S.PREPARING, ())",
        tests=(COORDINATOR,),
    ),
    Break(
        name="lease without fencing",
        path="sync/coordinator.py",
        old="if isinstance(news, Tick) and news.token != transaction.lease.token:",
        new="if isinstance(news, Tick) and news.token > transaction.lease.token:",
        tests=(COORDINATOR,),
    ),
    Break(
        name="a lease that is not over is taken",
        path="sync/lease.py",
        old="        if not self.is_over(now):\n            return None\n",
        new="",
        tests=(COORDINATOR,),
    ),
    Break(
        name="the cap on doubts is ignored",
        path="sync/participant.py",
        old="return NoReason.TOO_MANY_DOUBTS if context.overdue >= may_have_doubts(total) else None",
        new="return None",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="catching up is ignored",
        path="sync/participant.py",
        old="    if lot.backlog > MAX_PAGE_ROWS:\n",
        new="    if False:\n",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="the epoch of a prepare is not checked",
        path="sync/participant.py",
        old="    if prepare.epoch != lot.epoch:\n",
        new="    if False:\n",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="a fenced lot votes",
        path="sync/participant.py",
        old="    if lot.fenced:\n        return NoReason.FENCED\n",
        new="",
        tests=(PARTICIPANT,),
    ),
    Break(
        name="the session's number is not checked in the transaction",
        path="cloud/gateways/service.py",
        old='if row is None or (row["epoch"], row["session"]) != (origin.epoch, key.session):',
        new="if row is None:",
        tests=(f"{PAGES}::test_a_newer_session_leaves_the_older_without_effect",),
    ),
    Break(
        name="a quarantined gateway writes",
        path="cloud/gateways/service.py",
        old='        if applies and row["state"] != "ok":\n',
        new="        if False:\n",
        tests=(f"{PAGES}::test_a_quarantined_gateway_changes_nothing",),
    ),
    Break(
        name="frames of an old session are taken",
        path="sync/cloud_session.py",
        old="return frame.epoch != self.epoch or frame.session != self.session",
        new="return frame.epoch != self.epoch",
        tests=(SESSION, f"{UNIT}/test_session_tables.py"),
    ),
    Break(
        name="PREPARE queued for a reconnect",
        path="cloud/gateways/link.py",
        old="if self._key is not None and session in {0, self._key.session}:",
        new="if self._key is not None:",
        tests=(WORDS,),
    ),
    Break(
        name="inbox without key",
        path="cloud/gateways/page.py",
        old="new = [row for row in sorted_rows if row.row.seq in new_seqs]",
        new="new = sorted_rows",
        tests=(f"{PAGES}::test_a_page_that_comes_again_is_taken_once",),
    ),
    Break(
        name="a forked log is not seen",
        path="cloud/gateways/page.py",
        old="return next((row.seq for row in rows if hashes.get(row.seq, row.hash) != row.hash), None)",
        new="return None",
        tests=(f"{PAGES}::test_the_same_row_with_another_hash_is_a_fork_and_changes_nothing",),
    ),
    Break(
        name="the decision is not in the lot's list",
        path="cloud/reservations/commit_effects.py",
        old="            n = await self._link.add_document(connection, line.gateway, DECISION, body)\n",
        new="            n = 0\n",
        tests=(f"{BOOKING}::test_a_place_of_the_lot_is_booked_by_its_vote_and_the_lot_is_told",),
    ),
    Break(
        name="claims outside the decision's transaction",
        path="cloud/reservations/commit_effects.py",
        old="                    await self.make_firm(connection, region, booking, claims)\n",
        new="                    LOG.info('firm later', claims=len(claims))\n",
        tests=(f"{BOOKING}::test_a_place_of_the_lot_is_booked_by_its_vote_and_the_lot_is_told",),
    ),
    Break(
        name="capture at authorisation",
        path="sync/payment.py",
        old="(_S.NONE, _E.AUTHORISED): (_S.AUTHORISED, (_A.TELL_AUTHORISED,))",
        new="(_S.NONE, _E.AUTHORISED): (_S.CAPTURING, (_A.CAPTURE, _A.TELL_AUTHORISED))",
        tests=(MONEY,),
    ),
    Break(
        name="second capture without looking",
        path="sync/payment.py",
        old="(_S.CAPTURING, _E.NO_ANSWER): (_S.CAPTURING, (_A.LOOK_UP,))",
        new="(_S.CAPTURING, _E.NO_ANSWER): (_S.CAPTURING, (_A.CAPTURE,))",
        tests=(MONEY,),
    ),
    Break(
        name="a refund that meets an unanswered capture is forgotten",
        path="sync/payment.py",
        old="    (_S.CAPTURING, _E.REFUND_DUE): (_S.VOIDING, (_A.LOOK_UP,)),\n",
        new="",
        tests=(MONEY,),
    ),
    Break(
        name="money taken without a booking is kept",
        path="sync/payment.py",
        old="(_S.VOID, _E.CAPTURED): (_S.REFUNDING, (_A.ALARM, _A.REFUND))",
        new="(_S.VOID, _E.CAPTURED): (_S.CAPTURED, ())",
        tests=(MONEY,),
    ),
    Break(
        name="refund before acknowledgement",
        path="sync/cancellation.py",
        old="(_S.ACTIVE, _E.CANCEL_ASKED): (_S.CANCEL_PENDING, (_A.TELL_LOT,))",
        new="(_S.ACTIVE, _E.CANCEL_ASKED): (_S.CANCELLED, (_A.TELL_LOT, _A.REFUND))",
        tests=(MONEY,),
    ),
    Break(
        name="webhook without signature",
        path="cloud/payments/webhooks.py",
        old="        verify(payload, header, self._secret, unix=self._unix())\n",
        new="",
        tests=(f"{HOOKS}::test_a_webhook_without_a_signature_is_a_forgery",),
    ),
    Break(
        name="a webhook as old as one likes",
        path="cloud/payments/webhooks.py",
        old="    if int(stamp) < unix - tolerance_s:\n",
        new="    if False:\n",
        tests=(f"{HOOKS}::test_a_forged_or_replayed_webhook_is_refused_counted_and_changes_nothing",),
    ),
    Break(
        name="a repeated webhook counts again",
        path="cloud/payments/webhooks.py",
        old="            if await added.fetchone() is None:\n",
        new="            if False:\n",
        tests=(f"{HOOKS}::test_one_event_at_many_doors_at_once_is_taken_once",),
    ),
    Break(
        name="pass signed at the vote",
        path="cloud/reservations/booking.py",
        old="if booking.state is not CoordinatorState.COMMITTED or booking.status not in usable:",
        new="if booking.status not in {*usable, BookingStatus.DRAFT}:",
        tests=(f"{BOOKING}::test_a_pass_exists_only_for_what_is_booked",),
    ),
    Break(
        name="pass accepted from the lot's key",
        path="sync/tokens.py",
        old="if key.role is not ROLE_OF[token.kind] or (key.role is KeyRole.LOT and key.lot != token.lot):",
        new="if key.role is KeyRole.LOT and key.lot != token.lot:",
        tests=(TOKENS,),
    ),
    Break(
        name="wrong-lot pass accepted",
        path="sync/tokens.py",
        old="        if token.lot != self._lot:\n            return TokenRefusal.WRONG_LOT\n",
        new="",
        tests=(TOKENS, PASSES),
    ),
    Break(
        name="a pass that was changed is read",
        path="sync/tokens.py",
        old="key = next((key for key in candidates if _holds(key, signature, payload)), None)",
        new="key = next(iter(candidates), None)",
        tests=(TOKENS,),
    ),
    Break(
        name="a used pass admits again",
        path="sync/passes.py",
        old="    if earlier is Earlier.INSIDE:\n        return PassRefusal.USED\n",
        new="",
        tests=(PASSES,),
    ),
    Break(
        name="the leaked key is not noticed",
        path="sync/passes.py",
        old="            and other.window.overlaps(shown_now.window)\n",
        new="            and not other.window.overlaps(shown_now.window)\n",
        tests=(PASSES,),
    ),
    Break(
        name="credit twice",
        path="sync/ownership.py",
        old="    (_S.NONE, _E.ARRIVED): (_S.CREDITED, (_A.CREDIT,)),\n",
        new="    (_S.NONE, _E.ARRIVED): (_S.NONE, (_A.CREDIT,)),\n",
        tests=(OWNERSHIP,),
    ),
    Break(
        name="credit in a stale epoch",
        path="sync/ownership.py",
        old="return row, TransferEvent.ARRIVED if frame.epoch == epoch else TransferEvent.ARRIVED_STALE",
        new="return row, TransferEvent.ARRIVED",
        tests=(OWNERSHIP,),
    ),
    Break(
        name="sent before it is debited",
        path="sync/ownership.py",
        old="(_S.NONE, _E.GIVEN): (_S.IN_FLIGHT, (_A.DEBIT, _A.SEND))",
        new="(_S.NONE, _E.GIVEN): (_S.IN_FLIGHT, (_A.SEND,))",
        tests=(OWNERSHIP,),
    ),
    Break(
        name="the end of an epoch hands spots back",
        path="sync/ownership.py",
        old="(_S.IN_FLIGHT, _E.EPOCH_ENDED): (_S.STRANDED, ())",
        new="(_S.IN_FLIGHT, _E.EPOCH_ENDED): (_S.CREDITED, (_A.CLOSE,))",
        tests=(OWNERSHIP,),
    ),
    Break(
        name="spots with claims move",
        path="sync/ownership.py",
        old="        if book.is_bare(spot, over_at=now.lower_at)\n",
        new="",
        tests=(OWNERSHIP,),
    ),
    Break(
        name="a listener that is back looks for nothing",
        path="cloud/reservations/commit_words.py",
        old="            self._missed()\n",
        new="",
        tests=("tests/integration/cloud/test_booking.py",),
    ),
    Break(
        name="a void stay of the dark keeps its instant",
        path="edge/clock_record.py",
        old=", voided=ledger.voided_stays()",
        new="",
        tests=("tests/integration/edge/test_clock.py",),
    ),
)
