"""One controller on pins: its contacts settled in time, its buttons pressed by relays, its lamps."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.gpio.debounce import Debouncer
from drivers.gpio.pins import Contact, Output, Pins
from drivers.gpio.settings import GpioSettings, UnitSettings
from drivers.ports import Input, InputReading, Move, Sink

MOST_EDGES = 1_000


class Unit:
    """One unit with its pins open. Instants are monotonic seconds, as the event loop's are."""

    def __init__(
        self, name: str, unit: UnitSettings, settings: GpioSettings, pins: Pins, stirred: asyncio.Event
    ) -> None:
        self._name = name
        self._inverted = unit.inverted
        self._pulse_s = settings.pulse_ms / 1_000
        self._loop = asyncio.get_running_loop()
        self._stirred = stirred
        self._edges: deque[tuple[Input, bool, float]] = deque(maxlen=MOST_EDGES)
        self._contacts: dict[Input, Contact] = {
            each: pins.contact(pin, partial(self._edge, each)) for each, pin in unit.inputs.contacts().items()
        }
        now = self._loop.time()
        self._levels = {
            each: Debouncer(
                self._level(each, contact.closed),
                now,
                settle_s=settings.debounce_ms / 1_000,
                restless_s=settings.restless_ms / 1_000,
            )
            for each, contact in self._contacts.items()
        }
        low = settings.relays_active_low
        self._relays: dict[Move, Output] = {
            move: pins.output(pin, active_low=low) for move, pin in unit.relays.moves().items()
        }
        self._lamps = {lamp: pins.output(pin, active_low=low) for lamp, pin in unit.lamps.items()}
        self._release: asyncio.TimerHandle | None = None
        self._told: dict[Input, bool | None] | None = None

    def look(self, sink: Sink) -> None:
        """Settle every contact by its edges and by what its pin is now; tell a change.

        Raises:
            DeviceUnreachable: the chip is gone.
        """
        while self._edges:
            contact, closed, at = self._edges.popleft()
            if self._levels[contact].feed(self._level(contact, closed), at):
                self._tell(sink)
        now = self._loop.time()
        for contact, pin in self._contacts.items():
            if self._levels[contact].feed(self._level(contact, pin.closed), now):
                self._tell(sink)
        self._tell(sink)

    def due_at(self) -> float | None:
        """When a contact may settle next; None: all have."""
        due = [level.due_at for level in self._levels.values()]
        return min((at for at in due if at is not None), default=None)

    def press(self, move: Move) -> None:
        """Press a button of the controller, and let go of any other.

        Raises:
            CommandRefused: the arm would come down on an occupied or unknown loop.
            DeviceUnreachable: the chip is gone.
        """
        if move is Move.CLOSE:
            self._refuse_where_not_free()
        self._let_go()
        self._relays[move].switch(on=True)
        self._release = self._loop.call_later(self._pulse_s, self._let_go_in_time)

    def switch(self, lamp: str, *, on: bool) -> None:
        """Switch a lamp.

        Raises:
            DeviceUnreachable: the chip is gone.
        """
        self._lamps[lamp].switch(on=on)

    def close(self, sink: Sink) -> None:
        """Let go of everything, and say that nothing is known any more."""
        if self._release is not None:
            self._release.cancel()
        if self._told is not None and any(closed is not None for closed in self._told.values()):
            unknown = dict.fromkeys(self._told)
            sink.deliver(InputReading(device=self._name, closed=unknown, read_at=self._loop.time()))

    def _edge(self, contact: Input, closed: bool) -> None:
        """An edge, told in whatever thread: only noted here."""
        self._edges.append((contact, closed, time.monotonic()))
        self._loop.call_soon_threadsafe(self._stirred.set)

    def _level(self, contact: Input, closed: bool) -> bool:
        return closed is not (contact in self._inverted)

    def _tell(self, sink: Sink) -> None:
        """Tell what is settled now, if it is not what was told; a contact that was never settled yet keeps all waiting."""
        closed = {contact: level.closed for contact, level in self._levels.items()}
        if closed == self._told or (self._told is None and None in closed.values()):
            return
        self._told = closed
        if closed:
            sink.deliver(InputReading(device=self._name, closed=closed, read_at=self._loop.time()))

    def _refuse_where_not_free(self) -> None:
        level = self._levels.get(Input.SAFETY_LOOP)
        if level is None:
            return
        now_closed = self._level(Input.SAFETY_LOOP, self._contacts[Input.SAFETY_LOOP].closed)
        if now_closed or level.closed is not False:
            raise CommandRefused(f"the safety loop of {self._name} is occupied or not known")

    def _let_go(self) -> None:
        if self._release is not None:
            self._release.cancel()
            self._release = None
        for relay in self._relays.values():
            relay.switch(on=False)

    def _let_go_in_time(self) -> None:
        try:
            self._let_go()
        except DeviceUnreachable:
            self._stirred.set()  # the next look meets the same chip, and ends the run
