"""The house's own contacts: fire alarm, mains, call buttons. Told by edge/translation.py, shown by edge/lot_status.py.

Theory. Levels count, not edges: the alarm is on while any contact for it says so. A contact that is lost ends no alarm and begins none: what it said
last holds until it says something else, and a person is told that it is not heard. Where a wire that is cut is to be an alarm, the contact
is one that opens (`inverted` in its driver's table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from drivers.ports import Input, InputReading
from edge.api.desk import Fault
from edge.lane_ports import LaneLog
from edge.lane_runner import LaneRunner
from edge.lane_words import DRIVER_ASKED

OF_THE_HOUSE = frozenset({Input.FIRE_ALARM, Input.MAINS_FAILURE, Input.CALL_BUTTON})


@dataclass(slots=True, kw_only=True)
class House:
    """One lot's house. `lanes` by their controllers' devices; `now` is aware UTC."""

    lanes: Mapping[str, LaneRunner]
    log: LaneLog
    now: Callable[[], datetime]
    alarm_since_at: datetime | None = None
    _said: dict[tuple[str, Input], bool] = field(default_factory=dict)
    _not_heard: set[tuple[str, Input]] = field(default_factory=set)

    def contacts(self, reading: InputReading) -> bool:
        """A unit's contacts were read; the answer is whether one of them is the house's."""
        own = OF_THE_HOUSE & reading.closed.keys()
        for contact in own:
            self._contact(reading.device, contact, reading.closed[contact])
        return bool(own)

    def faults(self) -> Sequence[Fault]:
        """What a person must know or mend."""
        faults = []
        if self.alarm_since_at is not None:
            faults.append(
                Fault(
                    title="Fire alarm",
                    since_at=self.alarm_since_at,
                    effect="All arms are up and stay up. Nobody is let in.",
                    steps=(
                        "When it is over, reset the alarm: the lanes go on by themselves.",
                        "Count the cars.",
                    ),
                    stops=True,
                )
            )
        if self._is_on(Input.MAINS_FAILURE):
            faults.append(
                Fault(
                    title="The mains has failed",
                    effect="The lot runs on its battery.",
                    steps=("Look at the fuses and ask the supplier.",),
                )
            )
        faults += [
            Fault(
                title=f"{device}: the contact {contact.value.replace('_', ' ')} is not heard",
                effect="What it said last holds.",
                steps=("Look at its cable and at its driver below.",),
            )
            for device, contact in sorted(self._not_heard)
            if contact is not Input.CALL_BUTTON
        ]
        return faults

    def _contact(self, device: str, contact: Input, closed: bool | None) -> None:
        if closed is None:
            self._not_heard.add((device, contact))
            return
        self._not_heard.discard((device, contact))
        before = self._said.get((device, contact))
        self._said[device, contact] = closed
        if contact is Input.FIRE_ALARM:
            self._alarm(device)
        elif contact is Input.CALL_BUTTON and closed and before is False and device in self.lanes:
            self.lanes[device].call_help(DRIVER_ASKED, by_driver=True)

    def _alarm(self, device: str) -> None:
        on = self._is_on(Input.FIRE_ALARM)
        if on is (self.alarm_since_at is not None):
            return
        self.alarm_since_at = self.now() if on else None
        for runner in self.lanes.values():
            action = "fire_alarm" if on else "fire_alarm_over"
            self.log.person_acted(runner.lane, action, device, "the contact closed" if on else "it opened")
            runner.fire_alarm(on=on)

    def _is_on(self, contact: Input) -> bool:
        return any(closed for (_, each), closed in self._said.items() if each is contact)
