"""Every screen of a kiosk in one moment of a lot in Birmingham, and the status of its box on a bad day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from drivers.supervisor import DriverHealth, DriverState
from edge.api.desk import (
    ClockStatus,
    DiskStatus,
    EventLine,
    Fault,
    LaneStatus,
    LaneView,
    LedgerStatus,
    LinkState,
    LinkStatus,
    PaymentView,
    PriceHint,
    PriceLine,
    PriceStep,
    PriceView,
    Screen,
    StatusView,
    StayView,
    TicketView,
    TypeCount,
)
from edge.api.devices import Device, Role
from edge.api.pages.renderer import Site
from parking.decision import Reason
from parking.lot import LaneKind, SpotType

NOW = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
SITE = Site(latitude=52.4774, longitude=-1.8937, language="en", help_line="0121 496 0112")
TOKENS = {
    "kiosk-1": "entry-kiosk-token",
    "kiosk-3": "exit-kiosk-token",
    "camera-1": "camera-token",
    "staff": "staff-token",
}
DEVICES = tuple(
    Device(name=name, role=role, lane=lane, token_sha256=sha256(TOKENS[name].encode()).hexdigest())
    for name, role, lane in (
        ("kiosk-1", Role.KIOSK, "lane-1"),
        ("kiosk-3", Role.KIOSK, "lane-3"),
        ("camera-1", Role.CAMERA, "lane-1"),
        ("staff", Role.STAFF, None),
    )
)
COUNTS = (
    TypeCount(type=SpotType.REGULAR, sellable=189, total=402),
    TypeCount(type=SpotType.EV, sellable=6, total=24),
    TypeCount(type=SpotType.DISABLED, sellable=19, total=20),
    TypeCount(type=SpotType.MOTORCYCLE, sellable=0, total=8),
)
HINT = PriceHint(
    amount_minor=400,
    currency="GBP",
    later=(
        PriceStep(from_at=NOW.replace(hour=17, minute=0), amount_minor=560),
        PriceStep(from_at=NOW.replace(hour=19, minute=0), amount_minor=320),
    ),
    maximum_minor=2400,
    free_min=15,
)
TOKEN = "LG1:" + "6BF+70790T9WJWG.FKY*4GO0.O1CV2 O5 N2FBBRW1*70HS8WY04AC*WIFN0AHCD8KD97TK0F90KECTHGWJC0FDC:5AIA%G7X+AQB9746HS80:54IBQF60R6$A80X6S1BTYACG6M+9XG8KIAWNA91AY%67092L4WJCT3EHS8XJC$+DXJCCWENF6OF63W5NW6WF6%JC QE/IAYJC5LEW34U3ET7DXC9 QE-ED8%E"  # fmt: skip

ENTRY = LaneView(
    lane="lane-1",
    kind=LaneKind.ENTRY,
    screen=Screen.IDLE,
    lot="Bull Ring Car Park",
    at=NOW,
    timezone="Europe/London",
    currency="GBP",
    link=LinkState.UP,
    counts=COUNTS,
    price_hint=HINT,
)
EXIT = replace(ENTRY, lane="lane-3", kind=LaneKind.EXIT)
TICKET = TicketView(text=TOKEN, code="7K3M-9QRD", issued_at=NOW)
STAY = StayView(
    id="s", shown="7K3M-9QRD", type=SpotType.REGULAR, entered_at=NOW - timedelta(hours=2, minutes=23)
)
PRICE = PriceView(
    lines=(
        PriceLine(text="First 15 minutes", amount_minor=0),
        PriceLine(text="3 started hours at £4.00", amount_minor=1200),
    ),
    total_minor=1200,
    currency="GBP",
    from_at=NOW - timedelta(hours=2, minutes=23),
    to_at=NOW,
    vat_minor=200,
)
LONG_PRICE = replace(
    PRICE,
    lines=(
        PriceLine(text="2 d at the day's maximum £24.00", amount_minor=4800),
        PriceLine(text="Tue 24 Nov, 08:00 to 12:00, 4 started hours at £4.00", amount_minor=1600),
        PriceLine(text="12:00 to 14:05, 3 started hours at £5.60", amount_minor=1680),
        PriceLine(text="Electric space, 3 kW included", amount_minor=250),
        PriceLine(text="Resident, 10 % less", amount_minor=-833),
    ),
    total_minor=7497,
    from_at=NOW - timedelta(days=2, hours=6),
)
PAYMENT = PaymentView(
    amount_minor=1200,
    currency="GBP",
    paid_at=NOW,
    receipt_code="BR-2026-118204",
    receipt_text=TOKEN,
    leave_by_at=NOW + timedelta(minutes=15),
)

SCREENS: dict[str, LaneView] = {
    "entry-idle": ENTRY,
    "entry-linedown": replace(ENTRY, link=LinkState.DOWN),
    "entry-detected": replace(ENTRY, screen=Screen.DETECTED, busy=True),
    "entry-choose": replace(
        ENTRY, screen=Screen.CHOOSE, types=(SpotType.REGULAR, SpotType.EV, SpotType.DISABLED)
    ),
    "entry-checking": replace(ENTRY, screen=Screen.CHECKING, plate="BX71 KLM"),
    "entry-ticket": replace(ENTRY, screen=Screen.TICKET, ticket=TICKET),
    "entry-ticket-up": replace(ENTRY, screen=Screen.TICKET, ticket=TICKET, arm="up"),
    "entry-opening": replace(ENTRY, screen=Screen.OPENING, reason=Reason.GRANTED),
    "entry-drive": replace(ENTRY, screen=Screen.DRIVE, reason=Reason.GRANTED, arm="up"),
    "entry-drive-ticket": replace(ENTRY, screen=Screen.DRIVE, reason=Reason.GRANTED, arm="up", ticket=TICKET),
    "entry-refused": replace(ENTRY, screen=Screen.REFUSED, reason=Reason.ALREADY_INSIDE),
    "entry-booked-but-full": replace(
        ENTRY,
        screen=Screen.REFUSED,
        reason=Reason.BOOKED_BUT_FULL,
        directions="Moor Street Car Park, 200 m on the left",
    ),
    "entry-notyet": replace(
        ENTRY, screen=Screen.REFUSED, reason=Reason.NOT_YET, until_at=NOW + timedelta(hours=2, minutes=10)
    ),
    "entry-full": replace(
        ENTRY, screen=Screen.FULL, reason=Reason.FULL, until_at=NOW + timedelta(minutes=20)
    ),
    "entry-closed": replace(
        ENTRY, screen=Screen.CLOSED, reason=Reason.CLOSED, until_at=NOW.replace(day=25, hour=6, minute=0)
    ),
    "entry-fenced": replace(ENTRY, screen=Screen.CLOSED, reason=Reason.FENCED),
    "entry-arm": replace(ENTRY, screen=Screen.ARM_FAULT, called_at=NOW),
    "entry-help": replace(ENTRY, screen=Screen.HELP, called_at=NOW),
    "exit-scan": EXIT,
    "exit-checking": replace(EXIT, screen=Screen.CHECKING, stay=STAY),
    "exit-price": replace(EXIT, screen=Screen.PRICE, stay=STAY, price=PRICE),
    "exit-price-long": replace(EXIT, screen=Screen.PRICE, stay=STAY, price=LONG_PRICE),
    "exit-paying": replace(EXIT, screen=Screen.PAYING, stay=STAY, price=PRICE),
    "exit-declined": replace(EXIT, screen=Screen.DECLINED, stay=STAY, price=PRICE),
    "exit-paid": replace(EXIT, screen=Screen.PAID, stay=STAY, price=PRICE, payment=PAYMENT),
    "exit-drive": replace(EXIT, screen=Screen.DRIVE, reason=Reason.PAID, arm="up"),
    "exit-free": replace(EXIT, screen=Screen.DRIVE, reason=Reason.FREE_OF_CHARGE, arm="up"),
    "exit-refused": replace(EXIT, screen=Screen.REFUSED, reason=Reason.UNPAID),
    "exit-arm": replace(EXIT, screen=Screen.ARM_FAULT, called_at=NOW),
    "exit-help": replace(EXIT, screen=Screen.HELP, called_at=NOW),
}


def driver(name: str, state: DriverState, age_s: float, **more: object) -> DriverHealth:
    known: dict[str, object] = {"restarts": 0, "crashes": 0, "malformed": 0, "last_error": None} | more
    return DriverHealth(name=name, state=state, last_data_at=1000 - age_s, **known)  # type: ignore[arg-type]  # a test's shorthand


STATUS = StatusView(
    lot="Bull Ring Car Park",
    gateway="gw-bull-ring",
    at=NOW,
    timezone="Europe/London",
    software="0.1.0",
    started_at=NOW - timedelta(days=12, hours=4),
    ready=True,
    lanes=(
        LaneStatus(
            lane="lane-1",
            kind=LaneKind.ENTRY,
            state="ready",
            detail="Arm down, loops clear.",
            last_passage_at=NOW - timedelta(minutes=1),
        ),
        LaneStatus(lane="lane-3", kind=LaneKind.EXIT, state="passing", detail="Arm up, car on the safety loop.", arm="up"),
    ),
    drivers=(
        driver("barriers", DriverState.RUNNING, 0.2),
        driver("spots", DriverState.RUNNING, 2, malformed=12),
        driver("reader-entry", DriverState.WAITING, 90, restarts=3, last_error="reader-entry: the port /dev/lotgate-reader is gone"),
        driver("camera-entry", DriverState.SILENT, 1080),
    ),
    link=LinkStatus(
        state=LinkState.DOWN,
        since_at=NOW - timedelta(hours=2, minutes=14),
        backlog=6204,
        oldest_at=NOW - timedelta(hours=2, minutes=14),
        next_try_at=NOW + timedelta(seconds=40),
        acknowledged_seq=163_000,
        detail="No route to the centre.",
    ),
    ledger=LedgerStatus(epoch=3, last_seq=169_204, open_stays=216, size_bytes=48_300_000, tariff_version="2026-11"),
    disk=DiskStatus(free_bytes=12_400_000_000, total_bytes=28_800_000_000),
    clock=ClockStatus(quality="holdover"),
    counts=COUNTS,
    faults=(
        Fault(
            title="Plate camera, entry 1: no picture",
            since_at=NOW - timedelta(minutes=18),
            effect="Drivers get tickets instead.",
            steps=(
                "Look at switch port 3 in the cabinet. The light is off.",
                "Pull the cable and plug it in again.",
                "Still off: use port 6 and press Check again.",
            ),
        ),
    ),
    events=(
        EventLine(at=NOW - timedelta(seconds=33), text="Lane 1 opened", detail="Ticket 7K3M-9QRD, regular."),
        EventLine(at=NOW - timedelta(minutes=18), text="camera-entry: nothing received for 60 s", detail="Fix: power and cable of the camera."),
        EventLine(at=NOW - timedelta(hours=2, minutes=14), text="link: no route to the centre", detail="Fix: none needed for the car park."),
    ),
    memory_bytes=71_000_000,
)  # fmt: skip
