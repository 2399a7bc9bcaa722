"""What the agent counts, for Prometheus: read at each scrape, kept nowhere twice. Names begin with lotgate_edge_."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edge.bookings import Bookings
from edge.commitments import Commitments
from edge.kiosk_sales import KioskSales
from edge.lane_log import LotLaneLog
from edge.ledger import Ledger
from edge.observing import ReadingCounters
from edge.owners import Owners
from edge.recounts import Recounts
from edge.suspects import Suspects
from edge.ticket_office import TicketOffice


class CountsFrames(Protocol):
    """The line to the centre, as far as it is counted."""

    def refused(self) -> Mapping[str, int]:
        """Frames that were not accepted, by their error's code."""
        ...

    def gate_commands(self) -> Mapping[str, int]:
        """Gate commands from afar by what became of them."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class EdgeFigures(Collector):
    """The lot's counters."""

    ledger: Ledger
    readings: ReadingCounters
    suspects: Suspects | None = None
    lane_log: LotLaneLog
    office: TicketOffice
    line: CountsFrames
    commitments: Commitments
    bookings: Bookings
    sales: KioskSales | None = None
    recounts: Recounts | None = None
    owners: Owners

    def collect(self) -> Iterator[Metric]:
        """Every counter as it is now."""
        yield _counts(
            "readings", "Readings of spots by what became of them", "outcome", asdict(self.readings)
        )
        yield from self._doubted()
        ledger = asdict(self.ledger.counters)
        yield _counts("ledger", "What the ledger did since the agent started", "what", ledger)
        yield _counts("refusals", "Drivers refused at a lane, by reason", "reason", self.lane_log.refusals)
        yield _counts("tokens_refused", "Codes that were not taken, by reason", "reason", self.office.refused)
        yield _counts("frames_refused", "Frames that were not accepted, by code", "code", self.line.refused())
        gates = self.line.gate_commands()
        yield _counts("gate_commands", "Gate commands from afar, by what became of them", "outcome", gates)
        over_count = sum(stay.claim is None for stay in self.ledger.open_stays())
        yield GaugeMetricFamily(
            "lotgate_edge_over_count", "Vehicles inside that no place is kept for.", value=over_count
        )
        yield from self._commits()
        if self.sales is not None:
            yield _counts(
                "kiosk_sales",
                "Bookings at the kiosk by what became of them",
                "outcome",
                self.sales.outcomes,
            )
        if self.recounts is not None:
            recounts = self.recounts.done
            yield _counts(
                "recounts", "Counts by a person, and stays they closed and opened", "what", recounts
            )
        yield from self._owned()
        yield _counts("barrier_moves", "Moves that an arm was told", "lot", {"all": self.lane_log.moves})

    def _doubted(self) -> Iterator[Metric]:
        """Sensors by what is held against them, and the count where it has drifted."""
        doubted = GaugeMetricFamily(
            "lotgate_edge_sensors_doubted", "Sensors by what is held against them.", labels=["lie"]
        )
        for lie, count in self.suspects.doubts().items() if self.suspects is not None else ():
            doubted.add_metric([lie], count)
        yield doubted
        yield GaugeMetricFamily(
            "lotgate_edge_count_drift",
            "Cars on places less cars inside, over a day.",
            value=0 if self.suspects is None else self.suspects.drift,
        )

    def _owned(self) -> Iterator[Metric]:
        """Whose the spots are, how many could change hands, and what became of transfers and questions."""
        owned = GaugeMetricFamily("lotgate_edge_spots_owned", "Spots by who may sell them.", labels=["owner"])
        for owner, count in self.owners.spots_by_owner().items():
            owned.add_metric([owner], count)
        yield owned
        free = GaugeMetricFamily(
            "lotgate_edge_transferable", "Spots that could go to the centre now.", labels=["type"]
        )
        for kind, count in self.owners.transferable().items():
            free.add_metric([str(kind)], count)
        yield free
        yield _counts(
            "transfers", "What became of spots given, asked for and come", "what", self.owners.counts
        )

    def _commits(self) -> Iterator[Metric]:
        """Bookings by what the lot knows of them, the age of its oldest doubt, and what was not taken."""
        known = GaugeMetricFamily(
            "lotgate_edge_transactions", "Bookings by what the lot knows of them.", labels=["state"]
        )
        for state, count in Counter(str(part.state) for part in self.ledger.parts()).items():
            known.add_metric([state], count)
        yield known
        yield GaugeMetricFamily(
            "lotgate_edge_oldest_doubt_seconds",
            "Age of the oldest booking whose decision is not known here; 0 where there is none.",
            value=self.commitments.oldest_doubt_s(),
        )
        yield _counts(
            "commit_refused", "Frames of the commit not taken, by code", "code", self.commitments.refused
        )
        yield _counts("passes_refused", "Passes not taken, by reason", "reason", self.bookings.refused)


def _counts(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"lotgate_edge_{name}", help_text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
