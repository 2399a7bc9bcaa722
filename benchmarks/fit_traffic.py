"""Refits the tables of simulators/traffic_tables.py to the real series: python benchmarks/fit_traffic.py [FOLDER OF DATA].

Source: Bath & North East Somerset historic car park occupancy, 2016 (15 min readings of four car parks in the centre), and the stays of
ACN-Data's workplace garage before 2020-03-16. The method has three steps.

1. *Turnover.* Arrivals and departures of a short interval are nearly Poisson, so that the count's increment over it has mean
   (a - d) t and variance (a + d) t: a = (variance + mean) / 2t. The variance is taken from the median absolute deviation within
   each hour and kind of day, which a resynchronised counter does not move. Mean dwell is mean occupancy by mean arrivals (Little).
2. *Dwell.* Log-normal with the mean of step 1 (the median of the four) and the width of a grid that reproduces the weekday occupancy best. Electric cars,
   which are few, stay as those of the ACN garage did: its quantiles as they were measured.
3. *Arrivals.* Occupancy is arrivals convolved with the chance of still being there; Richardson and Lucy's iteration turns that
   around and stays positive.

The overnight minimum is standing cars: a floor that is neither arriving nor leaving.
"""

from __future__ import annotations

import csv
import gzip
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

CENTRE = ("Avon Street CP", "Charlotte Street CP", "Podium CP", "SouthGate General CP")
BINS = 48
BIN_H = 24 / BINS
DAYS = {"weekday": range(5), "saturday": (5,), "sunday": (6,)}
PANDEMIC = "2020-03-16"
QUANTILES = 20
WIDTHS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Survival = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One count: when (lot's own time), how many spaces, how many taken."""

    at: datetime
    capacity: int
    occupied: int


def occupancy_readings(data: Path) -> dict[str, list[Reading]]:
    """The four car parks' readings in the order of time."""
    found: dict[str, list[Reading]] = defaultdict(list)
    with gzip.open(data / "occupancy_bath_2016.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["lot_id"] in CENTRE and int(row["capacity"]) > 0:
                found[row["lot_id"]].append(
                    Reading(
                        datetime.fromisoformat(row["observed_at"]), int(row["capacity"]), int(row["occupied"])
                    )
                )
    return {lot: sorted(rows, key=lambda reading: reading.at) for lot, rows in found.items()}


def occupancy_profile(readings: dict[str, list[Reading]], days: Sequence[int]) -> list[float]:
    """Mean taken share of the spaces by half hour, each car park counting alike."""
    by_lot = []
    for rows in readings.values():
        cells: dict[int, list[float]] = defaultdict(list)
        for one in rows:
            if one.at.weekday() in days:
                cells[_bin(one.at)].append(min(1.0, max(0.0, one.occupied / one.capacity)))
        by_lot.append([statistics.mean(cells[index]) for index in range(BINS)])
    return [statistics.mean(lot[index] for lot in by_lot) for index in range(BINS)]


def mean_dwell_h(rows: list[Reading], days: Sequence[int]) -> float:
    """Mean dwell of one car park in hours, from the spread of its increments and Little's law."""
    steps: dict[int, list[int]] = defaultdict(list)
    taken: dict[int, list[int]] = defaultdict(list)
    for before, after in pairwise(rows):
        if before.at.weekday() not in days:
            continue
        taken[before.at.hour].append(before.occupied)
        if (
            before.capacity == after.capacity
            and 840 <= (after.at - before.at).total_seconds() <= 960
            and 0 < before.occupied < before.capacity
        ):
            steps[before.at.hour].append(after.occupied - before.occupied)
    arrivals = sum(max(0.0, 4 * (_spread(steps[hour]) + statistics.mean(steps[hour])) / 2) for hour in steps)
    return sum(statistics.mean(taken[hour]) for hour in taken) / arrivals


def _spread(steps: list[int]) -> float:
    """The variance as the median absolute deviation of a normal distribution tells it."""
    middle = statistics.median(steps)
    return (1.4826 * statistics.median(abs(step - middle) for step in steps)) ** 2


def electric_quantiles_min(data: Path) -> list[int]:
    """Dwell in minutes of the ACN garage before the pandemic, at each twentieth."""
    with gzip.open(data / "stays_acn_garage.csv.gz", "rt", encoding="utf-8") as file:
        dwell = sorted(
            float(row["dwell_min"]) for row in csv.DictReader(file) if row["arrived_at"] < PANDEMIC
        )
    return [
        round(dwell[min(len(dwell) - 1, index * len(dwell) // QUANTILES)]) for index in range(QUANTILES + 1)
    ]


def survival(mean_h: float, width: float) -> Survival:
    """The chance of still being parked after so many hours where dwell is log-normal."""
    middle = math.log(mean_h) - width * width / 2

    def still_there(hours: float) -> float:
        return 1.0 if hours <= 0 else 0.5 * math.erfc((math.log(hours) - middle) / (width * math.sqrt(2)))

    return still_there


def arrivals_of(profile: Sequence[float], still_there: Survival, rounds: int = 400) -> list[float]:
    """Arrivals per hour and space by half hour that reproduce the profile above its floor, the days being alike."""
    floor = min(profile)
    wanted = [taken - floor for taken in profile]
    kernel = [_stays_of_bin(still_there, age) for age in range(BINS)]
    scale = sum(kernel)
    guess = [sum(wanted) / BINS / scale] * BINS
    for _ in range(rounds):
        made = occupied_by(guess, kernel)
        ratio = [one / max(1e-9, other) for one, other in zip(wanted, made, strict=True)]
        guess = [
            guess[b] * sum(ratio[(b + age) % BINS] * kernel[age] for age in range(BINS)) / scale
            for b in range(BINS)
        ]
    return guess


def occupied_by(arrivals: Sequence[float], kernel: Sequence[float]) -> list[float]:
    """Taken share above the floor that these arrivals make."""
    return [sum(arrivals[(b - age) % BINS] * kernel[age] for age in range(BINS)) for b in range(BINS)]


def _stays_of_bin(still_there: Survival, age: int) -> float:
    """Hours that one arrival an hour, spread over a bin, is there in the bin `age` later."""
    parts = 6
    ages = ((age + (part + 0.5) / parts - 0.5) * BIN_H for part in range(parts))
    here = sum(still_there(hours) for hours in ages if hours >= 0) / parts
    return here * BIN_H


def _misfit(profile: Sequence[float], still_there: Survival) -> float:
    kernel = [_stays_of_bin(still_there, age) for age in range(BINS)]
    made = occupied_by(arrivals_of(profile, still_there, rounds=150), kernel)
    return math.dist(made, [taken - min(profile) for taken in profile])


def fits(data: Path) -> Iterator[str]:
    """The fitted tables as text."""
    readings = occupancy_readings(data)
    weekday = occupancy_profile(readings, tuple(DAYS["weekday"]))
    dwells = {lot: mean_dwell_h(rows, tuple(DAYS["weekday"])) for lot, rows in readings.items()}
    mean_h = statistics.median(dwells.values())
    yield f"# mean dwell in hours: { ({lot: round(h, 2) for lot, h in dwells.items()}) }"
    error, width = min((_misfit(weekday, survival(mean_h, width)), width) for width in WIDTHS)
    yield f"MEAN_DWELL_MIN = {mean_h * 60:.1f}"
    yield f"DWELL_WIDTH = {width}  # misfit {error:.4f}"
    yield f"ELECTRIC_DWELL_MIN = {tuple(electric_quantiles_min(data))}"
    still_there = survival(mean_h, width)
    for day, weekdays in DAYS.items():
        profile = occupancy_profile(readings, tuple(weekdays))
        arrivals = arrivals_of(profile, still_there)
        by_hour = [round((arrivals[2 * hour] + arrivals[2 * hour + 1]) / 2, 4) for hour in range(24)]
        yield f"{day}: floor {min(profile):.3f} arrivals {tuple(by_hour)} sum {sum(by_hour):.2f}"
        yield f"    occupancy {tuple(round((profile[2 * h] + profile[2 * h + 1]) / 2, 3) for h in range(24))}"


def _bin(at: datetime) -> int:
    return at.hour * 2 + at.minute // 30


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "data"
    for line in fits(where):
        print(line)
