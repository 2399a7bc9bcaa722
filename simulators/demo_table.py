"""The figures of a demo as a table for people: what must be zero marked, what was found wrong, the verdict and the exit status."""

from __future__ import annotations

from simulators.report import MUST_BE_ZERO, Report

LABELS = {
    "vehicles_entered": "vehicles in",
    "vehicles_exited": "vehicles out",
    "payments_taken": "payments taken",
    "barrier_moves": "moves of a barrier",
    "readings_published": "readings published",
    "readings_acknowledged": "readings acknowledged",
    "events_logged": "facts in the lot's log",
    "events_applied": "facts at the centre",
    "link_cuts": "cuts of the line",
    "agent_kills": "kills of the agent",
    "drain_seconds": "backlog drained in, s",
    "decision_ms": "decision at the lane, ms",
    "sensor_to_cloud_ms": "sensor to subscriber, ms",
    "bookings_confirmed": "bookings on the web",
    "bookings_at_kiosks": "bookings at the kiosks",
    "bookings_lost_race": "heard just taken",
    "bookings_turned_away": "not booked, line down",
    "passes_admitted_offline": "passes admitted, line down",
    "oldest_doubt_seconds": "longest in doubt, s",
    "readings_lost": "readings acknowledged but lost",
    "events_lost": "facts lost",
    "events_duplicated": "facts twice",
    "places_sold_twice": "places sold twice",
    "availability_mismatches": "disagreements on availability",
    "conflicts": "conflicts",
    "arm_down_on_occupied_loop": "arm down on a car",
    "http_5xx": "server errors",
    "captured_without_booking": "money taken without a booking",
    "booked_without_capture": "booked and never paid",
    "bookings_in_doubt_now": "bookings still in doubt",
    "bookings_told_wrong": "drivers told what was not so",
    "bookings_decided_differently": "lot and centre decided apart",
}
GOOD, BAD = {False: "✓", True: "ok"}, {False: "■", True: "!!"}


def table_of(report: Report, *, ascii_only: bool = False) -> str:
    """The table, ending with a line break."""
    good, bad = GOOD[ascii_only], BAD[ascii_only]
    lines = []
    for name, label in LABELS.items():
        value = report.figures[name]
        if isinstance(value, dict):
            parts = [f"{key} {part}" for key, part in value.items() if part is not None]
            value = ", ".join(parts) if value["samples"] else "not measured"
        mark = "" if name not in MUST_BE_ZERO else (good if value == 0 else bad)
        lines.append(f" {mark:<{len(good)}} {label:<32} {'not measured' if value is None else value}")
    lines += [f" {bad} {fault}" for fault in report.faults]
    verdict = (
        f"{good} nothing lost, nothing twice; exit status 0"
        if report.passed
        else f"{bad} the demo failed; exit status 1"
    )
    return "\n".join([*lines, f" {verdict}"]) + "\n"
