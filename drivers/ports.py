"""The seam between devices and the rest: what a driver says, what it can be told, and how it is acknowledged.

A driver turns one kind of hardware into *readings* and carries out *commands*. It speaks device language only:
device ids as the wire has them, loops that are closed, codes that were scanned. What a device means for the lot
(which spot, which lane) is the edge's business.

The life of a driver: the supervisor calls `run(sink)`; the driver opens its wire, delivers readings and returns only
when cancelled, or raises a `DriverError` when its wire is gone, and is then started again, alone. Every reading goes
through `Sink.deliver`, whose future resolves when the reading is durable (or superseded by a durable later one):
only then may the driver acknowledge to its source. A driver that polls need not wait for the future; a driver whose
source redelivers must. The future fails only when the agent is going down.

Health follows the data: `Sink.alive()` is called whenever the device proved that it lives (a poll answered, a
broker's ping came back), readings count by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotReading:
    """A sensor says whether the spot above it is taken.

    `occupied` is None where the device reports itself (battery, temperature) and not its spot. `key` identifies
    the message where its source numbers messages (ChirpStack's deduplicationId, session and frame counter), so that a
    second delivery has no second effect; None where the source does not. `occurred_at` is the source's own time, aware
    UTC, None where it has none. `attributes` are further readings in the terms of `lotgate decode` (temperature_c,
    battery_v, …). `lost`: the source itself no longer hears the sensor, so nothing is known of the spot; `occupied` is None then.
    """

    device: str
    occupied: bool | None
    key: str | None = None
    occurred_at: datetime | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    lost: bool = False


class Input(StrEnum):
    """Contacts that a controller reports: a lane's, and the house's own. `BUTTON` asks for a ticket, `CALL_BUTTON` for a person."""

    ARMING_LOOP = "arming_loop"
    SAFETY_LOOP = "safety_loop"
    ARM_UP = "arm_up"
    ARM_DOWN = "arm_down"
    BUTTON = "button"
    FAULT = "fault"
    CALL_BUTTON = "call_button"
    FIRE_ALARM = "fire_alarm"
    MAINS_FAILURE = "mains_failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputReading:
    """A lane controller's contacts after a poll in which at least one changed, or after its first answer.

    `closed` holds each contact that the controller has: True closed, False open, None unknown (the controller did not
    answer within its time). `read_at` is monotonic seconds of the poll.
    """

    device: str
    closed: Mapping[Input, bool | None]
    read_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReading:
    """A reader scanned a code or a card: the text as scanned, never stripped (base45 contains spaces)."""

    device: str
    text: str
    symbology: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateReading:
    """A camera read a plate; `plate` as read, `confidence` 0..1, None where the camera says nothing of it.

    `key` names the event where the camera numbers its events, as `SpotReading.key` does; it holds no plate. `country` is the camera's word
    for the plate's country (or state), as it sent it.
    """

    device: str
    plate: str
    confidence: float | None
    key: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedReading:
    """Something arrived that is not the protocol; `raw` is what came, bounded to 4 KiB. It is stored and counted."""

    device: str
    field: str
    problem: str
    raw: bytes


class Condition(StrEnum):
    """What may be wrong with a device."""

    PAPER_LOW = "paper_low"
    PAPER_OUT = "paper_out"
    PAPER_JAM = "paper_jam"
    COVER_OPEN = "cover_open"
    NOT_TAKEN = "not_taken"
    WRONG_KEY = "wrong_key"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReading:
    """A device says how it is, when that changed and after its first answer: every condition that holds now.

    Empty: it is ready. None: not known, since it does not answer.
    """

    device: str
    conditions: frozenset[Condition] | None


Reading = SpotReading | InputReading | CodeReading | PlateReading | MalformedReading | ConditionReading


class Sink(Protocol):
    """Where a driver's readings go; made by the edge, one per driver instance."""

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        """Take the reading; the future resolves once it is durable, and only then may the source be told."""
        ...

    def alive(self) -> None:
        """The device just proved that it lives."""
        ...


class Move(StrEnum):
    """What an arm can be told."""

    OPEN = "open"
    CLOSE = "close"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveArm:
    """Drive the arm of `device`; answered when the controller has taken the command, not when the arm arrived."""

    device: str
    move: Move


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePayment:
    """Charge `amount_minor` of `currency` at terminal `device`; `key` makes a repetition harmless."""

    device: str
    key: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupPayment:
    """Ask terminal `device` what became of the payment `key`, after an answer was lost.

    `Done.reference`: it was taken. `CommandRefused`: it was declined, or (`NeverHeardOf`) the terminal does not know it;
    both mean that no money moved. `CommandUnanswered`: still not known.
    """

    device: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOutput:
    """Switch a lamp or a relay of `device` on or off; it stays so until told otherwise or until the driver ends."""

    device: str
    output: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberEpoch:
    """Let the controller of `device` remember the highest epoch of a gateway that it was told; `Done.reference` is what it remembered before."""

    device: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintSlip:
    """Print a ticket or a receipt at `device`, and cut it: a title, lines, and `code` as a QR code where there is one.

    `Done`: it is out. `CommandRefused`: it is not, and nothing of it comes later; the words name what is missing (a
    `Condition`). `CommandUnanswered`: it may be out.
    """

    device: str
    title: str
    lines: tuple[str, ...] = ()
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPlaces:
    """The picture that signs and lamps follow: places left by type, and which spots are taken; None: not known.

    A driver sends what changed, and shows the whole picture again when its wire is back. `Done`: what changed is on its way.
    """

    device: str
    free: Mapping[str, int | None]
    taken: Mapping[str, bool | None] = field(default_factory=dict)


class Signal(StrEnum):
    """What a reader shows to the person in front of it, by its light and its buzzer."""

    READY = "ready"
    WAIT = "wait"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowSignal:
    """Show a signal at reader `device`, for as long as the reader's driver finds right; the next one takes its place."""

    device: str
    signal: Signal


class SensorOrder(StrEnum):
    """What a sensor can be told."""

    REPORT_EVERY = "report_every"
    RECALIBRATE = "recalibrate"
    RESTART = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class TellSensor:
    """Tell the sensor `device`; `seconds` belongs to REPORT_EVERY. A sensor that sleeps hears it after its own next word."""

    device: str
    order: SensorOrder
    seconds: int | None = None


Command = (
    MoveArm
    | TakePayment
    | LookupPayment
    | SwitchOutput
    | RememberEpoch
    | PrintSlip
    | ShowPlaces
    | ShowSignal
    | TellSensor
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The device carried the command out. `reference` is the device's own id of what it did, where it has one."""

    reference: str | None = None


class Driver(Protocol):
    """One instance of one kind of hardware."""

    async def run(self, sink: Sink) -> None:
        """Open the wire and deliver until cancelled.

        Raises:
            DeviceUnreachable: the wire is gone; the supervisor starts the driver again.
            DriverMisconfigured: no restart will help.
        """
        ...

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Carry out a command, once.

        Raises:
            CommandRefused: the device said no.
            CommandUnanswered: nothing came back within `timeout_s` seconds.
            DeviceUnreachable: the driver has no wire at the moment; the device was not told.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a device sent by HTTP to the agent's own port; `content_type` as its header says, "" where it has none."""

    content_type: str
    body: bytes


@runtime_checkable
class PushedDriver(Driver, Protocol):
    """A driver whose device speaks when it wants to, by HTTP to the agent's own port: the edge hands it each request's body."""

    async def push(self, push: Push) -> None:
        """Understand a body and deliver what it says; returns once all of it is durable, and then the device is answered.

        Raises:
            MalformedInput: it is not what the device speaks; that was told to the sink.
            DeviceUnreachable: the driver is not at work, and was not within some seconds.
        """
        ...


class DriverFactory(Protocol):
    """What an entry point of group `lotgate.drivers` names: makes a driver from its table in the lot's TOML.

    `settings` is the table `[drivers.NAME]` without its `kind`; the factory validates it and raises
    `DriverMisconfigured` naming the field and the fix.
    """

    def __call__(self, name: str, settings: Mapping[str, object]) -> Driver:
        """Make the driver; it opens nothing before `run`."""
        ...
