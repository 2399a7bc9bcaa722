"""How often a misread plate finds its car, and a stranger's somebody else's: python benchmarks/plates.py [CARS] [SEED].

British plates of today, drawn evenly. A misread plate differs from one inside in one or two signs that cameras take for one another; a stranger is
any plate. The time is that of one match where no plate equals the reading, which is the slow way.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from random import Random

from parking.plates import TAKEN_FOR, match_plate

LETTERS = "ABCDEFGHJKLMNOPRSTUVWXYZ"
YEARS = [*range(2, 27), *range(51, 77)]
READINGS = 1_000


def drawn(random: Random) -> str:
    """A plate of the format since 2001."""
    return (
        "".join(random.choices(LETTERS, k=2))
        + f"{random.choice(YEARS):02d}"
        + "".join(random.choices(LETTERS, k=3))
    )


def misread(plate: str, random: Random) -> str:
    """The plate with one or two signs taken for others."""
    signs = list(plate)
    places = [place for place, sign in enumerate(signs) if sign in TAKEN_FOR]
    for place in random.sample(places, min(len(places), random.choice((1, 2)))):
        signs[place] = random.choice(sorted(TAKEN_FOR[signs[place]]))
    return "".join(signs)


def measure(cars: int, random: Random) -> dict[str, object]:
    """Misread plates, then strangers, against so many cars."""
    inside = {car: drawn(random) for car in range(cars)}
    known: Counter[str] = Counter()
    for _ in range(READINGS):
        car = random.randrange(cars)
        found = match_plate(misread(inside[car], random), inside).key
        known["undecided" if found is None else "right" if inside[found] == inside[car] else "wrong"] += 1
    began = time.perf_counter()
    strangers = Counter(
        "nobody's" if match_plate(drawn(random), inside).key is None else "somebody's"
        for _ in range(READINGS)
    )
    match_ms = 1_000 * (time.perf_counter() - began) / READINGS
    return {"cars": cars, "misread": known, "strangers": strangers, "match_ms": round(match_ms, 2)}


def main() -> None:
    """Measure and print one JSON object."""
    cars, seed = (int(word) for word in (*sys.argv[1:], *("1000", "1")[len(sys.argv) - 1 :]))
    print(json.dumps(measure(cars, Random(seed))))


if __name__ == "__main__":
    main()
