"""How soon sensors that lie are found, and how often an honest one is accused: days of simulated lots with the truth known.

    python benchmarks/liars.py [--lots 10] [--spaces 150] [--days 7]

Each lot learns for three days; then one sensor of every kind fails each day. Time counts from the first false word, in civil time. Lots with lanes know who is
inside; streets do not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from datetime import timedelta
from statistics import median

from simulators.liar_days import Fault, Findings, drift_days, liar_days

LEAST_FOUND = {
    Fault.FLAPPING: 0.99,
    Fault.REPEATING: 0.9,
    Fault.LATE: 0.9,
    Fault.SILENT: 0.9,
}
MOST_FALSE_ALARMS = 0.002
"""For each day of a healthy sensor."""


def of_kind(found: list[Findings], fault: Fault) -> dict[str, object]:
    """How many sensors of a kind lied, how many were found, and how soon (hours)."""
    lied = [b for each in found for b in each.broken if b.fault is fault and b.lied_at is not None]
    hours = sorted((b.found_at - b.lied_at) / timedelta(hours=1) for b in lied if b.found_at and b.lied_at)
    names = Counter(str(lie) for b in lied for lie in b.found_as)
    return {
        "lied": len(lied),
        "found": len(hours),
        "median_h": round(median(hours), 2) if hours else None,
        "p90_h": round(hours[max(0, -(-len(hours) * 9 // 10) - 1)], 2) if hours else None,
        "found_as": dict(names.most_common()),
    }


def summary(found: list[Findings]) -> dict[str, object]:
    """All figures of a kind of lot."""
    days = sum(each.sensor_days for each in found)
    alarms = [alarm for each in found for alarm in each.false_alarms]
    return {
        "sensor_days": round(days),
        "words": sum(each.words for each in found),
        "false_alarms": len(alarms),
        "false_alarms_per_sensor_day": round(len(alarms) / days, 5),
        "false_alarms_as": dict(Counter(str(lie) for _, _, lies in alarms for lie in lies)),
        "faults": {fault.value: of_kind(found, fault) for fault in Fault},
    }


def drift(found: list[Findings]) -> dict[str, object]:
    """In how many lots a count that is off was told, and how soon."""
    hours = [
        each.drift_told_after / timedelta(hours=1) for each in found if each.drift_told_after is not None
    ]
    return {
        "lots": len(found),
        "told": len(hours),
        "told_falsely": sum(each.drift_told_falsely for each in found),
        "median_h": round(median(hours), 1) if hours else None,
        "longest_h": round(max(hours), 1) if hours else None,
    }


def main() -> int:
    """Print the figures; 1 where one is worse than it is claimed to be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lots", type=int, default=10)
    parser.add_argument("--spaces", type=int, default=150)
    parser.add_argument("--days", type=int, default=7)
    asked = parser.parse_args()
    kept = True
    told: dict[str, object] = {"benchmark": "liars"}
    for name, has_lanes in (("with lanes", True), ("street", False)):
        found = list(liar_days(asked.lots, spaces=asked.spaces, days=asked.days, has_lanes=has_lanes))
        figures = summary(found)
        told[name] = figures
        print(
            f"{name}: {figures['false_alarms_per_sensor_day']} false alarms a sensor-day ({figures['false_alarms_as']})"
        )
        for fault in Fault:
            row = of_kind(found, fault)
            print(
                f"  {fault:<14} {row['found']:>3} of {row['lied']:>3} found, median {row['median_h']} h, 9 of 10 within {row['p90_h']} h, as {row['found_as']}"
            )
            share = int(str(row["found"])) / max(1, int(str(row["lied"])))
            kept = kept and share >= LEAST_FOUND.get(fault, 0.0)
        kept = kept and float(str(figures["false_alarms_per_sensor_day"])) <= MOST_FALSE_ALARMS
    told["drift"] = off = drift(list(drift_days(asked.lots, spaces=asked.spaces)))
    print(
        f"count off by one: told in {off['told']} of {off['lots']} lots, median {off['median_h']} h, longest {off['longest_h']} h; falsely in {off['told_falsely']}"
    )
    print(json.dumps(told))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
