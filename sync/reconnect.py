"""When to dial again. Next in its story: sync/outbox.

Theory. The connection itself never retries; this machine goes around it. It waits, dials, is up, and waits again. Waits
are drawn evenly from nothing to a ceiling that doubles from 1 s to 60 s with every try that led to nothing (full jitter: a thousand lots
whose line comes back at once do not knock at once). The ceiling falls back to 1 s only after a session that lived for LIVED_S, so that a
centre that accepts and drops is not hammered. A centre that goes down for a moment names the delay; a little jitter is added to it.
Everything is in real monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

FIRST_CEILING_S = 1.0
LAST_CEILING_S = 60.0
LIVED_S = 30.0
DRAIN_JITTER_S = 1.0


class ReconnectState(StrEnum):
    """What the link is doing."""

    WAITING = "waiting"
    DIALLING = "dialling"
    UP = "up"


class ReconnectEvent(StrEnum):
    """What happens to it."""

    TIME_CAME = "time_came"
    OPENED = "opened"
    FAILED = "failed"
    LOST = "lost"
    DRAINED = "drained"


_S, _E = ReconnectState, ReconnectEvent
RECONNECT_TABLE: dict[tuple[ReconnectState, ReconnectEvent], ReconnectState] = {
    (_S.WAITING, _E.TIME_CAME): _S.DIALLING,
    (_S.DIALLING, _E.OPENED): _S.UP,
    (_S.DIALLING, _E.FAILED): _S.WAITING,
    (_S.DIALLING, _E.DRAINED): _S.WAITING,
    (_S.UP, _E.LOST): _S.WAITING,
    (_S.UP, _E.DRAINED): _S.WAITING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """Where the machine stands. `until_s` is when to dial while waiting, `since_s` when it came into its state."""

    state: ReconnectState
    since_s: float
    until_s: float
    fruitless: int = 0

    @classmethod
    def start(cls, now_s: float) -> Reconnect:
        """Dial at once."""
        return cls(state=ReconnectState.WAITING, since_s=now_s, until_s=now_s)


def step(
    current: Reconnect, event: ReconnectEvent, now_s: float, random: Random, *, delay_s: float | None = None
) -> Reconnect:
    """What follows. `delay_s` is what a draining centre asked for.

    Raises:
        ValueError: the table has no such step.
    """
    state = RECONNECT_TABLE.get((current.state, event))
    if state is None:
        raise ValueError(f"a link that is {current.state} cannot be {event}")
    following = replace(current, state=state, since_s=now_s)
    if state is not ReconnectState.WAITING:
        return following
    if event is ReconnectEvent.DRAINED:
        asked_s = FIRST_CEILING_S if delay_s is None else delay_s
        return replace(following, until_s=now_s + asked_s + random.uniform(0, DRAIN_JITTER_S), fruitless=0)
    lived = current.state is ReconnectState.UP and now_s - current.since_s >= LIVED_S
    fruitless = 1 if lived else current.fruitless + 1
    return replace(following, until_s=now_s + random.uniform(0, ceiling_s(fruitless)), fruitless=fruitless)


def ceiling_s(fruitless: int) -> float:
    """The longest wait after so many tries that led to nothing: 1, 2, 4 … 60 s."""
    return min(LAST_CEILING_S, FIRST_CEILING_S * 2.0 ** (min(fruitless, 16) - 1))
