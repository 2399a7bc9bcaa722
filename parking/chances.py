"""How often each place could have changed and did not: time counted in other drivers' choices. Asked by parking/liars.py.

Theory. A driver who takes a place that is liked clearly less than this one has passed this one over; so a free place is offered a chance whenever that
happens, and takes it with a probability of its own, which its past shows: takes / (takes + times passed over). Nights, holidays and an empty lot offer
no chances. Liking is counted in takes, in steps of two: level = bit length. Likewise a taken place has the chance to become free whenever another does.
A spell that has had `TIMES` times as many chances as usual would come once in e^12 spells: 160,000.

Counting is by level, so that a change costs a few additions and no look at the other places.
"""

from __future__ import annotations

from math import sqrt

TIMES = 12.0
LEAST_CHANCES = 20
LONGER = 2
LEAST_SPELLS = 5
LEVELS = 24


class _Place:
    __slots__ = ("leaves", "longest", "occupied", "outstayed", "passed", "start", "takes")

    def __init__(self, *, occupied: bool) -> None:
        self.occupied = occupied
        self.takes = 0
        self.leaves = 0
        self.passed = 0
        self.outstayed = 0
        self.longest = [0, 0]
        self.start = 0


class Chances:
    """The places of one lot by their sensors' names."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._takes = [0] * LEVELS
        self._leaves = 0

    def began(self, name: str, *, occupied: bool) -> None:
        """A sensor spoke for the first time."""
        place = self._places[name] = _Place(occupied=occupied)
        place.start = self._clock(place)

    def changed(self, name: str, *, occupied: bool) -> None:
        """A place was taken or left."""
        place = self._places[name]
        chances = self._clock(place) - place.start
        place.longest[place.occupied] = max(chances, place.longest[place.occupied])
        if occupied:
            place.passed += chances
            self._takes[min(LEVELS - 1, place.takes.bit_length())] += 1
            place.takes += 1
        else:
            place.outstayed += chances
            self._leaves += 1
            place.leaves += 1
        place.occupied = occupied
        place.start = self._clock(place)

    def is_stuck(self, name: str) -> bool:
        """Whether the present spell has had many times the chances that end one."""
        place = self._places[name]
        spells, chances = (place.leaves, place.outstayed) if place.occupied else (place.takes, place.passed)
        if spells < LEAST_SPELLS:
            return False
        now = self._clock(place) - place.start
        likely = spells / (spells + chances) * (1 - 1 / sqrt(spells))
        return now >= LEAST_CHANCES and now * likely > TIMES and now > LONGER * place.longest[place.occupied]

    def _clock(self, place: _Place) -> int:
        """The chances that all places of its kind have had so far."""
        if place.occupied:
            return self._leaves
        return sum(self._takes[: min(LEVELS - 1, place.takes.bit_length())])
