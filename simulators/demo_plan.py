"""What a demo is asked for, and how far it has come: the demo writes the progress, a view reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simulators.demo_news import News
from simulators.web_traffic import WebNews

RUSH_HOUR = datetime(2026, 11, 28, 12, 40, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What was asked for: real seconds of traffic, civil seconds in a real one, the seed of the vehicles.

    The rest is for tests. `environment` is added to that of every process; `agent_failpoints` has one for each of the agent's lives
    (sync/failpoints.py); `orders` are told to the lot (simulators/faults.py), each at its real seconds of traffic.
    """

    seconds: float = 60.0
    speed: float = 60.0
    seed: int = 1
    anchor_at: datetime = RUSH_HOUR
    cut_line: bool = True
    kill_agent: bool = True
    bookings: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    agent_failpoints: Sequence[str] = ()
    orders: Sequence[tuple[float, Mapping[str, object]]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a person can look while it runs."""

    console: str
    entry_kiosk: str
    exit_kiosk: str
    status_page: str


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far it is. Instants are real monotonic seconds; `told` are (when, what happened)."""

    stage: str = "starting"
    began_s: float = 0.0
    started_s: float | None = None
    done: bool = False
    line_up: bool = True
    line_down_s: float | None = None
    drain_s: float | None = None
    agent_up: bool = False
    kills: int = 0
    back_s: float | None = None
    addresses: Addresses | None = None
    lot: Mapping[str, object] = field(default_factory=dict)
    lot_name: str = ""
    spaces: int = 0
    knew_ms: float | None = None
    conflicts: int = 0
    news: News = field(default_factory=News)
    web: WebNews = field(default_factory=WebNews)
    backlog: int = 0
    waited: int = 0
    acknowledged_seq: int = 0
    readings_acknowledged: int = 0
    asked: int = 0
    server_errors: int = 0
    told: list[tuple[float, str, str]] = field(default_factory=list)
