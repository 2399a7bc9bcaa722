"""Deliberately broken builds make the demo's figures non-zero, each time: otherwise its zeroes would prove nothing (issue 3, section 6)."""

from __future__ import annotations

import asyncio

import pytest

from simulators.report import MUST_BE_ZERO, Report
from tests.e2e.mutants import Mutant, Mutation, changes_at, run_mutant

ON_ARRIVAL = Mutation(
    path="drivers/mqtt/acknowledger.py",
    old="arrived = _Arrived(message, len(durable))",
    new="arrived = _Arrived(message, 0)",
)
"""A message is acknowledged before its readings are on the disk."""

WITHOUT_KEY = Mutation(
    path="cloud/migrations/versions/0001_one_lot.py",
    old="    CONSTRAINT gateway_inbox_pkey PRIMARY KEY (gateway_id, epoch, seq),\n",
    new="",
)
"""Nothing keeps a row from being taken in twice."""

AT_READINGS = Mutation(
    path="edge/store/store.py",
    old="self._failpoints.hit(BEFORE_COMMIT)",
    new="_ = sum(len(one.change.reading_keys) for one in batch) < 3 or SLOWLY(self._failpoints)",
)
DISK_IS_SLOW = Mutation(
    path="edge/store/store.py",
    old="class Store(",
    new="""
def SLOWLY(failpoints):
    if failpoints._armed:
        __import__("time").sleep(0.5)
    failpoints.hit(BEFORE_COMMIT)


class Store(""",
)
"""No faults: the failpoint stands where a commit carries readings of at least three messages, and the disk is slow there.

What was said on the wire meanwhile is heard: a kill resets connections, and takes with it what nobody has read yet.
"""

POWER_CUTS = ("edge.ledger.before_commit:1",) * 3
CHANGES = (*changes_at(1.0), *changes_at(4.5), *changes_at(8.0))
"""Three power cuts of the gateway, each while it writes readings, of which there are plenty."""


def nonzero(report: Report) -> dict[str, object]:
    return {name: report.figures[name] for name in MUST_BE_ZERO if report.figures[name] != 0}


IN_MAKE_TEST = {
    "sound": Mutant(
        mutations=(AT_READINGS, DISK_IS_SLOW), agent_failpoints=POWER_CUTS, orders=CHANGES, cut_line=True
    ),
    "acknowledges on arrival": Mutant(
        mutations=(AT_READINGS, DISK_IS_SLOW, ON_ARRIVAL), agent_failpoints=POWER_CUTS, orders=CHANGES
    ),
    "inbox without its key": Mutant(mutations=(WITHOUT_KEY,), cut_line=True),
}

IN_MAKE_PROOF = {
    "rows_left_out": (
        Mutant(
            mutations=(
                Mutation(
                    path="cloud/gateways/page.py",
                    old="**_inbox_columns(sorted_rows)}",
                    new="**_inbox_columns(sorted_rows[1:] or sorted_rows)}",
                ),
            ),
            cut_line=True,
        ),
        {"events_lost"},
    ),
    "facts_taken_in_and_not_applied": (
        Mutant(
            mutations=(
                Mutation(
                    path="cloud/gateways/page.py",
                    old="new = [row for row in sorted_rows if row.row.seq in new_seqs]",
                    new="new = [row for row in sorted_rows if row.row.seq in new_seqs and row.row.seq % 7]",
                ),
            )
        ),
        {"availability_mismatches"},
    ),
    "every_claim_of_a_type_on_one_place": (
        Mutant(
            mutations=(
                Mutation(
                    path="edge/change.py",
                    old="claim=claim_row(claim))",
                    new="claim={**claim_row(claim), 'spot': claim.spot and SAME.setdefault(claim.type, claim.spot)})",
                ),
                Mutation(
                    path="edge/change.py",
                    old="\n\n@dataclass(frozen=True, slots=True, kw_only=True)\nclass Change:",
                    new="\n\nSAME = {}\n\n\n@dataclass(frozen=True, slots=True, kw_only=True)\nclass Change:",
                ),
            )
        ),
        {"places_sold_twice", "conflicts", "availability_mismatches"},
    ),
    "arm_that_looks_at_no_loop": (
        Mutant(
            mutations=(
                Mutation(
                    path="edge/lanes.py",
                    old="(P.OPEN, E.SAFETY_OCCUPIED): (P.PASSING, ()),",
                    new="(P.OPEN, E.SAFETY_OCCUPIED): (P.CLOSING, (F.PASSED, F.LOWER_ARM)),",
                ),
                Mutation(
                    path="edge/lanes.py",
                    old="(P.CLOSING, E.SAFETY_OCCUPIED): (P.OPENING, (F.RAISE_ARM, F.TAILGATED)),",
                    new="",
                ),
                Mutation(
                    path="drivers/modbus/barrier.py",
                    old="if self._closed(answer).get(Input.SAFETY_LOOP):",
                    new="if self._closed(answer).get(Input.FAULT):",
                ),
            )
        ),
        {"arm_down_on_occupied_loop"},
    ),
    "money_taken_from_who_lost_the_race": (
        Mutant(
            mutations=(
                Mutation(
                    path="sync/payment.py",
                    old="(_S.AUTHORISED, _E.DECIDED_ABORTED): (_S.VOIDING, (_A.CANCEL,)),",
                    new="(_S.AUTHORISED, _E.DECIDED_ABORTED): (_S.CAPTURING, (_A.CAPTURE,)),",
                ),
            ),
            bookings=True,
        ),
        {"captured_without_booking"},
    ),
    "money_never_taken": (
        Mutant(
            mutations=(
                Mutation(
                    path="sync/payment.py",
                    old="(_S.AUTHORISED, _E.DECIDED_COMMITTED): (_S.CAPTURING, (_A.CAPTURE,)),",
                    new="(_S.AUTHORISED, _E.DECIDED_COMMITTED): (_S.CAPTURED, ()),",
                ),
            ),
            bookings=True,
        ),
        {"booked_without_capture"},
    ),
    "centre_that_breaks_at_a_question": (
        Mutant(
            mutations=(
                Mutation(
                    path="cloud/parking_lots/endpoints.py",
                    old="found = await _search(request).by_id([lot])",
                    new="found = [][lot.int % 2]",
                ),
            )
        ),
        {"http_5xx"},
    ),
}


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """Three short demos side by side, each with its own broker, database and ports."""

    async def run() -> list[Report]:
        return await asyncio.gather(*(run_mutant(mutant) for mutant in IN_MAKE_TEST.values()))

    return dict(zip(IN_MAKE_TEST, asyncio.run(run()), strict=True))


def test_a_sound_build_loses_nothing_in_the_same_power_cuts_and_with_the_line_cut(
    reports: dict[str, Report],
) -> None:
    report = reports["sound"]
    assert nonzero(report) == {}, report.faults
    assert report.figures["agent_kills"] == len(POWER_CUTS)
    assert report.figures["link_cuts"] == 1
    assert [fault for fault in report.faults if "fewer than" not in fault] == []


def test_a_driver_that_acknowledges_before_the_commit_loses_readings(reports: dict[str, Report]) -> None:
    report = reports["acknowledges on arrival"]
    assert report.figures["agent_kills"] == len(POWER_CUTS)
    assert int(str(report.figures["readings_lost"])) >= 3
    assert any(fault.startswith("readings_lost is") for fault in report.faults)


def test_an_inbox_without_its_key_takes_the_rows_twice_whose_acknowledgement_was_lost(
    reports: dict[str, Report],
) -> None:
    report = reports["inbox without its key"]
    assert int(str(report.figures["events_duplicated"])) >= 1
    assert report.figures["events_lost"] == 0
    assert any(fault.startswith("events_duplicated is") for fault in report.faults)


@pytest.mark.proof
@pytest.mark.parametrize("name", IN_MAKE_PROOF)
async def test_every_other_fault_makes_its_own_figure_nonzero(name: str) -> None:
    mutant, figures = IN_MAKE_PROOF[name]
    report = await run_mutant(mutant)
    assert figures <= nonzero(report).keys(), report.figures


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(2, 7))
async def test_the_faults_bite_with_every_seed(seed: int) -> None:
    lossy = await run_mutant(IN_MAKE_TEST["acknowledges on arrival"], seed)
    assert int(str(lossy.figures["readings_lost"])) >= 3
    twice = await run_mutant(IN_MAKE_TEST["inbox without its key"], seed)
    assert int(str(twice.figures["events_duplicated"])) >= 1
