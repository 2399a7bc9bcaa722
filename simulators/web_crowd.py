"""Who books on the web while the demo runs, and when: drawn from the seed. Next file: simulators/web_traffic.py, which lets them do it.

Times are shares of the traffic's length, so that a short demo has the same stories as a long one. Who `comes_at` drives up with the pass then; the
others have booked for another day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from parking.lot import SpotType

RACE_AT, DOUBT_AT, DOUBT_COMES_AT = 0.17, 1 / 3, 0.43
"""The decision that is lost is the last thing on the line; its driver comes while the line is down, long before it is back."""
RACED = SpotType.MOTORCYCLE
RACERS, RIVALS = 12, 3
"""More than there are places of the type: some lose in any case."""
ORDINARY = "pm_card_visa"
STRICT = "pm_card_authenticationRequired"
LATER = timedelta(hours=20)
STAYS = timedelta(minutes=50)
LASTS = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDriver:
    """One who books: asks at a share of the traffic, for a window that starts so much later, and comes at another share or not at all."""

    driver: int
    asks_at: float
    type: SpotType
    starts_in: timedelta
    lasts: timedelta = LASTS
    comes_at: float | None = None
    card: str = ORDINARY


def web_drivers(seed: int) -> list[WebDriver]:
    """Those who book one by one, in the order in which they ask: before the cut, while the line is down, after it."""
    draw = Random(f"web {seed}")
    spells = [(0.02, 0.28, None)] * 4 + [(0.05, 0.28, (0.40, 0.48))] * 2
    spells += [(0.37, 0.46, (0.52, 0.60))] * 3 + [(0.72, 0.85, None)] * 4
    found = []
    for number, (first, last, comes) in enumerate(spells, start=1):
        soon = comes is not None or draw.random() < 0.5
        asks_at = draw.uniform(first, last)
        found.append(
            WebDriver(
                driver=number,
                asks_at=asks_at,
                type=draw.choice((SpotType.REGULAR, SpotType.REGULAR, SpotType.COMPACT)),
                starts_in=timedelta(minutes=1) if soon else LATER,
                comes_at=draw.uniform(*comes) if comes is not None else (asks_at + 0.08 if soon else None),
                card=STRICT if comes is None and draw.random() < 0.4 else ORDINARY,
            )
        )
    return sorted(found, key=lambda one: one.asks_at)


def racers() -> list[WebDriver]:
    """Those who want the last places of one type, all at the same instant."""
    return [
        WebDriver(driver=100 + n, asks_at=RACE_AT, type=RACED, starts_in=timedelta(minutes=1))
        for n in range(1, RACERS + 1)
    ]


def in_doubt() -> WebDriver:
    """The one whose lot never hears the decision, until he comes with the pass."""
    return WebDriver(
        driver=200,
        asks_at=DOUBT_AT,
        type=SpotType.REGULAR,
        starts_in=timedelta(minutes=1),
        comes_at=DOUBT_COMES_AT,
    )
