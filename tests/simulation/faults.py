"""What goes wrong on a seed's day, and the labels at which processes can be made to die."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from sync.failpoints import Failpoints

ROOT = Path(__file__).parents[2]
LABEL = re.compile(r'^[A-Z_]+ = "((?:edge|cloud)\.[a-z_.]+)"$', re.MULTILINE)


@cache
def labels(tier: str) -> tuple[str, ...]:
    """Every failpoint of a tier, as its source names them, in a fixed order."""
    found: set[str] = set()
    for path in (ROOT / tier).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if ".hit(" in text or "_hit(" in text or "FAILPOINT" in text or "failpoint" in text:
            found |= {label for label in LABEL.findall(text) if label.startswith(f"{tier}.")}
    return tuple(sorted(found))


class Arming:
    """Arms a failpoint at some starts of a tier, until faults stop. Counts what was reached and what struck."""

    def __init__(self, tier: str, random: Random, *, chance: float) -> None:
        self._tier = tier
        self._random = random
        self.chance = chance
        self.struck: Counter[str] = Counter()
        self._all: list[Failpoints] = []

    def __call__(self, strike: Callable[[], None]) -> Failpoints:
        armed, nth = None, 1
        if self._random.random() < self.chance:
            armed, nth = self._random.choice(labels(self._tier)), self._random.choice((1, 1, 2, 3, 5, 9, 20))

        def struck() -> None:
            self.struck[armed or ""] += 1
            strike()

        made = Failpoints(armed=armed, nth=nth, strike=struck)
        self._all.append(made)
        return made

    def disarm(self) -> None:
        """Nothing dies by a failpoint any more."""
        self.chance = 0.0
        for each in self._all:
            each._armed = None

    @property
    def reached(self) -> Counter[str]:
        """How often each label was come to."""
        total: Counter[str] = Counter()
        for each in self._all:
            total += each.labels_hit
        return total
