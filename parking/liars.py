"""Sensors that lie, found out by what they say, by their neighbours and by the cars that are inside. Pure: it is told words and asked for doubts.

Theory. A sensor's word is checked against three things. *Against itself*: no car comes and goes six times in ten minutes (flapping); a message that
was numbered comes once (repeating); a word is heard soon after it was said (late); a sensor that always spoke within an hour and has said nothing for
three is silent. *Against the cars inside*: a place that has been taken since noon needs a car that was inside at noon. Where fewer cars fit than places
have been taken for so long, some of these words are false; where none fits, all of them are (contradicting). Two sensors of one place that disagree for
long contradict each other. *Against its neighbours* (stuck): time alone proves nothing, a far place is rightly free for days. So time is counted in chances:
how often a driver took a place that drivers like clearly less, while this one was said to be free. Each place shows how often it is passed over before
somebody takes it; one that is passed over ever so much longer than that is not free. In a lot without lanes a place that stays taken while the others are
left and left again is stuck likewise.

A doubt lowers the confidence of the word, and of most kinds the word is not believed at all: the place is then `unknown` and stays and lanes alone count.
What a kind needs to be over is as plain as what raises it. Next in its story: edge/suspects.py.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parking.chances import Chances
from parking.ids import SpotId


class Lie(StrEnum):
    """How a sensor fails."""

    STUCK = "stuck"
    FLAPPING = "flapping"
    REPEATING = "repeating"
    LATE = "late"
    CONTRADICTING = "contradicting"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a doubt does: the word's confidence in ten-thousandths, whether the word still counts, and by when the doubt is certain to come."""

    confidence_1e4: int
    believed: bool
    bound: str


RULES: Mapping[Lie, Rule] = {
    Lie.STUCK: Rule(
        confidence_1e4=1_000,
        believed=False,
        bound="passed over or outstayed twelve times as often as this place usually is, at least twenty times",
    ),
    Lie.FLAPPING: Rule(confidence_1e4=1_000, believed=False, bound="the sixth change within ten minutes"),
    Lie.REPEATING: Rule(confidence_1e4=9_000, believed=True, bound="the fifth repetition among ten messages"),
    Lie.LATE: Rule(
        confidence_1e4=6_000,
        believed=True,
        bound="the third word in a row that is two minutes late, half an hour after the first",
    ),
    Lie.CONTRADICTING: Rule(
        confidence_1e4=1_000,
        believed=False,
        bound="ten minutes after the last car left that was inside when the place was said to be taken",
    ),
    Lie.SILENT: Rule(
        confidence_1e4=4_000,
        believed=True,
        bound="three times its longest pause of the last sixteen, at least half an hour",
    ),
}

FLAPS, FLAP_S, CALM_S = 6, 600.0, 1_800.0
REPETITIONS, REMEMBERED = 5, 10
LATE_S, LATE_WORDS, LATE_FOR_S, TIMELY_WORDS = 120.0, 3, 1_800.0, 2
PAUSES, SILENT_TIMES, SHORTEST_SILENCE_S = 16, 3, 1_800.0
FITS_S, PERSISTS_S = 120.0, 600.0
WHOLE, STEP = 10_000, 2_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a sensor said of its spot, once; aware instants. `repeated`: this very message was here before."""

    device: str
    spot: SpotId
    occupied: bool
    occurred_at: datetime
    received_at: datetime
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is held against a sensor; no lies: nothing. `share_1e4`: how many of the cars that its word needs, among those of like words, were there."""

    lies: frozenset[Lie] = frozenset()
    share_1e4: int = WHOLE

    @property
    def confidence_1e4(self) -> int:
        """The confidence of its word."""
        return min((self.share_1e4, *(RULES[lie].confidence_1e4 for lie in self.lies)))

    @property
    def believed(self) -> bool:
        """Whether its word still counts."""
        return all(RULES[lie].believed for lie in self.lies)


TRUSTED = Doubt()


class _Sensor:
    """One sensor's past, as small as it can be: there are thousands. Instants are seconds since 1970."""

    __slots__ = (
        "changes",
        "doubt",
        "heard_at",
        "late",
        "late_since",
        "occupied",
        "pauses",
        "repeats",
        "since",
        "spot",
        "timely",
    )

    def __init__(self, spot: SpotId) -> None:
        self.spot = spot
        self.occupied: bool | None = None
        self.since = 0.0
        self.heard_at = 0.0
        self.changes: tuple[float, ...] = ()
        self.pauses: tuple[float, ...] = ()
        self.repeats = 0
        self.late = 0
        self.late_since = 0.0
        self.timely = 0
        self.doubt = TRUSTED


class Liars:
    """All sensors of a lot. `has_lanes`: the cars inside are known."""

    def __init__(self, *, has_lanes: bool) -> None:
        self._has_lanes = has_lanes
        self._sensors: dict[str, _Sensor] = {}
        self._by_spot: dict[SpotId, list[str]] = {}
        self._chances = Chances()

    def hear(self, word: Word) -> bool:
        """Take a word in; whether the doubt about its sensor changed."""
        sensor = self._sensors.get(word.device)
        if sensor is not None and sensor.spot != word.spot:
            self._forget(word.device)  # it was moved: what it said of another place counts no more
            sensor = None
        if sensor is None:
            sensor = self._sensors[word.device] = _Sensor(word.spot)
            self._by_spot.setdefault(word.spot, []).append(word.device)
        received = word.received_at.timestamp()
        self._note_repetition(sensor, repeated=word.repeated)
        if not word.repeated:
            self._note_lateness(sensor, received - word.occurred_at.timestamp(), received)
            self._note_pause(sensor, received)
        changed = not word.repeated and word.occupied is not sensor.occupied
        if changed:
            self._note_change(word.device, sensor, word.occupied, word.occurred_at.timestamp())
        return self._set(sensor, self._of_itself(sensor, received, changed=changed))

    def keep_only(self, devices: Container[str]) -> None:
        """Forget every other sensor: it is no longer there."""
        for device in [name for name in self._sensors if name not in devices]:
            self._forget(device)

    def _forget(self, device: str) -> None:
        spot = self._sensors.pop(device).spot
        self._by_spot[spot].remove(device)

    def doubt(self, device: str) -> Doubt:
        """What is held against a sensor."""
        sensor = self._sensors.get(device)
        return TRUSTED if sensor is None else sensor.doubt

    def doubted(self) -> Mapping[str, Doubt]:
        """Every sensor that something is held against."""
        return {device: sensor.doubt for device, sensor in self._sensors.items() if sensor.doubt.lies}

    def devices(self) -> Sequence[str]:
        """Every sensor that has spoken."""
        return tuple(self._sensors)

    def spot(self, device: str) -> SpotId | None:
        """The spot that a sensor looks at; None where it has not spoken."""
        sensor = self._sensors.get(device)
        return None if sensor is None else sensor.spot

    def said(self, device: str) -> bool | None:
        """A sensor's last word, believed or not."""
        sensor = self._sensors.get(device)
        return None if sensor is None else sensor.occupied

    def believed_word(self, spot: SpotId) -> bool | None:
        """What the spot's sensors say together; None where none has spoken, one is not believed, or they disagree."""
        sensors = [self._sensors[name] for name in self._by_spot.get(spot, ())]
        words = {sensor.occupied for sensor in sensors}
        if len(words) != 1 or not all(sensor.doubt.believed for sensor in sensors):
            return None
        return words.pop()

    def look(self, now: datetime, inside_since: Sequence[datetime]) -> Sequence[str]:
        """Compare all sensors with the cars inside and with each other; the devices whose doubt changed, see `shares` and `judge`."""
        return self.judge(self._sensors, now, self.shares(now, inside_since))

    def shares(self, now: datetime, inside_since: Sequence[datetime]) -> Mapping[str, int]:
        """Of each sensor that says taken: how many cars fit, among those that have been taken at least as long, in ten-thousandths.

        `inside_since` has the instant of admission of every car inside; in a lot without lanes nothing is known of them, and the answer is empty.
        The i-th longest taken place needs i cars that were inside by then (Hall's condition for nested sets).
        """
        if not self._has_lanes:
            return {}
        at = now.timestamp()
        inside = sorted(since.timestamp() for since in inside_since)
        taken = sorted(
            (sensor.since, device)
            for device, sensor in self._sensors.items()
            if sensor.occupied and at - sensor.since >= PERSISTS_S and Lie.FLAPPING not in sensor.doubt.lies
        )
        shares: dict[str, int] = {}
        fitting = places = 0
        for since, device in taken:
            while fitting < len(inside) and inside[fitting] <= since + FITS_S:
                fitting += 1
            if not fitting:  # proven false: it needs no car, and takes none from those that come after it
                shares[device] = 0
                continue
            places += 1
            shares[device] = max(STEP, min(WHOLE, STEP * (fitting * (WHOLE // STEP) // places)))
        return shares

    def judge(self, devices: Iterable[str], now: datetime, shares: Mapping[str, int]) -> Sequence[str]:
        """Judge these sensors anew, those of them that are still there; whose doubt changed."""
        at = now.timestamp()
        there = ((device, self._sensors.get(device)) for device in devices)
        return [
            device
            for device, sensor in there
            if sensor is not None and self._set(sensor, self._judged(device, sensor, at, shares))
        ]

    # What a sensor says against itself

    def _note_repetition(self, sensor: _Sensor, *, repeated: bool) -> None:
        sensor.repeats = (sensor.repeats << 1 | repeated) & (1 << REMEMBERED) - 1

    def _note_lateness(self, sensor: _Sensor, late_s: float, received: float) -> None:
        if late_s <= LATE_S:
            sensor.timely += 1
            if sensor.timely >= TIMELY_WORDS or Lie.LATE not in sensor.doubt.lies:
                sensor.late = 0
            return
        sensor.timely = 0
        if not sensor.late:
            sensor.late_since = received
        sensor.late += 1

    def _note_pause(self, sensor: _Sensor, received: float) -> None:
        if sensor.heard_at:
            sensor.pauses = (*sensor.pauses[1 - PAUSES :], received - sensor.heard_at)
        sensor.heard_at = received

    def _note_change(self, device: str, sensor: _Sensor, occupied: bool, at: float) -> None:
        if sensor.occupied is not None:
            sensor.changes = (*sensor.changes[1 - FLAPS :], at)
            if Lie.FLAPPING not in sensor.doubt.lies:
                self._chances.changed(device, occupied=occupied)
        else:
            self._chances.began(device, occupied=occupied)
        sensor.occupied, sensor.since = occupied, at

    def _of_itself(self, sensor: _Sensor, at: float, *, changed: bool) -> Doubt:
        """The doubt as the sensor's own words have it now. What others hold against it stands until the next look, or until its word changes."""
        lies = {lie for lie, holds in OF_ITSELF.items() if holds(sensor, at)}
        if changed:
            return Doubt(lies=frozenset(lies))
        kept = sensor.doubt.lies & {Lie.STUCK, Lie.CONTRADICTING}
        return Doubt(lies=frozenset(lies | kept), share_1e4=sensor.doubt.share_1e4)

    # What others say against it

    def _judged(self, device: str, sensor: _Sensor, at: float, shares: Mapping[str, int]) -> Doubt:
        lies = {lie for lie, holds in OF_ITSELF.items() if holds(sensor, at)}
        share = shares.get(device, WHOLE)
        if share == 0 or self._is_contradicted(sensor, at):
            lies.add(Lie.CONTRADICTING)
        # Against a place that stays taken the cars inside are the better witness.
        if not (self._has_lanes and sensor.occupied) and self._chances.is_stuck(device):
            lies.add(Lie.STUCK)
        return Doubt(lies=frozenset(lies), share_1e4=max(share, 1))

    def _is_contradicted(self, sensor: _Sensor, at: float) -> bool:
        """Whether another sensor of the same spot has said otherwise for long."""
        others = self._by_spot[sensor.spot]
        if len(others) < 2:
            return False
        return any(
            other.occupied is not None
            and sensor.occupied is not None
            and other.occupied is not sensor.occupied
            and at - max(other.since, sensor.since) >= PERSISTS_S
            for other in (self._sensors[name] for name in others)
        )

    def _set(self, sensor: _Sensor, doubt: Doubt) -> bool:
        changed = doubt != sensor.doubt
        if changed:
            sensor.doubt = doubt
        return changed


def _flaps(sensor: _Sensor, at: float) -> bool:
    if Lie.FLAPPING in sensor.doubt.lies:
        return at - sensor.changes[-1] < CALM_S
    return len(sensor.changes) == FLAPS and sensor.changes[-1] - sensor.changes[0] <= FLAP_S


def _repeats(sensor: _Sensor, at: float) -> bool:  # noqa: ARG001 - one of a table
    if Lie.REPEATING in sensor.doubt.lies:
        return sensor.repeats != 0
    return sensor.repeats.bit_count() >= REPETITIONS


def _is_late(sensor: _Sensor, at: float) -> bool:  # noqa: ARG001 - one of a table
    if Lie.LATE in sensor.doubt.lies:
        return sensor.late > 0
    return sensor.late >= LATE_WORDS and sensor.heard_at - sensor.late_since >= LATE_FOR_S


def _is_silent(sensor: _Sensor, at: float) -> bool:
    if len(sensor.pauses) < PAUSES:
        return False
    return at - sensor.heard_at > max(SHORTEST_SILENCE_S, SILENT_TIMES * max(sensor.pauses))


OF_ITSELF: Mapping[Lie, Callable[[_Sensor, float], bool]] = {
    Lie.FLAPPING: _flaps,
    Lie.REPEATING: _repeats,
    Lie.LATE: _is_late,
    Lie.SILENT: _is_silent,
}


def worst(doubts: Iterable[Doubt]) -> Doubt:
    """The doubt with the lowest confidence."""
    return min(doubts, key=lambda doubt: doubt.confidence_1e4, default=TRUSTED)
