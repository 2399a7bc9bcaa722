"""What staff read: lanes, lines and logged facts in words, each with the icon and the state that goes with it (design.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from cloud.gateways.hearing import Hearing
from cloud.gateways.reading import GatewayState, ToldFact
from parking.decision import Reason
from parking.money import in_major

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "CAD": "CA$", "TWD": "NT$", "HKD": "HK$"}
TYPES = {
    "regular": "regular",
    "compact": "compact",
    "disabled": "Blue Badge",
    "ev": "electric",
    "motorcycle": "motorcycle",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A state: told by its shape, its word and then its colour."""

    state: str
    word: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A logged fact as a person reads it."""

    state: str
    icon: str
    text: str


GO, WAIT, WARN, STOP, OFF = "go", "wait", "warn", "stop", "off"

HEARINGS: Mapping[Hearing, Tag] = {
    Hearing.NEVER: Tag(state=OFF, word="Never heard", icon="wait"),
    Hearing.LATE: Tag(state=WARN, word="Late", icon="clock"),
    Hearing.DOWN: Tag(state=WARN, word="Line down", icon="cut"),
    Hearing.SILENT: Tag(state=STOP, word="Silent", icon="cut"),
}

# phase of the lane: state, word, icon, where the arm is, what is going on
PHASES: Mapping[str, tuple[str, str, str, str, str]] = {
    "unread": (OFF, "Starting", "wait", "down", "The controller has not been read yet."),
    "lost": (STOP, "No answer", "cut", "unknown", "The barrier's controller does not answer."),
    "idle": (OFF, "Idle", "wait", "down", "No vehicle."),
    "arrived": (WAIT, "Car waiting", "wait", "down", "A car stands on the loop and has not chosen yet."),
    "deciding": (WAIT, "Deciding", "wait", "down", "A ticket or plate is being looked at."),
    "abandoned": (OFF, "Left again", "wait", "down", "The car drove off the loop."),
    "owes": (WAIT, "To pay", "money", "down", "The price is shown; the driver has not paid yet."),
    "paying": (WAIT, "Paying", "wait", "down", "The bank is being asked."),
    "opening": (GO, "Opening", "armup", "half up", "The arm goes up."),
    "open": (GO, "Open", "armup", "up", "The car may drive."),
    "open_empty": (GO, "Open", "armup", "up", "Open; no car on the loops."),
    "passing": (GO, "Passing", "car", "up", "A car is under the arm."),
    "clearing": (GO, "Passing", "car", "up", "The car is almost through."),
    "unsure": (WARN, "Kept open", "warn", "up", "The safety loop is not certain: the arm stays up."),
    "closing": (GO, "Closing", "armdown", "half up", "The arm goes down."),
    "released": (WAIT, "By hand", "person", "up", "The arm was released by hand."),
    "stuck": (STOP, "Arm stuck", "stop", "half up", "The arm did not reach its end position."),
    "evacuating": (STOP, "Fire alarm", "warn", "half up", "The fire alarm raises the arm."),
    "evacuated": (STOP, "Fire alarm", "warn", "up", "The arm stays up until the fire alarm is over."),
}
IN_TROUBLE = frozenset({"lost", "stuck", "unsure", "evacuating", "evacuated"})


def type_name(type_: str) -> str:
    """A spot's type as people say it."""
    return TYPES.get(type_, type_)


def lane_name(lane: str) -> str:
    """A lane's id as people say it: entry-1 is Entry 1."""
    return lane.replace("-", " ").replace("_", " ").strip().capitalize()


def phase_of(phase: str) -> tuple[str, str, str, str, str]:
    """State, word, icon, arm and sentence of a lane's phase; one that is not known here says its own name."""
    return PHASES.get(phase, (OFF, phase or "Not heard", "wait", "down", "Nothing more is known."))


def gateway_tag(gateway: GatewayState) -> Tag:
    """How a gateway is, worst first."""
    if gateway.state == "quarantined":
        return Tag(state=STOP, word="Quarantined", icon="lock")
    if gateway.state == "fenced":
        return Tag(state=STOP, word="Fenced", icon="lock")
    if gateway.hearing is not Hearing.UP:
        return HEARINGS[gateway.hearing]
    if any(phase in {"lost", "stuck"} for phase in gateway.lanes.values()):
        return Tag(state=STOP, word="Lane fault", icon="stop")
    return Tag(state=GO, word="Live", icon="go")


def duration(seconds: float) -> str:
    """A length of time: 40 s, 12 min, 2 h 14 min, 3 d 4 h."""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def count(number: int) -> str:
    """4607 as 4,607."""
    return f"{number:,}"


def money(amount_minor: int, currency: str) -> str:
    """£1,204.50; a currency without a sign here is named by its code."""
    major = in_major(abs(amount_minor), currency)
    whole, _, part = major.partition(".")
    digits = f"{int(whole):,}" + (f".{part}" if part else "")
    return f"{'−' if amount_minor < 0 else ''}{SYMBOLS.get(currency, currency + ' ')}{digits}"


def sentence(fact: ToldFact, currency: str) -> Sentence:
    """What a row of the log tells. Whatever a body lacks is left unsaid: it was stored as it came."""
    tell = TOLD.get(fact.kind)
    if not fact.kind:
        return Sentence(
            state=WARN, icon="warn", text=f"Record {fact.seq} could not be understood; it is kept as it came."
        )
    if tell is None:
        return Sentence(state=OFF, icon="list", text=f"Noted: {fact.kind.replace('_', ' ')}.")
    return tell(_Body(fact.body), currency)


class _Body:
    """A fact's body, read leniently: it is for showing only."""

    def __init__(self, body: Mapping[str, object]) -> None:
        self._body = body

    def word(self, name: str, default: str = "") -> str:
        value = self._body.get(name)
        return value[:200] if isinstance(value, str) else default

    def number(self, name: str) -> int:
        value = self._body.get(name)
        return value if isinstance(value, int) else 0

    def part(self, name: str) -> _Body:
        value = self._body.get(name)
        return _Body(cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {})

    def parts(self, name: str) -> Sequence[_Body]:
        value = self._body.get(name)
        rows = value if isinstance(value, (list, tuple)) else ()
        return [_Body(cast("Mapping[str, object]", row)) for row in rows if isinstance(row, Mapping)]

    def words(self, name: str) -> Sequence[str]:
        value = self._body.get(name)
        return (
            [word[:200] for word in value if isinstance(word, str)]
            if isinstance(value, (list, tuple))
            else []
        )

    def lane(self) -> str:
        return lane_name(self.word("lane")) or "A lane"

    def instant(self, name: str) -> datetime | None:
        us = self.number(name)
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us) if us else None


def _boot(body: _Body, _: str) -> Sentence:
    return Sentence(
        state=WAIT, icon="chip", text=f"The lot's computer started, version {body.word('software', '?')}."
    )


def _clock(body: _Body, _: str) -> Sentence:
    return Sentence(
        state=WAIT, icon="clock", text=f"Its clock is now {body.word('quality', 'of another quality')}."
    )


def _admitted(body: _Body, _: str) -> Sentence:
    stay = body.part("stay")
    kind = TYPES.get(stay.word("type"), stay.word("type"))
    text = f"{stay.lane()} lets a car in, by {stay.word('credential_kind', 'ticket')}, {kind} space."
    return Sentence(state=GO, icon="ticket", text=text)


def _entered(body: _Body, _: str) -> Sentence:
    stay = body.part("stay")
    if stay.instant("paid_until_us") is not None:
        return Sentence(state=GO, icon="tick", text="A stay is paid; the car may leave.")
    if stay.word("credential_kind") == "sensor":
        return Sentence(state=GO, icon="car", text="A car stands on a space, its sensor says.")
    return Sentence(state=GO, icon="car", text=f"A car came in at {stay.lane().lower()}.")


def _left(body: _Body, _: str) -> Sentence:
    stay = body.part("stay")
    came, went = stay.instant("entered_us") or stay.instant("admitted_us"), stay.instant("left_us")
    after = f" after {duration((went - came).total_seconds())}" if came and went else ""
    return Sentence(state=GO, icon="car", text=f"A car left{after}.")


def _voided(body: _Body, _: str) -> Sentence:
    text = f"A car backed out of {body.part('stay').lane().lower()}; its space is free again."
    return Sentence(state=OFF, icon="undo", text=text)


def _refused(body: _Body, _: str) -> Sentence:
    known = {reason.value: reason.sentence for reason in Reason}
    why = known.get(body.word("reason"), body.word("reason").replace("_", " "))
    times = f" ({body.number('times')} times)" if body.number("times") > 1 else ""
    text = f"{body.lane()} refused a {body.word('credential_kind') or 'car'}{times}. The driver read: {why}"
    return Sentence(state=STOP, icon="stop", text=text)


def _gate(body: _Body, _: str) -> Sentence:
    up = body.word("move") == "open"
    text = (
        f"{body.lane()}: arm {'up' if up else 'down' if body.word('move') == 'close' else body.word('move')}."
    )
    return Sentence(state=GO if up else OFF, icon="armup" if up else "armdown", text=text)


def _demand(body: _Body, currency: str) -> Sentence:
    demand = body.part("demand")
    amount = money(demand.number("amount_minor"), demand.word("currency") or currency)
    return Sentence(state=WAIT, icon="money", text=f"{amount} asked for.")


def _payment(body: _Body, currency: str) -> Sentence:
    payment = body.part("payment")
    amount = money(payment.number("amount_minor"), payment.word("currency") or currency)
    state = payment.word("state") or payment.word("status")
    told = {
        "completed": Sentence(state=GO, icon="tick", text=f"Paid {amount}."),
        "failed": Sentence(state=STOP, icon="stop", text=f"The bank said no to {amount}. Nothing was taken."),
        "refunded": Sentence(state=OFF, icon="undo", text=f"{amount} given back."),
    }
    return told.get(state, Sentence(state=WAIT, icon="wait", text=f"Asking the bank for {amount}."))


def _token(body: _Body, _: str) -> Sentence:
    return Sentence(state=WAIT, icon="ticket", text=f"A {body.word('kind', 'ticket')} was signed.")


def _override(body: _Body, _: str) -> Sentence:
    action, by, reason = body.word("action"), body.word("by", "Somebody"), body.word("reason")
    if action == "help_called":
        return Sentence(state=WARN, icon="help", text=f"{body.lane()}: help was called ({reason}).")
    if action == "tailgated":
        return Sentence(
            state=WARN, icon="warn", text=f"{body.lane()}: a second car went through behind the first."
        )
    afar = " from afar" if body.word("command") else ""
    text = f"{by}: {action.replace('_', ' ')}{afar}, {body.lane().lower()}. Reason: {reason}"
    return Sentence(state=WAIT, icon="person", text=text)


def _dropped(body: _Body, _: str) -> Sentence:
    text = f"{count(body.number('count'))} sensor readings of the outage were summed up."
    return Sentence(state=WARN, icon="cut", text=text)


def _aside(body: _Body, _: str) -> Sentence:
    text = f"The lot kept a record aside: {body.word('field', 'somewhere')} {body.word('problem')}."
    return Sentence(state=WARN, icon="warn", text=text)


def _doubted(body: _Body, _: str) -> Sentence:
    doubted = [each for each in body.parts("sensors") if each.words("lies")]
    if not doubted:
        return Sentence(state=GO, icon="tick", text="Sensors are believed again.")
    first = doubted[0]
    more = f", and {count(len(doubted) - 1)} more" if len(doubted) > 1 else ""
    text = f"Sensor {first.word('source')} is not trusted: {', '.join(first.words('lies'))}{more}."
    return Sentence(state=WARN, icon="warn", text=text)


def _drifted(body: _Body, _: str) -> Sentence:
    off = body.number("difference")
    if not off:
        return Sentence(state=GO, icon="tick", text="The count of cars agrees with the sensors again.")
    seen = "more stood on spaces than came in" if off > 0 else "fewer stood on spaces than are inside"
    return Sentence(state=WARN, icon="warn", text=f"The count of cars is off by {count(abs(off))}: {seen}.")


def _recounted(body: _Body, _: str) -> Sentence:
    changed = f"{count(body.number('closed'))} stays closed, {count(body.number('opened'))} opened"
    text = f"{body.word('by', 'Somebody')} counted the cars: {changed}. Reason: {body.word('reason')}."
    return Sentence(state=WAIT, icon="person", text=text)


def _clash(_: _Body, __: str) -> Sentence:
    return Sentence(state=STOP, icon="stop", text="Two promises of one space clash.")


def _rehomed(_: _Body, __: str) -> Sentence:
    return Sentence(
        state=OFF, icon="list", text="A booking goes to another space: a car stays longer on its own."
    )


RISKS = {
    "overstay": "a car stays longer and nothing else is free",
    "over_count": "more cars are inside than there are spaces",
    "physically_full": "its driver is here and no space is free",
}


def _at_risk(body: _Body, _: str) -> Sentence:
    why = RISKS.get(body.word("reason"), "its space is not free")
    return Sentence(state=STOP, icon="stop", text=f"A booking may not be kept: {why}.")


def _sold(body: _Body, currency: str) -> Sentence:
    price = money(body.number("amount_minor"), body.word("currency") or currency)
    return Sentence(state=GO, icon="tick", text=f"A space was booked at the kiosk for {price}.")


def _claim(body: _Body, _: str) -> Sentence:
    claim = body.part("claim")
    word = {"firm": "kept", "held": "held", "released": "given back"}.get(claim.word("state"), "changed")
    return Sentence(state=OFF, icon="list", text=f"A {TYPES.get(claim.word('type'), '')} space is {word}.")


TOLD = {
    "boot": _boot,
    "clock_changed": _clock,
    "stay_admitted": _admitted,
    "stay_entered": _entered,
    "stay_left": _left,
    "stay_voided": _voided,
    "claim_changed": _claim,
    "admission_refused": _refused,
    "gate_moved": _gate,
    "demand_made": _demand,
    "payment_changed": _payment,
    "token_issued": _token,
    "override": _override,
    "telemetry_dropped": _dropped,
    "record_quarantined": _aside,
    "sensors_doubted": _doubted,
    "count_drifted": _drifted,
    "recount": _recounted,
    "conflict_found": _clash,
    "booking_rehomed": _rehomed,
    "booking_at_risk": _at_risk,
    "booking_sold": _sold,
}
QUIET = frozenset({"claim_changed", "token_issued"})
"""Kinds that say nothing which another row of the same change does not say."""
