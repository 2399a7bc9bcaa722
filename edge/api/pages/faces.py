"""Which face a lane's screen wears: the signal that a driver reads from two cars away, and the template of the rest.

One screen, one thing to do: a signal is a shape, a word and a colour, in this order of importance. `act` is the only yellow one and
means: it is your turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.api.desk import LaneView, Screen
from parking.lot import LaneKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """`state` is the design's (go, act, wait, stop, off), `icon` a symbol, `word` a key of the words, `template` what fills the rest."""

    state: str
    icon: str
    word: str
    template: str


ENTRY: Mapping[Screen, Face] = {
    Screen.IDLE: Face(state="go", icon="go", word="signal.free", template="idle"),
    Screen.DETECTED: Face(state="act", icon="act", word="signal.your_turn", template="detected"),
    Screen.CHOOSE: Face(state="act", icon="act", word="signal.your_turn", template="choose"),
    Screen.CHECKING: Face(state="wait", icon="wait", word="signal.wait", template="checking"),
    Screen.TICKET: Face(state="act", icon="ticket", word="signal.ticket", template="ticket"),
    Screen.OPENING: Face(state="wait", icon="armup", word="signal.wait", template="arm"),
    Screen.DRIVE: Face(state="go", icon="go", word="signal.in", template="arm"),
    Screen.REFUSED: Face(state="stop", icon="stop", word="signal.stop", template="refused"),
    Screen.FULL: Face(state="stop", icon="stop", word="signal.full", template="full"),
    Screen.CLOSED: Face(state="off", icon="lock", word="signal.closed", template="closed"),
    Screen.ARM_FAULT: Face(state="wait", icon="armdown", word="signal.please_wait", template="arm_fault"),
    Screen.HELP: Face(state="wait", icon="help", word="signal.calling", template="help"),
}

EXIT: Mapping[Screen, Face] = {
    Screen.IDLE: Face(state="act", icon="qr", word="signal.your_turn", template="scan"),
    Screen.DETECTED: Face(state="act", icon="qr", word="signal.your_turn", template="scan"),
    Screen.CHECKING: Face(state="wait", icon="wait", word="signal.wait", template="checking"),
    Screen.PRICE: Face(state="act", icon="card", word="signal.pay", template="price"),
    Screen.PAYING: Face(state="act", icon="card", word="signal.pay", template="paying"),
    Screen.DECLINED: Face(state="stop", icon="stop", word="signal.declined", template="declined"),
    Screen.PAID: Face(state="go", icon="tick", word="signal.paid", template="paid"),
    Screen.OPENING: Face(state="wait", icon="armup", word="signal.wait", template="arm"),
    Screen.DRIVE: Face(state="go", icon="go", word="signal.out", template="arm"),
    Screen.REFUSED: Face(state="stop", icon="stop", word="signal.stop", template="refused"),
    Screen.ARM_FAULT: Face(state="wait", icon="armdown", word="signal.please_wait", template="arm_fault"),
    Screen.HELP: Face(state="wait", icon="help", word="signal.calling", template="help"),
}

MISSING = Face(state="wait", icon="wait", word="signal.wait", template="checking")

# What a template cannot do without; a view that lacks it wears MISSING until the next one comes.
NEEDS = {"ticket": "ticket", "price": "price", "choose": "types", "paid": "payment", "refused": "reason"}


def face(view: LaneView) -> Face:
    """The face of a view. A lane that goes both ways looks like an entry until money is the matter."""
    tables = {LaneKind.ENTRY: (ENTRY,), LaneKind.EXIT: (EXIT,), LaneKind.TWO_WAY: (ENTRY, EXIT)}[view.kind]
    shown = next((table[view.screen] for table in tables if view.screen in table), MISSING)
    needed = NEEDS.get(shown.template)
    return shown if needed is None or getattr(view, needed) else MISSING
