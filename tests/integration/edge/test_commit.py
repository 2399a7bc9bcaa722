"""The lot's side of the commit on a real line: prepared, decided, cut off in between, killed at each of its failpoints."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from edge import commitments, line
from edge.store.reader import StoreReader
from edge.store.rows import claim_out, part_out
from parking.claims import ClaimState
from parking.ids import ClaimId
from parking.interval import Interval
from parking.lot import SpotType
from sync.chain import unpack_envelope
from sync.commit_documents import decision_body
from sync.instants import from_us, to_us
from sync.messages import Answer, Decision, DecisionAck, Inquiry, Prepare, Vote
from sync.part import Part, ParticipantState
from sync.participant_news import PassShown
from sync.transaction import Outcome, TransactionId
from tests.integration.edge.centre import Centre, listening
from tests.integration.edge.linked_unit import Unit, eventually, linked_unit
from tests.unit.sync.two_ends import GATEWAY, KEY

ROOT = Path(__file__).parents[3]
RESERVATION = str(UUID(int=1 << 100))
CLAIM = ClaimId(str(UUID(int=1 << 101)))
ID = TransactionId(reservation=RESERVATION, revision=1)
STARTS_AT = datetime.now(UTC).replace(microsecond=0)
PREPARE = Prepare(
    epoch=1,
    session=0,
    reservation=RESERVATION,
    revision=1,
    claim=CLAIM,
    type="regular",
    starts_us=to_us(STARTS_AT),
    ends_us=to_us(STARTS_AT + timedelta(hours=6)),
    left_ms=300,
)
COMMITTED = Decision(epoch=1, session=0, reservation=RESERVATION, revision=1, outcome="committed")
ABORTED = replace(COMMITTED, outcome="aborted", reason="deadline")
PASS = PassShown(
    id=ID,
    type=SpotType.REGULAR,
    window=Interval(from_us(PREPARE.starts_us), from_us(PREPARE.ends_us)),
    epoch=1,
)


@asynccontextmanager
async def unit_on(folder: Path, centre: Centre) -> AsyncIterator[Unit]:
    async with (
        listening(centre) as url,
        linked_unit(folder / "ledger.sqlite", url, gateway=GATEWAY, key=KEY) as unit,
    ):
        await eventually(lambda: unit.link.status.state == "up" and bool(centre.disk.acknowledged_seq))
        yield unit


async def prepared(centre: Centre) -> Vote:
    await centre.say(PREPARE)
    await eventually(lambda: bool(centre.heard(Vote)))
    return centre.heard(Vote)[-1]


def told(centre: Centre) -> list[tuple[int, str]]:
    """What the centre has applied of the commit: sequence and kind."""
    rows = sorted(centre.disk.inbox.items())
    kinds = [(seq, unpack_envelope(row.body).kind) for seq, row in rows]
    return [
        (seq, kind) for seq, kind in kinds if kind in {"claim_changed", "prepared", "committed", "aborted"}
    ]


@pytest.mark.parametrize(
    ("decision", "state", "kind"),
    [(COMMITTED, ClaimState.FIRM, "committed"), (ABORTED, ClaimState.RELEASED, "aborted")],
)
async def test_a_booking_is_prepared_voted_decided_and_told(
    tmp_path: Path, decision: Decision, state: ClaimState, kind: str
) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        vote = await prepared(centre)
        assert (vote.yes, vote.claim) == (True, CLAIM)
        await centre.say(decision)
        await eventually(lambda: bool(centre.heard(DecisionAck)))
        assert unit.ledger.book.claim(CLAIM).state is state
        await eventually(lambda: len(told(centre)) == 4)
        assert [word for _, word in told(centre)] == ["claim_changed", "prepared", "claim_changed", kind]
        assert told(centre)[0][0] == vote.log_seq_before + 1


async def test_cut_off_between_prepare_and_commit_the_pass_admits_and_the_centre_hears_of_it(
    tmp_path: Path,
) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await prepared(centre)
        centre.swallow_up, centre.swallow_down = True, lambda _: True
        await centre.hang_up()
        await eventually(lambda: unit.link.status.state == "down")
        assert unit.commitments.pass_shown(PASS).claim == CLAIM
        await unit.ledger.durable()
        assert unit.ledger.book.claim(CLAIM).state is ClaimState.FIRM
        centre.swallow_up, centre.swallow_down = False, lambda _: False
        await centre.hang_up()
        await eventually(lambda: "committed" in [kind for _, kind in told(centre)])
        await centre.say(COMMITTED)
        await eventually(lambda: bool(centre.heard(DecisionAck)))
        assert not unit.commitments.doubts()


async def test_a_lot_in_doubt_asks_when_the_line_is_back_and_believes_the_answer(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await prepared(centre)
        await centre.hang_up()
        await eventually(lambda: bool(centre.heard(Inquiry)))
        assert len(centre.heard(Vote)) > 1
        asked = Answer(epoch=1, session=0, reservation=RESERVATION, revision=1, outcome="aborted")
        await centre.say(asked)
        await eventually(lambda: not unit.commitments.doubts())
        assert unit.ledger.book.claim(CLAIM).state is ClaimState.RELEASED


async def test_a_doubt_whose_deadline_is_over_asks_by_itself(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre):
        await prepared(centre)
        await eventually(lambda: bool(centre.heard(Inquiry)))


async def test_a_decision_that_the_line_lost_comes_by_the_list_of_documents(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await prepared(centre)
        await centre.add_document("decision", decision_body(ID, Outcome.COMMITTED))
        await eventually(lambda: centre.disk.documents_acknowledged == 1)
        assert unit.ledger.book.claim(CLAIM).state is ClaimState.FIRM
        assert not centre.heard(DecisionAck)


async def test_a_document_that_is_no_decision_is_kept_aside_and_the_next_one_arrives(tmp_path: Path) -> None:
    centre = Centre()
    async with unit_on(tmp_path, centre) as unit:
        await centre.add_document("decision", b"\x80")
        await centre.add_document("decision", decision_body(ID, Outcome.ABORTED))
        await eventually(lambda: centre.disk.documents_acknowledged == 2)
        assert unit.ledger.counters.quarantined == 1
        assert [part.state for part in unit.ledger.parts()] == [ParticipantState.ABRT]


# Killed


@asynccontextmanager
async def dying_lot(folder: Path, url: str, failpoint: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(ROOT), "LOTGATE_FAILPOINT": failpoint}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.edge.preparing_lot",
        str(folder / "ledger.sqlite"),
        url,
        cwd=ROOT,
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def on_the_card(folder: Path) -> tuple[list[Part], list[ClaimState]]:
    """What is durable, read from outside."""
    reader = StoreReader(folder / "ledger.sqlite")
    try:
        parts = [part_out(row) for row in reader.rows("read_transactions")]
        claims = [claim_out(row) for row in reader.rows("read_claims", closed_since_us=0)]
    finally:
        reader.close()
    return parts, [claim.state for claim in claims]


NOTHING: tuple[list[ParticipantState], list[ClaimState]] = ([], [])
IN_DOUBT = ([ParticipantState.PREP], [ClaimState.HELD])
DECIDED = ([ParticipantState.COMM], [ClaimState.FIRM])


@pytest.mark.parametrize(
    ("failpoint", "found", "voted"),
    [
        (commitments.BEFORE_PREPARED, NOTHING, False),
        (commitments.PREPARED, IN_DOUBT, False),
        (line.VOTE_SENT, IN_DOUBT, True),
        (commitments.BEFORE_APPLIED, IN_DOUBT, True),
        (commitments.APPLIED, DECIDED, True),
    ],
)
async def test_a_lot_killed_at_a_failpoint_finds_the_same_doubts_and_ends_as_it_was_decided(
    tmp_path: Path, failpoint: str, found: tuple[list[ParticipantState], list[ClaimState]], *, voted: bool
) -> None:
    centre = Centre()
    async with listening(centre) as url:
        async with dying_lot(tmp_path, url, failpoint) as lot:
            await eventually(lambda: bool(centre.disk.acknowledged_seq))
            await centre.say(PREPARE)
            await eventually(lambda: bool(centre.heard(Vote)) or lot.returncode is not None)
            await centre.say(COMMITTED)
            assert await asyncio.wait_for(lot.wait(), 20) == -9
        await eventually(lambda: not centre.ends)
        parts, claims = on_the_card(tmp_path)
        assert ([part.state for part in parts], claims) == found
        assert bool(centre.heard(Vote)) is voted
        centre.said.clear()
        async with dying_lot(tmp_path, url):
            await eventually(lambda: bool(centre.ends) and centre.ends[0][0].last_states is not None)
            doubts = found == IN_DOUBT
            if doubts:
                await eventually(lambda: bool(centre.heard(Inquiry)) and bool(centre.heard(Vote)))
                assert centre.heard(Vote)[0].yes
            decision = COMMITTED if voted else ABORTED
            await centre.say(decision)
            await eventually(lambda: bool(centre.heard(DecisionAck)))
        parts, claims = on_the_card(tmp_path)
        assert [part.state for part in parts] == [ParticipantState.COMM if voted else ParticipantState.ABRT]
        assert ClaimState.HELD not in claims
