"""What Prometheus may ask of the agent: figures of the box, read from its status at each scrape, and counts of the local API.

All names begin with lotgate_edge_. Other parts of the agent add their own to the same registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from drivers.supervisor import DriverHealth, DriverState
from edge.api.desk import ClockStatus, LinkState, StatusView


class ApiCounts:
    """What the local API counts of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "lotgate_edge_http_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self._problems = Counter(
            "lotgate_edge_http_problems",
            "Requests that were not carried out, by kind.",
            ["kind"],
            registry=registry,
        )

    def problem(self, kind: str) -> None:
        """Count one problem."""
        self._problems.labels(kind).inc()


class StatusCollector(Collector):
    """The status of the box as metrics. Describes nothing beforehand, so that registering it asks nothing of a box that starts."""

    def __init__(self, status: Callable[[], StatusView], streams: Callable[[], int]) -> None:
        self._status = status
        self._streams = streams

    def describe(self) -> list[Metric]:
        """Nothing: names are known at the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask the box once and tell all of it."""
        status = self._status()
        yield _gauge("streams", "Pages that listen to a lane or the status.", self._streams())
        yield from _box(status)
        yield from _drivers(status.drivers)
        yield from _lanes_and_spots(status)
        for name, value in sorted(status.figures.items()):
            yield _gauge(name, "A figure of the agent.", value)


def _box(status: StatusView) -> Iterator[Metric]:
    link, ledger = status.link, status.ledger
    yield _gauge("ready", "1 where the ledger is open and the lanes step.", status.ready)
    yield _gauge(
        "start_time_seconds", "When the agent started, seconds since 1970 UTC.", status.started_at.timestamp()
    )
    yield _gauge("faults", "Things that a person should mend.", len(status.faults))
    yield _gauge("link_up", "1 while the line to the centre is up.", link.state is LinkState.UP)
    yield _gauge("backlog_rows", "Rows of the log that the centre has not acknowledged.", link.backlog)
    yield _gauge("log_last_seq", "The last row of the log.", ledger.last_seq)
    yield _gauge("log_acknowledged_seq", "The last row that the centre acknowledged.", link.acknowledged_seq)
    yield _gauge("epoch", "The gateway's epoch.", ledger.epoch)
    yield _gauge("ledger_degraded", "1 while the ledger cannot be written.", ledger.degraded is not None)
    yield _gauge("ledger_bytes", "Size of the ledger on disk.", ledger.size_bytes)
    yield _gauge("fenced", "1 while another box has this gateway's place.", ledger.verdict != "ok")
    yield _gauge("open_stays", "Vehicles admitted and not yet left.", ledger.open_stays)
    yield _gauge("disk_free_bytes", "Free on the ledger's disk.", status.disk.free_bytes)
    yield _gauge("memory_bytes", "Resident memory of the agent.", status.memory_bytes)
    yield from _clock(status.clock)
    yield _gauge("clock_synced", "1 while the clock is known to be right.", status.clock.quality == "synced")


def _clock(clock: ClockStatus) -> Iterator[Metric]:
    quality = GaugeMetricFamily(
        "lotgate_edge_clock_quality", "1 for the quality that the clock has.", labels=["quality"]
    )
    for word in ("synced", "holdover", "unknown"):
        quality.add_metric([word], float(clock.quality == word))
    yield quality
    if clock.lower_bound_at is not None:
        yield _gauge(
            "clock_lower_bound_seconds",
            "What has certainly passed, seconds since 1970 UTC.",
            clock.lower_bound_at.timestamp(),
        )
    yield _gauge("clock_offset_seconds", "The machine's own clock less the lot's estimate.", clock.offset_s)
    yield _gauge("clock_contradictions", "Times told that could not be believed.", clock.contradictions)


def _drivers(drivers: tuple[DriverHealth, ...]) -> Iterator[Metric]:
    up = GaugeMetricFamily("lotgate_edge_driver_up", "1 while the device is heard.", labels=["driver"])
    restarts = CounterMetricFamily(
        "lotgate_edge_driver_restarts", "Starts after the first.", labels=["driver"]
    )
    crashes = CounterMetricFamily("lotgate_edge_driver_crashes", "Restarts after a bug.", labels=["driver"])
    malformed = CounterMetricFamily(
        "lotgate_edge_driver_malformed", "Messages that were not the protocol.", labels=["driver"]
    )
    for driver in drivers:
        up.add_metric([driver.name], float(driver.state is DriverState.RUNNING))
        restarts.add_metric([driver.name], driver.restarts)
        crashes.add_metric([driver.name], driver.crashes)
        malformed.add_metric([driver.name], driver.malformed)
    yield from (up, restarts, crashes, malformed)


def _lanes_and_spots(status: StatusView) -> Iterator[Metric]:
    trouble = GaugeMetricFamily("lotgate_edge_lane_trouble", "1 while someone must look.", labels=["lane"])
    for lane in status.lanes:
        trouble.add_metric([lane.lane], float(lane.trouble))
    sellable = GaugeMetricFamily("lotgate_edge_sellable_spots", "Sellable to a walk-in now.", labels=["type"])
    total = GaugeMetricFamily("lotgate_edge_spots", "Painted.", labels=["type"])
    for count in status.counts:
        sellable.add_metric([count.type.value], count.sellable)
        total.add_metric([count.type.value], count.total)
    yield from (trouble, sellable, total)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"lotgate_edge_{name}", text, value=float(value))
