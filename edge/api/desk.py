"""What the pages ask of the agent, and what they are told: the seam between the screens and the lot.

The local API owns this port, the agent implements it (`edge/desk.py`), tests stage it. Views are whole: a screen needs nothing but its
view and the time. All instants are aware UTC; money is in the smallest unit of `currency`; names of screens are the design's.

Story of a walk-in at the screen: the next file is edge/lane_runner.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from drivers.supervisor import DriverHealth
from parking.decision import Reason, Refusal
from parking.lot import LaneKind, SpotType


class LaneUnknown(Exception):
    """The lot has no such lane."""

    def __init__(self, lane: str) -> None:
        super().__init__(f"lane {lane} is not a lane of this lot")
        self.lane = lane


class Screen(StrEnum):
    """What a kiosk shows; an exit's `idle` asks for the ticket."""

    IDLE = "idle"
    DETECTED = "detected"  # a vehicle stands on the arming loop and may take a ticket or show something
    CHOOSE = "choose"  # several types of space are free: which one?
    CHECKING = "checking"  # a credential was read and is being decided on
    TICKET = "ticket"  # the ticket is issued and on record; it is shown while the arm opens
    OPENING = "opening"  # the arm was told to open
    DRIVE = "drive"  # the arm is up
    REFUSED = "refused"
    FULL = "full"
    CLOSED = "closed"
    ARM_FAULT = "arm_fault"  # let in or out, and the arm does not arrive
    PRICE = "price"
    PAYING = "paying"  # the terminal was asked
    DECLINED = "declined"
    PAID = "paid"
    HELP = "help"  # a person was called


class LinkState(StrEnum):
    """The line to the centre; `none` where the lot has no centre."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


class ReaderSide(StrEnum):
    """Where the reader stands, seen by the driver."""

    LEFT = "left"
    RIGHT = "right"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCount:
    """Spaces of one type: `sellable` now to a walk-in, of `total` painted."""

    type: SpotType
    sellable: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """What the first `PriceHint.minutes` cost to a driver who arrives from `from_at` on."""

    from_at: datetime
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHint:
    """The price at a glance: a stay of `minutes` that begins now costs `amount_minor`.

    `later` holds at most two changes of today; `maximum_minor` is the most for 24 hours, `free_min` the minutes that cost nothing.
    """

    amount_minor: int
    currency: str
    minutes: int = 60
    later: tuple[PriceStep, ...] = ()
    maximum_minor: int | None = None
    free_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """A ticket that was just issued. `text` is the signed token (what the QR code holds), `code` what a person can read out.

    `printed` is False where a printer stands at the lane and no paper came out for certain: the screen's code is all there is.
    """

    text: str
    code: str
    issued_at: datetime
    printed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """One line of a price. `text` is the tariff's own words, in the lot's language."""

    text: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """What a stay from `from_at` to `to_at` costs: lines that add up to `total_minor`. `vat_minor` is contained in it."""

    lines: tuple[PriceLine, ...]
    total_minor: int
    currency: str
    from_at: datetime
    to_at: datetime
    vat_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """A payment that was taken. `receipt_text` is the signed receipt (what its QR code holds); leave by `leave_by_at`."""

    amount_minor: int
    currency: str
    paid_at: datetime
    receipt_code: str
    receipt_text: str | None = None
    leave_by_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StayView:
    """The stay that the lane is dealing with. `shown` is the ticket's code, or the plate at the camera just now."""

    id: str
    shown: str
    type: SpotType
    entered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """Everything that a lane's screen shows.

    `reason` says why the lane opens or does not, None while nothing is decided. `until_at` is when it makes sense to come back (FULL,
    CLOSED). `types` are the choices on CHOOSE. `called_at` is set while help is called. `plate` is what a camera just read. `arm` is
    "up", "down" or "between". `busy` tells that a vehicle stands at the lane. `books`: spaces can be booked ahead at this screen.
    `directions`: where a driver goes whose booking finds no free space.
    """

    lane: str
    kind: LaneKind
    screen: Screen
    lot: str
    at: datetime
    timezone: str
    currency: str
    link: LinkState
    link_since_at: datetime | None = None
    counts: tuple[TypeCount, ...] = ()
    price_hint: PriceHint | None = None
    types: tuple[SpotType, ...] = ()
    ticket: TicketView | None = None
    stay: StayView | None = None
    price: PriceView | None = None
    payment: PaymentView | None = None
    reason: Reason | None = None
    until_at: datetime | None = None
    plate: str | None = None
    called_at: datetime | None = None
    reader_side: ReaderSide = ReaderSide.RIGHT
    arm: str = "down"
    busy: bool = False
    books: bool = False
    directions: str = ""

    @property
    def sellable_total(self) -> int:
        """Spaces free now, all types together."""
        return sum(count.sellable for count in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StayQuote:
    """What leaving now would cost. `paid_until_at` is set where an exit opens without a further payment."""

    stay: StayView
    price: PriceView
    paid_until_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of something done at a lane: taken up (the screen shows how it goes on) or not, with the sentence for the person."""

    accepted: bool
    sentence: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """A lane for the person who keeps it running. `detail` is one sentence; `trouble` says that someone must look."""

    lane: str
    kind: LaneKind
    state: str
    detail: str
    arm: str = "down"
    last_passage_at: datetime | None = None
    trouble: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The line to the centre: since when, how many log rows wait, from when the oldest is, when it is tried again."""

    state: LinkState
    since_at: datetime | None = None
    backlog: int = 0
    oldest_at: datetime | None = None
    next_try_at: datetime | None = None
    acknowledged_seq: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """The store: `degraded` is why nothing is sold, None when all is well; `verdict` is "ok" or "fenced"."""

    epoch: int
    last_seq: int
    verdict: str = "ok"
    degraded: str | None = None
    open_stays: int = 0
    size_bytes: int = 0
    tariff_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskStatus:
    """The disk that the ledger lies on."""

    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStatus:
    """How good the time is: "synced", "holdover" or "unknown". `lower_bound_at` has certainly passed; the machine's own clock is `offset_s` ahead.

    `contradictions` counts words of the centre that could not be believed.
    """

    quality: str
    detail: str = ""
    lower_bound_at: datetime | None = None
    offset_s: float = 0.0
    contradictions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """Something that happened, newest first on the page."""

    at: datetime
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something to mend: what, what the lot does meanwhile, and the steps that a person on site can take.

    `waiting` says that a person stands at a lane because of it: these come first. `stops` says that the lot does not work for it.
    """

    title: str
    since_at: datetime | None = None
    effect: str = ""
    steps: tuple[str, ...] = ()
    waiting: bool = False
    stops: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """The whole box on one page. `ready` is what /ready answers: the ledger is open and the lanes step."""

    lot: str
    gateway: str
    at: datetime
    timezone: str
    software: str
    started_at: datetime
    ready: bool
    lanes: tuple[LaneStatus, ...]
    drivers: tuple[DriverHealth, ...]
    link: LinkStatus
    ledger: LedgerStatus
    disk: DiskStatus
    clock: ClockStatus
    counts: tuple[TypeCount, ...]
    faults: tuple[Fault, ...] = ()
    events: tuple[EventLine, ...] = ()
    memory_bytes: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)


class Desk(Protocol):
    """What can be asked and done at the lot's desk. Every lane argument may raise `LaneUnknown`."""

    def lanes(self) -> tuple[str, ...]:
        """The lanes by id, in the order of the configuration."""
        ...

    def lane_view(self, lane: str) -> LaneView:
        """What the lane's screen shows now."""
        ...

    def watch(self, lane: str) -> AsyncIterator[LaneView]:
        """The view now and after each change; a slow watcher gets the latest and misses those in between."""
        ...

    async def press_button(self, lane: str, spot_type: SpotType | None) -> Answer:
        """The driver asks for a ticket (entry), for a space of `spot_type` where that was asked."""
        ...

    async def present_code(self, lane: str, text: str) -> Answer:
        """A ticket, pass or permit was shown at the screen: the text as scanned."""
        ...

    async def present_plate(self, lane: str, plate: str, confidence: float) -> Answer:
        """A camera read a plate, `confidence` 0..1."""
        ...

    async def quote(self, text: str) -> StayQuote | Refusal:
        """What the stay behind a ticket would cost now; changes nothing."""
        ...

    async def pay(self, lane: str) -> Answer:
        """Ask the lane's terminal for the price on the screen; the screen shows how it goes."""
        ...

    async def call_help(self, lane: str) -> Answer:
        """Call a person to the lane."""
        ...

    async def end_help(self, lane: str) -> Answer:
        """The driver, or the person who came, ends the call."""
        ...

    async def open_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        """A person opens the lane; `by` and `reason` go on record."""
        ...

    async def admit_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        """A person lets in the car that waits at an entry, over the count if need be; `by` and `reason` go on record."""
        ...

    def status(self) -> StatusView:
        """The whole box now."""
        ...
