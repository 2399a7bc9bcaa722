"""What really happened, line by line: the simulation's own record, with which the demo compares what the product believes.

A line is one JSON object: `what` happened, `t` (real monotonic seconds, the same for all processes of this machine), `at` (civil instant) and its own
fields. Each line goes to the operating system as it happens, so that the record outlives the process that wrote it.

    reading    id spot device key occupied topic heartbeat [truth]    a sensor's message goes out (first attempt)
    accepted   id                                             the broker acknowledged it to the sensor's network server
    entered    vehicle lane type way stay [reservation]       a vehicle is through an entry; `stay` as the kiosk named it, or null
    left       vehicle lane stay
    inside     vehicle type way stay                          it was inside when the simulation began
    parked     vehicle spot        unparked  vehicle spot
    turned_away vehicle lane why   backed_out  vehicle lane   attendant  lane did
    arm        lane barrier move safety_loop_occupied_s refused
    loop       barrier loop occupied
    decision   lane kind ms        button, code, pass, plate, touch, ticket or payment on the wire → OPEN coil on the wire
    payment    terminal key amount_minor currency reference
    answered   lane path status    an answer of the local API with a status of 400 or more
    tailgated  vehicle lane
    broker_gone server why         radio_lost id               a message found no room in the waiting line
    fault      order                   what was made to go wrong (simulators/faults.py)
    web_…      what drivers who book on the web were told (simulators/web_driver.py), in a record of its own
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from parking.clock import Clock


class Record:
    """An append-only file. `listen` is told each line as it is written; both see the same object."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self.clock = clock
        self._listeners: list[Callable[[dict[str, object]], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def note(self, what: str, **fields: object) -> None:
        """Write one line."""
        line: dict[str, object] = {
            "what": what,
            "t": round(self.clock.monotonic(), 6),
            "at": self.clock.now().isoformat(),
            **fields,
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        for listener in self._listeners:
            listener(line)

    def listen(self, listener: Callable[[dict[str, object]], None]) -> None:
        """Have each further line told."""
        self._listeners.append(listener)


def read_record(path: Path) -> list[dict[str, object]]:
    """The lines of a record; a last line that a crash cut short is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]
