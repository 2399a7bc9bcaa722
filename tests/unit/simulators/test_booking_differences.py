from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from simulators.booking_differences import compare_bookings, oldest_doubt, passes_admitted_offline
from simulators.booking_evidence import BookingEvidence, Decided, Intent, Line, Paying
from simulators.evidence import LogEntry
from sync.chain import Envelope, pack_envelope
from sync.instants import to_us

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
BOOKED: Line = {
    "what": "web_answered",
    "driver": 1,
    "reservation": "r-1",
    "status": "booked",
    "reason": "",
}
LOST: Line = {
    "what": "web_answered",
    "driver": 2,
    "reservation": "r-2",
    "status": 409,
    "reason": "full",
}
DECIDED = Decided(reservation="r-1", revision=1, state="committed", status="active", amount_minor=480)
ABORTED = replace(DECIDED, reservation="r-2", state="aborted", status="refused")
PAYING = Paying(payment="p-1", reservation="r-1", intent="pi_1", standing="captured", receivable=False)
INTENT = Intent(id="pi_1", payment="p-1", received_minor=480, refunded_minor=0)
GOOD = BookingEvidence(
    told=[BOOKED, LOST],
    at_lot={("r-1", 1): "comm", ("r-2", 1): "abrt"},
    decided=[DECIDED, ABORTED],
    paying=[PAYING],
    intents=[INTENT],
)


def test_one_who_booked_and_one_who_lost_the_race_agree_on_all_sides() -> None:
    found = compare_bookings(GOOD)
    assert (found.confirmed, found.lost_race, found.turned_away, found.in_doubt_now) == (1, 1, 0, 0)
    assert found.faults == []
    assert GOOD.settled


def test_who_hears_that_the_line_is_down_lost_no_race() -> None:
    found = compare_bookings(replace(GOOD, told=[BOOKED, {**LOST, "reason": "link_down"}]))
    assert (found.lost_race, found.turned_away) == (0, 1)


@pytest.mark.parametrize("status", ["cancelled", "refused", "displaced"])
def test_money_that_the_provider_keeps_for_no_booking_is_found(status: str) -> None:
    found = compare_bookings(replace(GOOD, decided=[replace(DECIDED, status=status), ABORTED]))
    assert found.captured_without_booking == 1
    assert any("keeps 480 of pi_1" in fault for fault in found.faults)


def test_money_of_an_aborted_booking_is_found_unless_it_was_given_back() -> None:
    decided = [replace(DECIDED, state="aborted", status="refused")]
    taken = replace(GOOD, told=[], at_lot={}, decided=decided)
    assert compare_bookings(taken).captured_without_booking == 1
    given_back = replace(taken, intents=[replace(INTENT, refunded_minor=480)])
    assert compare_bookings(given_back).captured_without_booking == 0


def test_money_of_a_payment_that_the_centre_never_heard_of_is_found() -> None:
    found = compare_bookings(replace(GOOD, intents=[INTENT, replace(INTENT, id="pi_2", payment="")]))
    assert found.captured_without_booking == 1


def test_a_booking_that_nobody_paid_is_found_unless_it_is_owed_on_record() -> None:
    unpaid = replace(GOOD, intents=[replace(INTENT, received_minor=0)])
    assert compare_bookings(unpaid).booked_without_capture == 1
    owed = replace(unpaid, paying=[replace(PAYING, standing="receivable", receivable=True)])
    assert compare_bookings(owed).booked_without_capture == 0
    free = replace(unpaid, decided=[replace(DECIDED, amount_minor=0), ABORTED])
    assert compare_bookings(free).booked_without_capture == 0


@pytest.mark.parametrize("state", ["aborted", "draft", "preparing"])
def test_a_driver_who_was_told_yes_and_has_nothing_is_found(state: str) -> None:
    found = compare_bookings(replace(GOOD, at_lot={}, decided=[replace(DECIDED, state=state), ABORTED]))
    assert (found.confirmed, found.told_wrong) == (0, 1)


def test_what_a_kiosk_sold_is_a_reservation_of_the_centre_and_what_it_refused_lost_the_race() -> None:
    sold: Line = {
        "what": "kiosk_answered",
        "lane": "exit-1",
        "reservation": "r-1",
        "status": "sold",
        "reason": "",
    }
    full: Line = {**sold, "reservation": None, "status": 409, "reason": "full"}
    found = compare_bookings(replace(GOOD, told=[sold, full]))
    assert (found.at_kiosks, found.lost_race, found.told_wrong) == (1, 1, 0)
    assert compare_bookings(replace(GOOD, told=[{**sold, "reservation": "r-9"}])).told_wrong == 1


def test_a_driver_who_was_told_no_and_is_booked_is_found() -> None:
    assert compare_bookings(replace(GOOD, told=[{**LOST, "reservation": "r-1"}])).told_wrong == 1


def test_a_lot_and_a_centre_that_decided_differently_are_found() -> None:
    for at_lot in ({("r-1", 1): "abrt"}, {("r-2", 1): "comm"}, {("r-3", 1): "comm"}):
        assert compare_bookings(replace(GOOD, at_lot=at_lot)).decided_differently == 1
    for at_lot in ({("r-3", 1): "abrt"}, {("r-1", 1): "canc"}, {("r-1", 1): "prep"}):
        assert compare_bookings(replace(GOOD, at_lot=at_lot)).decided_differently == 0


def test_a_doubt_counts_once_whichever_side_has_it() -> None:
    at_both = replace(
        GOOD,
        at_lot={("r-1", 1): "prep"},
        decided=[replace(DECIDED, state="preparing"), replace(ABORTED, state="preparing")],
    )
    assert compare_bookings(at_both).in_doubt_now == 2
    assert not at_both.settled


def test_money_on_its_way_is_not_settled() -> None:
    for standing in ("authorised", "capturing"):
        assert not replace(GOOD, paying=[replace(PAYING, standing=standing)]).settled


def log_of(*rows: tuple[str, float, dict[str, object]]) -> list[LogEntry]:
    return [
        LogEntry(
            epoch=1,
            seq=seq,
            hash=bytes(32),
            kind=kind,
            body=pack_envelope(
                Envelope(
                    epoch=1,
                    seq=seq,
                    boot="boot",
                    since_boot_us=seq,
                    kind=kind,
                    body={"at_us": to_us(NOON + timedelta(seconds=after_s)), **body},
                )
            ),
        )
        for seq, (kind, after_s, body) in enumerate(rows, start=1)
    ]


def of(reservation: str) -> dict[str, object]:
    return {"reservation": reservation, "revision": 1}


def test_the_oldest_doubt_is_the_longest_time_from_a_vote_to_the_word_that_ended_it() -> None:
    log = log_of(
        ("prepared", 0, of("r-1")),
        ("prepared", 5, of("r-2")),
        ("committed", 6, of("r-2")),
        ("aborted", 30, of("r-1")),
        ("aborted", 90, of("r-3")),
    )
    assert oldest_doubt(log) == timedelta(seconds=30)
    assert oldest_doubt([]) == timedelta(0)


def test_a_doubt_that_never_ended_lasts_until_the_end_of_the_log() -> None:
    log = log_of(("prepared", 10, of("r-1")), ("gate_moved", 70, {"lane": "entry-1"}))
    assert oldest_doubt(log) == timedelta(seconds=60)


def test_a_pass_counts_where_the_car_came_in_with_the_line_cut_and_the_lot_has_it_on_record() -> None:
    log = log_of(("stay_admitted", 0, {"stay": {"credential_kind": "pass", "subject": "r-1"}}))
    entered: Line = {"what": "entered", "vehicle": 1, "t": 15.0, "reservation": "r-1"}
    cut = [(10.0, 20.0)]
    assert passes_admitted_offline([entered], log, cut) == 1
    assert passes_admitted_offline([{**entered, "t": 20.0}], log, cut) == 0
    assert passes_admitted_offline([{**entered, "t": 9.9}], log, cut) == 0
    assert passes_admitted_offline([{**entered, "reservation": "r-2"}], log, cut) == 0
    assert passes_admitted_offline([{"what": "entered", "vehicle": 2, "t": 15.0}], log, cut) == 0
