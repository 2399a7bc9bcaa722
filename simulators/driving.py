"""People at the lanes: they queue, roll onto the arming loop, ask, wait for the arm and drive through, in real seconds.

Theory. A driver believes the arm, not the screen: whoever asked and saw nothing happen asks again (the agent may have died and come
back in between), whoever sees the arm come down before him stops and asks again, with his ticket if he has it. Nobody drives under an arm that is
not up, and under one that was opened for somebody else only when it never comes down. One vehicle is at a lane's loops at a time; the next
rolls up while the arm comes down behind the one before.

A kiosk that stays on "help" gets its attendant, who ends the call; a driver without any credential is let out by the attendant with a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from parking.lot import LaneKind
from simulators.gate import Gate
from simulators.kiosk_eye import KioskEye, LocalApi, View
from simulators.lot_plan import LanePlan
from simulators.record import Record
from simulators.traffic import Vehicle, Way
from simulators.wire.camera import CAMERAS, Seen
from simulators.wire.serial_reader import SerialReaderWire

APPROACH_S = 0.3
UNDER_ARM_S = 0.15
BOTH_LOOPS_S = 0.2
CLEAR_S = 0.35
NO_REACTION_S = 1.5
PRESS_S = 0.15
TICKET_S = 2.0
ARM_BACK_S = 20.0
SHRUG_S = 0.6
HELP_S = 4.0
EMPTY_HANDED = 4
OPEN_ARMS = 6
LONGEST_QUEUE = 15
REFUSING = frozenset({"refused", "full", "closed"})


class Trick(StrEnum):
    """What the next driver of a lane does, on demand."""

    BACK_OUT = "back_out"
    TAILGATE = "tailgate"


@dataclass(slots=True, kw_only=True)
class Trip:
    """A vehicle on its way through the lot, and what its driver holds."""

    vehicle: Vehicle
    ticket: str | None = None
    stay: str | None = None
    reservation: str | None = None
    empty_handed: int = 0
    asked: bool = False
    open_arms: int = 0


Onward = Callable[[Trip], None]


@dataclass(slots=True, kw_only=True)
class LaneOfCars:
    """One lane, its devices as a driver meets them, and the cars that queue there."""

    plan: LanePlan
    gate: Gate
    api: LocalApi
    record: Record
    onward: Onward
    eye: KioskEye | None = None
    reader: SerialReaderWire | None = None
    staff_token: str | None = None
    tricks: list[Trick] = field(default_factory=list)
    queue: asyncio.Queue[Trip] = field(default_factory=asyncio.Queue)
    at_arm: bool = False
    last_ticket: str | None = None

    @property
    def length(self) -> int:
        """How many vehicles are here."""
        return self.queue.qsize() + self.at_arm

    def join(self, trip: Trip) -> bool:
        """Queue up; False where the queue is too long for anybody."""
        if self.plan.kind is LaneKind.ENTRY and self.length >= LONGEST_QUEUE:
            self._note("turned_away", trip, why="queue")
            return False
        self.queue.put_nowait(trip)
        return True

    async def run(self) -> None:
        """Let cars come for ever."""
        through = self._drive_in if self.plan.kind is LaneKind.ENTRY else self._drive_out
        while True:
            trip = await self.queue.get()
            self.at_arm = True
            await asyncio.sleep(APPROACH_S)
            self.gate.arming(1)
            if await through(trip):
                await self._pass(trip)
            else:
                self.gate.arming(0)
                await self.gate.wait_down(ARM_BACK_S)  # who comes next would take an open arm for his own
            self.at_arm = False

    async def attend(self) -> None:
        """An attendant who ends calls for help, for ever."""
        while self.eye is not None:
            called = await self.eye.wait(lambda view: view["screen"] == "help", after=0, within_s=3_600)
            if called is None:
                continue
            await asyncio.sleep(HELP_S)
            if await self.eye.post("help", method="DELETE"):
                self.record.note("attendant", lane=self.plan.id, did="ended a call")

    # The way in

    async def _drive_in(self, trip: Trip) -> bool:
        """Whether the vehicle may go under the arm now."""
        if await self._asked_in_vain(trip, self._ask_in):
            return False
        if trip.vehicle.backs_out or Trick.BACK_OUT in self.tricks:
            self._spend(Trick.BACK_OUT)
            self._note("backed_out", trip)
            return False
        return True

    async def _asked_in_vain(self, trip: Trip, ask: Callable[[Trip], Awaitable[bool]]) -> bool:
        """Ask until the arm is up; True where it is a no, or the driver's patience is at its end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + trip.vehicle.patience_s
        while loop.time() < until:
            if not await self._turn(trip):
                continue
            await asyncio.sleep(trip.vehicle.reaction_s)
            after = 0 if self.eye is None else self.eye.seen
            if self.gate.is_down:
                trip.asked = await ask(trip)
                if not trip.asked:
                    continue
            refused = await self._refused(after)
            if refused is not None:
                await asyncio.sleep(SHRUG_S)
                self._note("turned_away", trip, why=refused)
                return True
            if await self.gate.wait_up(NO_REACTION_S) and await self._has_ticket(trip, after):
                return False
        self._note("turned_away", trip, why="patience")
        return True

    async def _ask_in(self, trip: Trip) -> bool:
        """Show what there is to show, or ask for a ticket; whether it went out."""
        vehicle, gate = trip.vehicle, self.gate
        if trip.ticket is not None and self.eye is not None:
            gate.asked("pass" if vehicle.way is Way.PASS else "code")
            return await self.eye.post("code", {"text": trip.ticket})
        if vehicle.way is Way.PLATE and self.plan.camera_token is not None:
            gate.asked("plate")
            return await self._camera(vehicle)
        if vehicle.way is Way.TOUCH and self.eye is not None:
            gate.asked("touch")
            return await self.eye.post("button", {"spot_type": vehicle.type.value})
        gate.answered()
        gate.button(pressed=True)
        await gate.wait_rising(PRESS_S)
        gate.button(pressed=False)
        return True

    async def _refused(self, after: int) -> str | None:
        """Wait for the arm's move or the screen's no, whichever comes first; the no's reason."""
        if self.eye is None:
            await self.gate.wait_rising(NO_REACTION_S)
            return None
        view = await self._rising_or(self.eye, _says_no, after)
        if view is None:
            return None
        self.gate.answered()
        return str(view.get("reason") or view["screen"])

    async def _has_ticket(self, trip: Trip, after: int) -> bool:
        """Take the ticket off the screen, and go if the arm is still up; without a ticket only when it has failed to come again and again."""
        if self.eye is None or trip.ticket is not None:
            return self.gate.is_up
        by_plate = trip.vehicle.way is Way.PLATE
        view = await self.eye.wait(
            _names_stay if by_plate else self._shows_new_ticket, after=after, within_s=TICKET_S
        )
        if view is not None:
            trip.stay = view["stay"]["id"] if view["stay"] is not None else None
            trip.ticket = self.last_ticket = view["ticket"]["text"] if view["ticket"] is not None else None
        trip.empty_handed += trip.ticket is None
        return self.gate.is_up and (by_plate or trip.ticket is not None or trip.empty_handed >= EMPTY_HANDED)

    def _shows_new_ticket(self, view: View) -> bool:
        return view["ticket"] is not None and view["ticket"]["text"] != self.last_ticket

    # The way out

    async def _drive_out(self, trip: Trip) -> bool:
        """Ask until the arm is up: nobody turns back inside."""
        while True:
            if not await self._turn(trip):
                continue
            await asyncio.sleep(trip.vehicle.reaction_s)
            after = 0 if self.eye is None else self.eye.seen
            if self.gate.is_down:
                trip.asked = await self._ask_out(trip)
                if not trip.asked:
                    await asyncio.sleep(NO_REACTION_S)
                    continue
            await self._pay(after)
            if await self.gate.wait_up(NO_REACTION_S):
                return True

    async def _ask_out(self, trip: Trip) -> bool:
        gate = self.gate
        if trip.vehicle.way is Way.PLATE and trip.ticket is None and self.plan.camera_token is not None:
            gate.asked("plate")
            return await self._camera(trip.vehicle)
        if trip.ticket is None:
            return await self._attendant_opens(trip)
        gate.asked("ticket")
        if self.reader is not None:
            return self.reader.scan(trip.ticket)
        return self.eye is not None and await self.eye.post("code", {"text": trip.ticket})

    async def _pay(self, after: int) -> None:
        """Pay what the screen asks for, as often as it asks; done when the arm rises."""
        eye = self.eye
        if eye is None:
            await self.gate.wait_rising(NO_REACTION_S)
            return
        while not self.gate.rises:
            if await self._rising_or(eye, _owes, after) is None:
                return
            self.gate.answered()
            after = eye.seen
            if not await eye.post("pay"):
                return

    async def _attendant_opens(self, trip: Trip) -> bool:
        """No credential at all: a person comes and opens, on record."""
        if self.staff_token is None:
            return False
        await asyncio.sleep(HELP_S)
        self.record.note("attendant", lane=self.plan.id, did="opened", vehicle=trip.vehicle.number)
        body = {"by": "A. Attendant", "reason": "The ticket was lost."}
        return await self.api.post(self.plan.id, "open", self.staff_token, body)

    # Both

    async def _turn(self, trip: Trip) -> bool:
        """Wait for the arm to be down; an open one is this driver's if he asked for it, or if it has stood open for very long."""
        if await self.gate.wait_down(NO_REACTION_S):
            trip.asked = False
            return True
        if trip.asked:
            return self.gate.is_up
        trip.open_arms += self.gate.is_up
        return self.gate.is_up and trip.open_arms >= OPEN_ARMS

    async def _rising_or(self, eye: KioskEye, wanted: Callable[[View], bool], after: int) -> View | None:
        """Watch arm and screen at once: the view that is `wanted`, None where the arm rises or nothing happens in `NO_REACTION_S`."""
        rising = asyncio.ensure_future(self.gate.wait_rising(NO_REACTION_S))
        showing = asyncio.ensure_future(eye.wait(wanted, after=after, within_s=NO_REACTION_S))
        try:
            await asyncio.wait({rising, showing}, return_when=asyncio.FIRST_COMPLETED)
            return showing.result() if showing.done() and not self.gate.rises else None
        finally:
            rising.cancel()
            showing.cancel()

    async def _pass(self, trip: Trip) -> None:
        """Under the arm and off the lane."""
        what = "entered" if self.plan.kind is LaneKind.ENTRY else "left"
        await asyncio.sleep(UNDER_ARM_S)
        self.gate.safety(1)
        await asyncio.sleep(BOTH_LOOPS_S)
        self.gate.arming(0)
        await asyncio.sleep(CLEAR_S)
        if Trick.TAILGATE in self.tricks and not self.queue.empty():
            self._spend(Trick.TAILGATE)
            behind = self.queue.get_nowait()
            self._go(trip, what)
            await asyncio.sleep(BOTH_LOOPS_S + CLEAR_S)  # bumper to bumper: the loop never sees the gap
            self.record.note("tailgated", vehicle=behind.vehicle.number, lane=self.plan.id)
            trip = behind
        self.gate.safety(0)
        self._go(trip, what)

    def _go(self, trip: Trip, what: str) -> None:
        vehicle = trip.vehicle
        trip.asked, trip.open_arms = False, 0
        booked = {} if trip.reservation is None else {"reservation": trip.reservation}
        self._note(what, trip, type=vehicle.type.value, way=vehicle.way.value, stay=trip.stay, **booked)
        self.onward(trip)

    async def _camera(self, vehicle: Vehicle) -> bool:
        camera, clock = self.plan.camera, self.record.clock
        if camera is not None:
            number = int(1_000_000 * clock.monotonic()) % 10**12  # another event each time
            seen = Seen(plate=vehicle.plate, number=number, at=clock.now())
            return await self.api.push(self.plan.id, camera.name, camera.token, CAMERAS[camera.format](seen))
        body = {"plate": vehicle.plate, "confidence": 0.93}
        return await self.api.post(self.plan.id, "plate", self.plan.camera_token or "", body)

    def _spend(self, trick: Trick) -> None:
        if trick in self.tricks:
            self.tricks.remove(trick)

    def _note(self, what: str, trip: Trip, **fields: object) -> None:
        self.record.note(what, vehicle=trip.vehicle.number, lane=self.plan.id, **fields)


def _says_no(view: View) -> bool:
    return view["screen"] in REFUSING


def _names_stay(view: View) -> bool:
    return view["stay"] is not None


def _owes(view: View) -> bool:
    return view["price"] is not None and view["payment"] is None and view["screen"] != "paying"
