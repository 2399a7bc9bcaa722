"""What the centre measures of itself. The names are fixed: dashboards and alerts use them (docs of deployment)."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCIES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


OPEN_STATES = ("draft", "preparing", "untold")


class Metrics:
    """One registry for each application, so that several can stand in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "parking_api_requests",
            "HTTP requests answered; endpoint is the route's template.",
            ("method", "endpoint", "status"),
            registry=self.registry,
        )
        self.durations_s = Histogram(
            "parking_api_request_duration_seconds",
            "Time from request to answer.",
            ("method", "endpoint"),
            buckets=LATENCIES_S,
            registry=self.registry,
        )
        self.active_reservations = Gauge(
            "parking_active_reservations", "Reservations that are active now.", registry=self.registry
        )
        self.link_sessions = Gauge(
            "parking_link_sessions", "Gateways connected to this process.", registry=self.registry
        )
        self.gateways = Gauge(
            "parking_gateways",
            "Gateways by how they are heard, over all processes; those fenced or quarantined are not listened to and not counted.",
            ("hearing",),
            registry=self.registry,
        )
        self.gate_commands = Counter(
            "parking_gate_commands",
            "Gate commands from afar, by what became of them; each is counted as sent first.",
            ("state",),
            registry=self.registry,
        )
        self.frames_refused = Counter(
            "parking_link_frames_refused",
            "Frames of gateways that were not accepted, by reason.",
            ("code", "about"),
            registry=self.registry,
        )
        self.frames_complained = Counter(
            "parking_link_frames_complained",
            "Frames of ours that a gateway did not accept, by reason.",
            ("code", "about"),
            registry=self.registry,
        )
        self.events_applied = Counter(
            "parking_link_events_applied", "Log rows taken into the inbox.", registry=self.registry
        )
        self.events_quarantined = Counter(
            "parking_link_events_quarantined",
            "Log rows that could not be understood.",
            registry=self.registry,
        )
        self.page_durations_s = Histogram(
            "parking_link_page_duration_seconds",
            "Time to apply a page of the log.",
            buckets=LATENCIES_S,
            registry=self.registry,
        )
        self.payment_answers = Counter(
            "parking_payment_answers",
            "Answers of the payment provider, by what they say.",
            ("operation", "answer"),
            registry=self.registry,
        )
        self.payment_webhooks = Counter(
            "parking_payment_webhooks",
            "Webhooks of the payment provider, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self.payment_alarms = Counter(
            "parking_payment_alarms",
            "Payments that need a person: owed, unexplained, or about to lapse.",
            registry=self.registry,
        )
        self.pool_size = Gauge(
            "parking_pool_connections", "Database connections open.", registry=self.registry
        )
        self.pool_idle = Gauge("parking_pool_idle", "Database connections idle.", registry=self.registry)
        self.pool_waiting = Gauge(
            "parking_pool_waiting", "Requests that wait for a connection.", registry=self.registry
        )
        self.conflicts_open = Gauge(
            "parking_conflicts_open", "Conflicts on record that are not resolved.", registry=self.registry
        )
        self.ownership_broken = Counter(
            "parking_ownership_broken",
            "Times that the owners of a lot's spots did not add up.",
            registry=self.registry,
        )
        self.rights_in_flight = Gauge(
            "rights_in_flight", "Spots on their way from the centre to a lot.", registry=self.registry
        )
        self.rights_stranded = Gauge(
            "rights_stranded", "Spots that nobody may sell until a recount.", registry=self.registry
        )
        self.transferable = Gauge(
            "transferable", "Spots of the centre's own that could go to a lot now.", registry=self.registry
        )
        self.unexplained = Gauge(
            "unexplained", "Spots whose sensor and ledger differ, over all lots.", registry=self.registry
        )
        self.outbox_published = Gauge(
            "parking_outbox_published", "Events published by this process.", registry=self.registry
        )

        self.transactions = Gauge(
            "parking_transactions",
            "Bookings not settled between centre and lot: draft, preparing, untold (decided, the lot has not heard it).",
            ("state",),
            registry=self.registry,
        )
        self.transactions_oldest_s = Gauge(
            "parking_transactions_oldest_seconds",
            "Age of the oldest booking in a state; 0 where there is none.",
            ("state",),
            registry=self.registry,
        )

    def transactions_are(self, found: Mapping[str, tuple[int, float]]) -> None:
        """By state: how many bookings are in it now, and the real seconds that the oldest has been."""
        for state in OPEN_STATES:
            count, age_s = found.get(state, (0, 0.0))
            self.transactions.labels(state).set(count)
            self.transactions_oldest_s.labels(state).set(age_s)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
