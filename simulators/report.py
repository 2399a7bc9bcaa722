"""Whether anything was lost, counted twice or sold twice: computed by comparing what the sides have on record, never by asking one of them.

The simulation's record is the truth of the lot, the tap's list is what the agent acknowledged to the broker, the gateway's file and the
centre's tables are what each believes (simulators/differences.py compares them).

A zero proves something only where there was something to count: a comparison that saw no reading, no fact or no decision is a fault of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simulators.booking_differences import (
    Bookings,
    compare_bookings,
    oldest_doubt,
    passes_admitted_offline,
)
from simulators.booking_evidence import BookingEvidence
from simulators.broker_tap import Delivered
from simulators.differences import (
    Heard,
    Line,
    acknowledged_readings,
    availability_mismatches,
    log_differences,
    lost_readings,
    places_sold_twice,
    sensor_to_cloud_ms,
)
from simulators.evidence import CloudEvidence, EdgeEvidence

MUST_BE_ZERO = (
    "readings_lost",
    "events_lost",
    "events_duplicated",
    "places_sold_twice",
    "availability_mismatches",
    "conflicts",
    "arm_down_on_occupied_loop",
    "http_5xx",
    "captured_without_booking",
    "booked_without_capture",
    "bookings_in_doubt_now",
    "bookings_told_wrong",
    "bookings_decided_differently",
)
FEWEST_VEHICLES = 50
FEWEST_ACKNOWLEDGED = 0.9
MOST_SENTENCES = 10
LANE_DECISIONS = frozenset({"button", "code", "pass", "plate", "touch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of one series in milliseconds; all None where there is no sample."""

    p50: float | None
    p99: float | None
    max: float | None
    samples: int

    @classmethod
    def of(cls, milliseconds: Iterable[float]) -> Percentiles:
        """Nearest-rank percentiles."""
        ordered = sorted(milliseconds)
        if not ordered:
            return cls(p50=None, p99=None, max=None, samples=0)
        return cls(
            p50=round(_rank(ordered, 50), 2),
            p99=round(_rank(ordered, 99), 2),
            max=round(ordered[-1], 2),
            samples=len(ordered),
        )

    def as_json(self) -> dict[str, float | int | None]:
        """The figures by name."""
        return {"p50": self.p50, "p99": self.p99, "max": self.max, "samples": self.samples}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRun:
    """What only the demo knows of its run, on real monotonic seconds.

    `seen` is what the demo's own subscriber heard, and when. `line_down` are the spells in which the line was cut, each until the backlog was
    drained, `line_cut` the same until the line was back. `booked` False: nobody was to book. `http_5xx` counts answers that the demo and the simulated drivers got, `asked` how many the demo asked for.
    """

    seconds: float
    speed: float
    seed: int
    link_cuts: int
    agent_kills: int
    http_5xx: int
    asked: int
    drain_seconds: float | None
    seen: Sequence[Heard] = ()
    line_down: Sequence[tuple[float, float]] = ()
    line_cut: Sequence[tuple[float, float]] = ()
    booked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures, and what they were found to be wrong about (`faults`, one sentence each)."""

    figures: Mapping[str, object]
    faults: Sequence[str] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """Whether everything that must be zero is, and enough was seen for that to mean something."""
        return not self.faults


def compare(
    *,
    truth: Sequence[Line],
    delivered: Sequence[Delivered],
    edge: EdgeEvidence,
    cloud: CloudEvidence,
    bookings: BookingEvidence,
    run: DemoRun,
) -> Report:
    """Compare all sides."""
    by_what: dict[str, list[Line]] = {}
    for line in truth:
        by_what.setdefault(str(line["what"]), []).append(line)
    readings, arms = by_what.get("reading", []), by_what.get("arm", [])
    acknowledged = acknowledged_readings(readings, delivered)
    logs = log_differences(edge.log, cloud.inbox)
    mismatches = availability_mismatches(readings, edge, cloud)
    decisions = [line for line in by_what.get("decision", []) if line["kind"] in LANE_DECISIONS]
    compared = compare_bookings(bookings)
    figures: dict[str, object] = {
        "seconds": run.seconds,
        "speed": run.speed,
        "seed": run.seed,
        "vehicles_entered": len(by_what.get("entered", [])),
        "vehicles_exited": len(by_what.get("left", [])),
        "readings_published": len(readings),
        "readings_acknowledged": len(acknowledged),
        "readings_lost": len(lost_readings(acknowledged, edge)),
        "events_logged": len(edge.log),
        "events_applied": len({(row.epoch, row.seq) for row in cloud.inbox}),
        "events_lost": logs.lost,
        "events_duplicated": logs.duplicated,
        "places_sold_twice": places_sold_twice(edge, cloud),
        "availability_mismatches": len(mismatches),
        "conflicts": edge.conflicts + cloud.conflicts,
        "barrier_moves": sum(1 for line in arms if not line.get("refused")),
        "arm_down_on_occupied_loop": sum(1 for line in arms if _is_on_a_car(line)),
        "link_cuts": run.link_cuts,
        "agent_kills": run.agent_kills,
        "http_5xx": run.http_5xx,
        "decision_ms": Percentiles.of(float(str(line["ms"])) for line in decisions).as_json(),
        "sensor_to_cloud_ms": Percentiles.of(sensor_to_cloud_ms(readings, run.seen, run.line_down)).as_json(),
        "drain_seconds": run.drain_seconds,
        "payments_taken": len(by_what.get("payment", [])),
        "quarantined": cloud.outcomes.get("quarantined", 0),
        **_of_bookings(compared),
        "passes_admitted_offline": passes_admitted_offline(truth, edge.log, run.line_cut),
        "oldest_doubt_seconds": round(oldest_doubt(edge.log).total_seconds() / run.speed, 3),
    }
    faults = [
        *_not_zero(figures),
        *mismatches[:MOST_SENTENCES],
        *compared.faults[:MOST_SENTENCES],
        *_too_few(figures),
        *_nothing_seen(figures, run),
    ]
    return Report(figures=figures, faults=faults)


def _of_bookings(compared: Bookings) -> dict[str, object]:
    return {
        "bookings_confirmed": compared.confirmed,
        "bookings_at_kiosks": compared.at_kiosks,
        "bookings_lost_race": compared.lost_race,
        "bookings_turned_away": compared.turned_away,
        "bookings_in_doubt_now": compared.in_doubt_now,
        "bookings_told_wrong": compared.told_wrong,
        "bookings_decided_differently": compared.decided_differently,
        "captured_without_booking": compared.captured_without_booking,
        "booked_without_capture": compared.booked_without_capture,
    }


def _is_on_a_car(line: Line) -> bool:
    return (
        line["move"] == "close" and not line.get("refused") and line.get("safety_loop_occupied_s") is not None
    )


def _not_zero(figures: Mapping[str, object]) -> list[str]:
    return [f"{name} is {figures[name]}, not 0" for name in MUST_BE_ZERO if figures[name] != 0]


def _too_few(figures: Mapping[str, object]) -> list[str]:
    return [
        f"{name} is {figures[name]}, fewer than {FEWEST_VEHICLES}"
        for name in ("vehicles_entered", "vehicles_exited")
        if _count(figures, name) < FEWEST_VEHICLES
    ]


def _nothing_seen(figures: Mapping[str, object], run: DemoRun) -> list[str]:
    """Why a zero among the figures may mean nothing."""
    faults = [
        f"{name} is 0: nothing was compared"
        for name in ("readings_published", "events_logged", "events_applied", "barrier_moves")
        if not _count(figures, name)
    ]
    faults += [
        f"{name} has no sample"
        for name in ("decision_ms", "sensor_to_cloud_ms")
        if not _samples(figures[name])
    ]
    published, acknowledged = (
        _count(figures, "readings_published"),
        _count(figures, "readings_acknowledged"),
    )
    if acknowledged < FEWEST_ACKNOWLEDGED * published:
        faults.append(f"the tap saw only {acknowledged} of {published} readings acknowledged")
    if run.booked and not _count(figures, "bookings_confirmed"):
        faults.append("bookings_confirmed is 0: nothing was booked")
    if not run.asked:
        faults.append("the centre was asked nothing: its answers were not looked at")
    if not run.seen:
        faults.append("the centre's WebSocket told the subscriber nothing")
    return faults


def _count(figures: Mapping[str, object], name: str) -> int:
    return int(str(figures[name]))


def _samples(percentiles: object) -> bool:
    return isinstance(percentiles, Mapping) and bool(percentiles["samples"])


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
