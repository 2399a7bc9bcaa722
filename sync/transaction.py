"""One reservation's revision, which is one transaction of the two-phase commit: what coordinator and participants both call it.

A reservation that is changed or cancelled gets its next revision; the revision before it stays what it was decided to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from parking.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TransactionId:
    """Which revision of which reservation. Revisions count from 1."""

    reservation: str
    revision: int

    def __str__(self) -> str:
        return f"{self.reservation}#{self.revision}"


class Outcome(StrEnum):
    """What a transaction was decided to be; both are absorbing."""

    COMMITTED = "committed"
    ABORTED = "aborted"


class NoReason(StrEnum):
    """Why a lot votes no, and why a transaction was aborted: a closed list that the service turns into a sentence."""

    FULL = "full"
    WOULD_NOT_PACK = "would_not_pack"
    TYPE_NOT_HERE = "type_not_here"
    SPOT_TAKEN = "spot_taken"
    WINDOW_OVER = "window_over"
    CATCHING_UP = "catching_up"
    TOO_MANY_DOUBTS = "too_many_doubts"
    STALE_EPOCH = "stale_epoch"
    FENCED = "fenced"
    NOT_STORING = "not_storing"
    ABORTED_BEFORE = "aborted_before"
    # of the coordinator alone
    LINK_DOWN = "link_down"
    BUSY = "busy"
    NOT_AUTHORISED = "not_authorised"
    DEADLINE = "deadline"
    MET_BY_FACT = "met_by_fact"
    GIVEN_UP = "given_up"
    NEVER_HEARD_OF = "never_heard_of"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChange:
    """What a change of a booking's window needs: `added` is held by the next revision, `given_up` is released once the lot
    has acknowledged it.
    """

    added: tuple[Interval, ...]
    given_up: tuple[Interval, ...]


def window_change(known: Interval, wanted: Interval) -> WindowChange:
    """The parts of `wanted` outside `known`, and the parts of `known` outside `wanted`."""
    return WindowChange(added=_outside(wanted, known), given_up=_outside(known, wanted))


def _outside(window: Interval, other: Interval) -> tuple[Interval, ...]:
    if not window.overlaps(other):
        return (window,)
    parts: list[Interval] = []
    if window.starts_at < other.starts_at:
        parts.append(Interval(window.starts_at, other.starts_at))
    if other.ends_at is not None and (window.ends_at is None or window.ends_at > other.ends_at):
        parts.append(Interval(other.ends_at, window.ends_at))
    return tuple(parts)
