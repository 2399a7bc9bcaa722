"""Whether anything was lost, counted twice or sold twice: computed by comparing what the sides have on record, never by asking one of them.

The simulation's record is the truth of the lot, the tap's list is what the agent acknowledged to the broker, the gateway's file and the
centre's tables are what each believes. A pair of promises is sought by brute force, the log is replayed from its own bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from drivers.errors import MalformedInput
from drivers.mqtt.envelopes import parse_chirpstack, parse_things_stack
from simulators.broker_tap import Delivered
from simulators.evidence import CloudEvidence, EdgeEvidence, LogEntry, Promise
from sync.chain import unpack_envelope
from sync.rows import claim_from_row

MUST_BE_ZERO = (
    "readings_lost",
    "events_lost",
    "events_duplicated",
    "places_sold_twice",
    "availability_mismatches",
    "conflicts",
    "arm_down_on_occupied_loop",
    "http_5xx",
)
FEWEST_VEHICLES = 50
LANE_DECISIONS = frozenset({"button", "code", "plate", "touch"})
Line = Mapping[str, object]


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

    `seen` is when the demo's own subscriber heard of a spot's state: (spot number, state, at). `line_down` are the spells in which the line was cut, each
    until the backlog was drained. `http_5xx` counts answers that the demo and the simulated drivers got.
    """

    seconds: float
    speed: float
    seed: int
    link_cuts: int
    agent_kills: int
    http_5xx: int
    drain_seconds: float | None
    seen: Sequence[tuple[str, str, float]] = ()
    line_down: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures, and what they were found to be wrong about (`faults`, one sentence each)."""

    figures: Mapping[str, object]
    faults: Sequence[str] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """Whether everything that must be zero is, and enough vehicles came and went."""
        return not self.faults


def compare(
    *,
    truth: Sequence[Line],
    delivered: Sequence[Delivered],
    edge: EdgeEvidence,
    cloud: CloudEvidence,
    run: DemoRun,
) -> Report:
    """Compare all sides."""
    by_what: dict[str, list[Line]] = {}
    for line in truth:
        by_what.setdefault(str(line["what"]), []).append(line)
    readings = by_what.get("reading", [])
    acknowledged = _acknowledged(readings, delivered)
    lost = [reading for reading in acknowledged if not _is_kept(reading, edge)]
    log_faults = log_differences(edge.log, cloud.inbox)
    figures: dict[str, object] = {
        "seconds": run.seconds,
        "speed": run.speed,
        "seed": run.seed,
        "vehicles_entered": len(by_what.get("entered", [])),
        "vehicles_exited": len(by_what.get("left", [])),
        "readings_published": len(readings),
        "readings_acknowledged": len(acknowledged),
        "readings_lost": len(lost),
        "events_logged": len(edge.log),
        "events_applied": len({(row.epoch, row.seq) for row in cloud.inbox}),
        "events_lost": log_faults.lost,
        "events_duplicated": log_faults.duplicated,
        "places_sold_twice": places_sold_twice(edge, cloud),
        "availability_mismatches": len(availability_mismatches(readings, edge, cloud)),
        "conflicts": edge.conflicts + cloud.conflicts,
        "barrier_moves": sum(1 for line in by_what.get("arm", []) if not line.get("refused")),
        "arm_down_on_occupied_loop": sum(1 for line in by_what.get("arm", []) if _is_on_a_car(line)),
        "link_cuts": run.link_cuts,
        "agent_kills": run.agent_kills,
        "http_5xx": run.http_5xx,
        "decision_ms": Percentiles.of(
            float(str(line["ms"])) for line in by_what.get("decision", []) if line["kind"] in LANE_DECISIONS
        ).as_json(),
        "sensor_to_cloud_ms": Percentiles.of(sensor_to_cloud_ms(readings, run)).as_json(),
        "drain_seconds": run.drain_seconds,
        "payments_taken": len(by_what.get("payment", [])),
        "quarantined": cloud.outcomes.get("quarantined", 0),
    }
    return Report(figures=figures, faults=_faults(figures, edge, cloud, readings))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDifferences:
    """Rows of the gateway's log that the centre lacks or holds differently, and rows that it holds more than once."""

    lost: int
    duplicated: int


def log_differences(logged: Sequence[LogEntry], applied: Sequence[LogEntry]) -> LogDifferences:
    """Compare the logs row by row, bytes included."""
    at_centre: dict[tuple[int, int], list[LogEntry]] = {}
    for row in applied:
        at_centre.setdefault((row.epoch, row.seq), []).append(row)
    lost = sum(
        1
        for row in logged
        if not any(
            (held.hash, held.body) == (row.hash, row.body) for held in at_centre.get((row.epoch, row.seq), ())
        )
    )
    return LogDifferences(lost=lost, duplicated=sum(len(rows) - 1 for rows in at_centre.values()))


def places_sold_twice(edge: EdgeEvidence, cloud: CloudEvidence) -> int:
    """Pairs of promises of one spot whose windows overlapped while both stood, now on either side or at any moment of the log."""
    standing = _pairs(edge.claims) | _pairs(cloud.claims)
    return len(standing | _pairs_in_the_log(cloud.inbox) | _pairs_in_the_log(edge.log))


def availability_mismatches(readings: Sequence[Line], edge: EdgeEvidence, cloud: CloudEvidence) -> list[str]:
    """Where truth, gateway and centre disagree once all is quiet, one sentence each: spots first, then counts by type."""
    said = {str(line["spot"]): "occupied" if line["occupied"] else "free" for line in readings}
    found = []
    for spot, state in said.items():
        at_edge = edge.spot_states.get(spot, ("unknown", None))[0]
        at_centre = cloud.spot_states.get(spot, "unknown")
        if not state == at_edge == at_centre:
            found.append(f"spot {spot}: its sensor said {state}, gateway {at_edge}, centre {at_centre}")
    for spot_type, total in edge.spots_by_type.items():
        shown = cloud.counts.get(spot_type)
        if shown is None or shown[1] != total or not 0 <= shown[0] <= total:
            found.append(f"type {spot_type}: {total} painted, the centre shows {shown}")
    edge_claims = {(claim.id, claim.spot, claim.starts_at, claim.ends_at) for claim in edge.claims}
    cloud_claims = {(claim.id, claim.spot, claim.starts_at, claim.ends_at) for claim in cloud.claims}
    found += [f"claim {claim[0]} stands on one side only" for claim in edge_claims ^ cloud_claims]
    return found


def sensor_to_cloud_ms(readings: Sequence[Line], run: DemoRun) -> list[float]:
    """From a sensor's message to the demo's subscriber, for changes published with the line up and drained."""
    heard: dict[str, list[tuple[float, str]]] = {}
    for spot, state, at_s in run.seen:
        heard.setdefault(spot, []).append((at_s, state))
    last: dict[str, bool] = {}
    found = []
    for line in readings:
        spot, occupied, sent_s = str(line["spot"]), bool(line["occupied"]), float(str(line["t"]))
        changed = spot in last and last[spot] != occupied
        last[spot] = occupied
        if not changed or any(start <= sent_s <= end for start, end in run.line_down):
            continue
        state = "occupied" if occupied else "free"
        arrived = next((at for at, told in heard.get(spot, ()) if at >= sent_s and told == state), None)
        if arrived is not None:
            found.append((arrived - sent_s) * 1_000)
    return found


def _acknowledged(readings: Sequence[Line], delivered: Sequence[Delivered]) -> list[Line]:
    """The readings whose message the agent acknowledged, by the identity that their source gave them."""
    keys = {key for message in delivered if (key := _key_of(message)) is not None}
    return [line for line in readings if (str(line["device"]).lower(), str(line["key"])) in keys]


def _key_of(message: Delivered) -> tuple[str, str] | None:
    for parse in (parse_chirpstack, parse_things_stack):
        try:
            uplink = parse(message.body, message.topic)
        except MalformedInput:
            continue
        if uplink.duplicate_key is not None:
            return uplink.device.lower(), uplink.duplicate_key
    return None


def _is_kept(reading: Line, edge: EdgeEvidence) -> bool:
    """Whether an acknowledged reading is stored, or superseded by a later one of its spot."""
    known = edge.spot_states.get(str(reading["spot"]))
    occurred_at = datetime.fromisoformat(str(reading["occurred_at"]))
    if known is None or known[1] < occurred_at:
        return False
    if known[1] > occurred_at:
        return True
    return known[0] == ("occupied" if reading["occupied"] else "free")


def _is_on_a_car(line: Line) -> bool:
    return line["move"] == "close" and not line.get("refused") and bool(line.get("safety_loop_occupied_s"))


def _pairs(promises: Iterable[Promise]) -> set[tuple[str, str]]:
    by_spot: dict[str, list[Promise]] = {}
    for promise in promises:
        if promise.spot is not None:
            by_spot.setdefault(promise.spot, []).append(promise)
    return {
        (min(one.id, other.id), max(one.id, other.id))
        for standing in by_spot.values()
        for one, other in combinations(standing, 2)
        if one.overlaps(other)
    }


def _pairs_in_the_log(log: Sequence[LogEntry]) -> set[tuple[str, str]]:
    """Replay every promise of the log from its bytes: those that ever stood on one spot at once with windows that overlap.

    The rows of one transaction come one after another, and a re-pack swaps spots within one; so pairs are counted where a run of claims ends.
    """
    standing: dict[str, Promise] = {}
    found: set[tuple[str, str]] = set()
    touched: set[str] = set()
    for row in sorted(log, key=lambda entry: (entry.epoch, entry.seq)):
        if row.kind != "claim_changed":
            found |= _pairs(one for one in standing.values() if one.spot in touched)
            touched.clear()
            continue
        claim = claim_from_row(unpack_envelope(row.body).body["claim"])
        standing.pop(claim.id, None)
        if claim.state.value != "released" and claim.spot is not None:
            touched.add(claim.spot)
            standing[claim.id] = Promise(
                id=claim.id,
                spot=claim.spot,
                starts_at=claim.window.starts_at,
                ends_at=claim.window.ends_at,
                clashing=claim.clashing,
            )
    return found | _pairs(standing.values())


def _faults(
    figures: Mapping[str, object], edge: EdgeEvidence, cloud: CloudEvidence, readings: Sequence[Line]
) -> list[str]:
    faults = [f"{name} is {figures[name]}, not 0" for name in MUST_BE_ZERO if figures[name] != 0]
    faults += availability_mismatches(readings, edge, cloud)[:10]
    for name in ("vehicles_entered", "vehicles_exited"):
        if int(str(figures[name])) < FEWEST_VEHICLES:
            faults.append(f"{name} is {figures[name]}, fewer than {FEWEST_VEHICLES}")
    return faults


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
