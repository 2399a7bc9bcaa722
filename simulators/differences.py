"""Where two sides that must agree do not: readings, logs, promises, availability. Pure; the lists are what each side has on record.

A pair of promises is sought by brute force and the log is replayed from its own bytes, so that no index of ours can hide what it got wrong. Next:
simulators/report.py makes figures of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from drivers.errors import MalformedInput
from drivers.mqtt.envelopes import parse_chirpstack, parse_things_stack
from simulators.broker_tap import Delivered
from simulators.evidence import CloudEvidence, EdgeEvidence, LogEntry, Promise
from sync.chain import unpack_envelope
from sync.rows import claim_from_row

Line = Mapping[str, object]
Heard = tuple[str, str, float]
"""What the demo's subscriber was told: a spot's number, its state, at real monotonic seconds."""


def acknowledged_readings(readings: Sequence[Line], delivered: Sequence[Delivered]) -> list[Line]:
    """The readings whose message the agent acknowledged, by the identity that their source gave them."""
    keys = {key for message in delivered if (key := _key_of(message)) is not None}
    return [line for line in readings if (str(line["device"]).lower(), str(line["key"])) in keys]


def lost_readings(acknowledged: Sequence[Line], edge: EdgeEvidence) -> list[Line]:
    """Those that are neither stored nor superseded by a later one of their spot."""
    return [reading for reading in acknowledged if not _is_kept(reading, edge)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDifferences:
    """Facts that one side has and the other lacks or holds with other bytes, and rows that the centre holds more than once."""

    lost: int
    duplicated: int


def log_differences(logged: Sequence[LogEntry], applied: Sequence[LogEntry]) -> LogDifferences:
    """Compare the logs row by row, bytes included.

    A number that the gateway skipped is a lost fact, and so is one that the centre has from it and that it has no more itself; rows before its oldest
    are none, their time to be kept is over.
    """
    at_centre: dict[tuple[int, int], list[LogEntry]] = {}
    for row in applied:
        at_centre.setdefault((row.epoch, row.seq), []).append(row)
    at_gateway = {(row.epoch, row.seq): row for row in logged}
    lost = {
        number
        for number, row in at_gateway.items()
        if not any((held.hash, held.body) == (row.hash, row.body) for held in at_centre.get(number, ()))
    }
    oldest: dict[int, int] = {}
    newest: dict[int, int] = {}
    for epoch, seq in at_gateway:
        oldest[epoch] = min(seq, oldest.get(epoch, seq))
        newest[epoch] = max(seq, newest.get(epoch, seq))
    lost |= {
        (epoch, seq)
        for epoch in oldest
        for seq in range(oldest[epoch], newest[epoch] + 1)
        if (epoch, seq) not in at_gateway
    }
    lost |= {
        (epoch, seq)
        for epoch, seq in at_centre
        if (epoch, seq) not in at_gateway and seq >= oldest.get(epoch, 0)
    }
    return LogDifferences(lost=len(lost), duplicated=sum(len(rows) - 1 for rows in at_centre.values()))


def places_sold_twice(edge: EdgeEvidence, cloud: CloudEvidence) -> int:
    """Pairs of promises of one spot whose windows overlapped while both stood, now on either side or at any moment of the log."""
    standing = _pairs(edge.claims) | _pairs(cloud.claims)
    return len(standing | _pairs_in_the_log(cloud.inbox) | _pairs_in_the_log(edge.log))


def availability_mismatches(readings: Sequence[Line], edge: EdgeEvidence, cloud: CloudEvidence) -> list[str]:
    """Where truth, gateway and centre disagree once all is quiet, one sentence each: spots, then counts by type, then claims and stays."""
    said = {str(line["spot"]): "occupied" if line["occupied"] else "free" for line in readings}
    found = []
    for spot, state in said.items():
        at_edge = edge.spot_states.get(spot, ("unknown", None))[0]
        at_centre = cloud.spot_states.get(spot, "unknown")
        if not state == at_edge == at_centre:
            found.append(f"spot {spot}: its sensor said {state}, gateway {at_edge}, centre {at_centre}")
    for spot_type, total in edge.spots_by_type.items():
        promised = edge.promised_by_type.get(spot_type, 0)
        shown = cloud.counts.get(spot_type)
        if shown is None or shown[1] != total or not 0 <= shown[0] <= total - promised:
            found.append(
                f"type {spot_type}: {total} painted, {promised} promised, the centre shows (free, of) {shown}"
            )
    edge_claims = {(claim.id, claim.spot, claim.starts_at, claim.ends_at) for claim in edge.claims}
    cloud_claims = {(claim.id, claim.spot, claim.starts_at, claim.ends_at) for claim in cloud.claims}
    found += [
        f"claim {claim} stands on one side only"
        for claim in sorted({c[0] for c in edge_claims ^ cloud_claims})
    ]
    found += [
        f"stays {state}: {edge.stays.get(state, 0)} at the gateway, {cloud.stays.get(state, 0)} at the centre"
        for state in ("admitted", "inside")
        if edge.stays.get(state, 0) != cloud.stays.get(state, 0)
    ]
    return found


def sensor_to_cloud_ms(
    readings: Sequence[Line], seen: Sequence[Heard], line_down: Sequence[tuple[float, float]]
) -> list[float]:
    """From a sensor's message to the demo's subscriber, for changes of which the line was up, and drained, all the while."""
    heard: dict[str, list[tuple[float, str]]] = {}
    for spot, state, at_s in seen:
        heard.setdefault(spot, []).append((at_s, state))
    last: dict[str, bool] = {}
    found = []
    for line in readings:
        spot, occupied, sent_s = str(line["spot"]), bool(line["occupied"]), float(str(line["t"]))
        changed = spot in last and last[spot] != occupied
        last[spot] = occupied
        if not changed:
            continue
        state = "occupied" if occupied else "free"
        arrived_s = next((at for at, told in heard.get(spot, ()) if at >= sent_s and told == state), None)
        if arrived_s is None or any(start <= arrived_s and sent_s <= end for start, end in line_down):
            continue
        found.append((arrived_s - sent_s) * 1_000)
    return found


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
    known = edge.spot_states.get(str(reading["spot"]))
    occurred_at = datetime.fromisoformat(str(reading["occurred_at"]))
    if known is None or known[1] < occurred_at:
        return False
    if known[1] > occurred_at:
        return True
    return known[0] == ("occupied" if reading["occupied"] else "free")


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
