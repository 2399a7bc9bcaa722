"""Where the sides of a booking that must agree do not: what drivers were told, what the lot and the centre decided, what the provider took.

Pure; the lists are what each side has on record. Next: simulators/report.py makes figures of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.booking_evidence import BookingEvidence, Decided, Line
from simulators.evidence import LogEntry
from simulators.kiosk_buyers import SOLD
from simulators.web_driver import BOOKED
from simulators.web_traffic import LOST_RACE
from sync.chain import unpack_envelope
from sync.instants import from_us

STANDS = frozenset({"active", "in_use", "completed", "cancel_pending"})
"""Words of a booking that its driver has or had."""
AT_LOT = {"comm": "committed", "comm_by_hand": "committed", "abrt": "aborted", "abrt_by_hand": "aborted"}
ENDS = frozenset({"committed", "aborted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookings:
    """What came of the comparison. `faults` has a sentence for each disagreement."""

    confirmed: int
    at_kiosks: int
    lost_race: int
    turned_away: int
    in_doubt_now: int
    captured_without_booking: int
    booked_without_capture: int
    told_wrong: int
    decided_differently: int
    faults: Sequence[str]


def compare_bookings(seen: BookingEvidence) -> Bookings:
    """Compare all four sides."""
    committed = {one.reservation for one in seen.decided if one.state == "committed"}
    answered = [line for line in seen.told if line["what"] == "web_answered"]
    booked = [line for line in answered if line["status"] == BOOKED]
    refused = [line for line in answered if line["status"] != BOOKED]
    lost = [line for line in refused if line["reason"] in LOST_RACE]
    kiosk = [line for line in seen.told if line["what"] == "kiosk_answered"]
    sold = [line for line in kiosk if line["status"] == SOLD]
    told_wrong = [
        *(
            f"booking {line['reservation']} was sold at a kiosk and is not there"
            for line in sold
            if line["reservation"] not in committed
        ),
        *(
            f"{_of(line)} was told to be booked and is not"
            for line in booked
            if line["reservation"] not in committed
        ),
        *(
            f"{_of(line)} was told to be refused and is booked"
            for line in refused
            if line["reservation"] in committed
        ),
    ]
    differently = _decided_differently(seen)
    captured, uncaptured = _captured_without_booking(seen), _booked_without_capture(seen)
    return Bookings(
        confirmed=sum(1 for line in booked if line["reservation"] in committed),
        at_kiosks=len(sold),
        lost_race=len(lost) + sum(1 for line in kiosk if line["reason"] in LOST_RACE),
        turned_away=len(refused) - len(lost),
        in_doubt_now=len(_in_doubt(seen)),
        captured_without_booking=len(captured),
        booked_without_capture=len(uncaptured),
        told_wrong=len(told_wrong),
        decided_differently=len(differently),
        faults=[*told_wrong, *differently, *captured, *uncaptured],
    )


def oldest_doubt(log: Sequence[LogEntry]) -> timedelta:
    """How long (civil) the lot did not know a decision, at the longest: from its vote to the word that ended it, or to the log's end."""
    began: dict[tuple[object, object], datetime] = {}
    longest, at = timedelta(0), None
    for row in sorted(log, key=lambda entry: (entry.epoch, entry.seq)):
        body = unpack_envelope(row.body).body
        at_us = body.get("at_us")
        if isinstance(at_us, int):
            at = from_us(at_us)
        if at is None:
            continue
        transaction = (body.get("reservation"), body.get("revision"))
        if row.kind == "prepared":
            began[transaction] = at
        elif row.kind in ENDS and transaction in began:
            longest = max(longest, at - began.pop(transaction))
    return max([longest, *(at - since for since in began.values() if at is not None)])


def passes_admitted_offline(
    truth: Sequence[Line], log: Sequence[LogEntry], line_cut: Sequence[tuple[float, float]]
) -> int:
    """Cars that came in with a pass while the line was cut, by the simulation's record, whose stay is in the lot's log."""
    stays = (unpack_envelope(row.body).body.get("stay") for row in log if row.kind == "stay_admitted")
    admitted = {
        str(stay["subject"])
        for stay in stays
        if isinstance(stay, dict) and stay.get("credential_kind") == "pass"
    }
    return sum(
        1
        for line in truth
        if line["what"] == "entered"
        and line.get("reservation") in admitted
        and any(cut <= float(str(line["t"])) < mended for cut, mended in line_cut)
    )


def _in_doubt(seen: BookingEvidence) -> set[tuple[str, int]]:
    at_lot = {transaction for transaction, state in seen.at_lot.items() if state == "prep"}
    return at_lot | {
        (one.reservation, one.revision) for one in seen.decided if one.state in {"preparing", "withheld"}
    }


def _decided_differently(seen: BookingEvidence) -> list[str]:
    """A lot that only turned the question away wrote nothing, and what was cancelled was committed before."""
    decided = {(one.reservation, one.revision): one.state for one in seen.decided}
    return [
        f"booking {transaction[0]}: {state} at the lot, {decided.get(transaction, 'nothing')} at the centre"
        for transaction, word in seen.at_lot.items()
        if (state := AT_LOT.get(word)) is not None and decided.get(transaction, "aborted") != state
    ]


def _captured_without_booking(seen: BookingEvidence) -> list[str]:
    standing = {one.reservation for one in seen.decided if _stands(one)}
    reservation_of = {one.payment: one.reservation for one in seen.paying}
    return [
        f"the provider keeps {intent.kept_minor} of {intent.id} and there is no booking for it"
        for intent in seen.intents
        if intent.kept_minor > 0 and reservation_of.get(intent.payment) not in standing
    ]


def _booked_without_capture(seen: BookingEvidence) -> list[str]:
    """What is booked is paid at the provider, or on record as owed."""
    kept = {intent.payment: intent.kept_minor for intent in seen.intents}
    paid = {one.reservation for one in seen.paying if kept.get(one.payment, 0) > 0 or one.receivable}
    return [
        f"booking {one.reservation} stands and {one.amount_minor} were never taken"
        for one in seen.decided
        if _stands(one) and one.amount_minor > 0 and one.reservation not in paid
    ]


def _stands(one: Decided) -> bool:
    return one.state == "committed" and one.status in STANDS


def _of(line: Line) -> str:
    return f"booking {line['reservation']} of driver {line['driver']}"
