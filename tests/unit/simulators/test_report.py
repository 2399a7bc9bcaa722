from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.claims import Claim, ClaimKind, ClaimState
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from simulators.booking_evidence import BookingEvidence, Decided, Intent, Paying
from simulators.broker_tap import Delivered
from simulators.differences import (
    Line,
    availability_mismatches,
    log_differences,
    lost_readings,
    places_sold_twice,
    sensor_to_cloud_ms,
)
from simulators.evidence import CloudEvidence, EdgeEvidence, LogEntry, Promise
from simulators.report import MUST_BE_ZERO, DemoRun, Percentiles, Report, compare
from simulators.wire.envelopes import Transmission, chirpstack_up
from simulators.wire.sensor_frames import SensorFrame
from sync.chain import Envelope, genesis, next_hash, pack_envelope
from sync.rows import claim_row

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SPOTS = [f"A-{number:03d}" for number in range(1, 61)]
EUIS = {spot: f"70b3d500000000{index:02x}" for index, spot in enumerate(SPOTS)}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What `compare` is given."""

    truth: list[Line]
    delivered: list[Delivered]
    edge: EdgeEvidence
    cloud: CloudEvidence
    run: DemoRun
    bookings: BookingEvidence

    def report(self) -> Report:
        return compare(
            truth=self.truth,
            delivered=self.delivered,
            edge=self.edge,
            cloud=self.cloud,
            bookings=self.bookings,
            run=self.run,
        )


def reading(spot: str, *, occupied: bool, after_s: float = 0.0, n: int = 1) -> Line:
    return {
        "what": "reading",
        "spot": spot,
        "device": EUIS[spot].upper(),
        "key": str(UUID(int=SPOTS.index(spot) * 1_000 + n)),
        "occupied": occupied,
        "t": 100.0 + after_s,
        "occurred_at": (NOON + timedelta(seconds=after_s)).isoformat(),
    }


def message_of(line: Line) -> Delivered:
    published = chirpstack_up(
        Transmission(
            device_eui=str(line["device"]).lower(),
            device="bosch/tps110",
            frame=SensorFrame(f_port=1, payload=b"\x01"),
            f_cnt=1,
            received_at=NOON,
            identity=str(line["key"]),
        )
    )
    return Delivered(topic=published.topic, body=published.body, at_s=1.0)


def log_of(facts: list[tuple[str, dict[str, object]]], epoch: int = 1) -> list[LogEntry]:
    previous = genesis("gw-1", epoch)
    rows = []
    for seq, (kind, body) in enumerate(facts, start=1):
        packed = pack_envelope(
            Envelope(epoch=epoch, seq=seq, boot="boot", since_boot_us=seq, kind=kind, body=body)
        )
        previous = next_hash(previous, packed)
        rows.append(LogEntry(epoch=epoch, seq=seq, hash=previous, body=packed, kind=kind))
    return rows


def claim(
    number: int,
    spot: str | None,
    *,
    start_min: int = 0,
    state: ClaimState = ClaimState.FIRM,
    version: int = 1,
) -> Claim:
    return Claim(
        id=ClaimId(f"claim-{number}"),
        spot=None if spot is None else SpotId(spot),
        type=SpotType.REGULAR,
        window=Interval(NOON + timedelta(minutes=start_min), NOON + timedelta(minutes=start_min + 60)),
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id=f"stay-{number}",
        state=state,
        sold_by=Tier.EDGE,
        epoch=1,
        version=version,
    )


def told(changed: Claim) -> tuple[str, dict[str, object]]:
    return "claim_changed", {"claim": claim_row(changed)}


def promise(number: int, spot: str, *, start_min: int = 0, clashing: bool = False) -> Promise:
    start = NOON + timedelta(minutes=start_min)
    return Promise(
        id=f"claim-{number}",
        spot=spot,
        starts_at=start,
        ends_at=start + timedelta(minutes=60),
        clashing=clashing,
    )


Fact = tuple[str, dict[str, object]]
OTHER: Fact = ("gate_moved", {"lane": "entry-1"})


@pytest.fixture
def good() -> Evidence:
    """A lot of 60 places in which 55 cars came and went, and all sides agree."""
    words = [reading(spot, occupied=False) for spot in SPOTS]
    words.append(reading("A-001", occupied=True, after_s=5, n=2))
    cars: list[Line] = [
        {"what": what, "vehicle": n, "t": 1.0} for n in range(55) for what in ("entered", "left")
    ]
    arms: list[Line] = [
        {"what": "arm", "move": "open", "safety_loop_occupied_s": None, "refused": False},
        {"what": "arm", "move": "close", "safety_loop_occupied_s": None, "refused": False},
        {"what": "decision", "kind": "button", "ms": 5.0},
    ]
    log = log_of([told(claim(1, "A-001")), OTHER])
    states = dict.fromkeys(SPOTS, ("free", NOON)) | {"A-001": ("occupied", NOON + timedelta(seconds=5))}
    edge = EdgeEvidence(
        log=log,
        spot_states=states,
        claims=[promise(1, "A-001")],
        spots_by_type={"regular": 60},
        promised_by_type={"regular": 1},
        stays={"inside": 1, "left": 54},
        conflicts=0,
    )
    cloud = CloudEvidence(
        inbox=list(log),
        outcomes={"applied": 1, "stored": 1},
        spot_states={spot: state for spot, (state, _) in states.items()},
        counts={"regular": (59, 60)},
        claims=[promise(1, "A-001")],
        stays={"inside": 1, "left": 54},
        conflicts=0,
    )
    run = DemoRun(
        seconds=60,
        speed=60,
        seed=1,
        link_cuts=1,
        agent_kills=1,
        http_5xx=0,
        asked=10,
        drain_seconds=1.5,
        seen=[("A-001", "occupied", 105.25)],
    )
    return Evidence(
        truth=[*words, *cars, *arms],
        delivered=[message_of(word) for word in words],
        edge=edge,
        cloud=cloud,
        run=run,
        bookings=booked(),
    )


def booked() -> BookingEvidence:
    """One driver who booked and paid."""
    answered = {"what": "web_answered", "driver": 1, "reservation": "r-1", "status": "booked", "reason": ""}
    return BookingEvidence(
        told=[answered],
        at_lot={("r-1", 1): "comm"},
        decided=[
            Decided(reservation="r-1", revision=1, state="committed", status="active", amount_minor=480)
        ],
        paying=[
            Paying(payment="p-1", reservation="r-1", intent="pi_1", standing="captured", receivable=False)
        ],
        intents=[Intent(id="pi_1", payment="p-1", received_minor=480, refunded_minor=0)],
    )


def test_a_run_in_which_all_sides_agree_passes_with_its_figures(good: Evidence) -> None:
    report = good.report()
    assert report.faults == []
    assert report.passed
    assert {name: report.figures[name] for name in MUST_BE_ZERO} == dict.fromkeys(MUST_BE_ZERO, 0)
    assert report.figures["vehicles_entered"] == report.figures["vehicles_exited"] == 55
    assert report.figures["readings_published"] == report.figures["readings_acknowledged"] == 61
    assert report.figures["events_logged"] == report.figures["events_applied"] == 2
    assert report.figures["barrier_moves"] == 2
    assert report.figures["decision_ms"] == {"p50": 5.0, "p99": 5.0, "max": 5.0, "samples": 1}
    assert report.figures["sensor_to_cloud_ms"] == {"p50": 250.0, "p99": 250.0, "max": 250.0, "samples": 1}


def test_the_report_holds_every_figure_of_the_demo(good: Evidence) -> None:
    named = (
        "vehicles_entered vehicles_exited readings_published readings_acknowledged readings_lost events_logged events_applied events_lost "
        "events_duplicated places_sold_twice availability_mismatches conflicts barrier_moves arm_down_on_occupied_loop link_cuts agent_kills "
        "http_5xx decision_ms sensor_to_cloud_ms drain_seconds bookings_confirmed bookings_lost_race bookings_in_doubt_now "
        "passes_admitted_offline captured_without_booking booked_without_capture oldest_doubt_seconds"
    )
    assert set(named.split()) <= good.report().figures.keys()


# Each figure that must be zero


def test_an_acknowledged_reading_that_nobody_stored_is_lost(good: Evidence) -> None:
    states = {**good.edge.spot_states, "A-001": ("free", NOON)}
    report = replace(good, edge=replace(good.edge, spot_states=states)).report()
    assert report.figures["readings_lost"] == 1
    assert not report.passed


def test_a_reading_of_a_spot_that_the_gateway_knows_nothing_of_is_lost(good: Evidence) -> None:
    states = {spot: state for spot, state in good.edge.spot_states.items() if spot != "A-002"}
    assert replace(good, edge=replace(good.edge, spot_states=states)).report().figures["readings_lost"] == 1


def test_a_reading_that_was_never_acknowledged_is_not_lost(good: Evidence) -> None:
    states = {**good.edge.spot_states, "A-001": ("free", NOON)}
    edge = replace(good.edge, spot_states=states)
    assert replace(good, edge=edge, delivered=good.delivered[:-1]).report().figures["readings_lost"] == 0


def test_a_reading_superseded_by_a_later_one_of_its_spot_is_not_lost(good: Evidence) -> None:
    later = {**good.edge.spot_states, "A-001": ("free", NOON + timedelta(seconds=6))}
    acknowledged = [reading("A-001", occupied=True, after_s=5)]
    assert lost_readings(acknowledged, replace(good.edge, spot_states=later)) == []


def test_a_reading_stored_as_its_opposite_is_lost(good: Evidence) -> None:
    wrong = {**good.edge.spot_states, "A-001": ("free", NOON + timedelta(seconds=5))}
    acknowledged = [reading("A-001", occupied=True, after_s=5)]
    assert lost_readings(acknowledged, replace(good.edge, spot_states=wrong)) == acknowledged


def test_a_fact_that_the_centre_lacks_is_lost(good: Evidence) -> None:
    report = replace(good, cloud=replace(good.cloud, inbox=good.cloud.inbox[:1])).report()
    assert report.figures["events_lost"] == 1


def test_a_fact_that_the_centre_holds_with_other_bytes_is_lost(good: Evidence) -> None:
    first, second = good.edge.log
    for altered in (replace(second, body=second.body + b"\0"), replace(second, hash=bytes(32))):
        assert log_differences([first, second], [first, altered]).lost == 1


def test_a_fact_that_only_the_centre_has_was_lost_by_the_gateway(good: Evidence) -> None:
    first, second = good.edge.log
    assert log_differences([first], [first, second]).lost == 1
    assert log_differences([], [first, second]).lost == 2


def test_facts_whose_time_to_be_kept_is_over_at_the_gateway_are_not_lost(good: Evidence) -> None:
    first, second = good.edge.log
    assert log_differences([second], [first, second]).lost == 0


def test_a_number_that_the_gateways_log_skips_is_a_lost_fact() -> None:
    first, _, third = log_of([OTHER, OTHER, OTHER])
    assert log_differences([first, third], [first, third]).lost == 1


def test_a_row_that_the_centre_holds_twice_is_a_duplicate_and_not_lost(good: Evidence) -> None:
    inbox = [*good.cloud.inbox, good.cloud.inbox[0]]
    report = replace(good, cloud=replace(good.cloud, inbox=inbox)).report()
    assert (report.figures["events_duplicated"], report.figures["events_lost"]) == (1, 0)
    assert report.figures["events_applied"] == 2


@given(st.lists(st.sampled_from(["keep", "drop", "twice", "alter"]), min_size=1, max_size=8))
def test_lost_and_duplicated_rows_are_counted_one_by_one(fates: list[str]) -> None:
    log = log_of([OTHER] * len(fates))
    inbox: list[LogEntry] = []
    for row, fate in zip(log, fates, strict=True):
        held = replace(row, body=row.body + b"\0") if fate == "alter" else row
        inbox += {"keep": [held], "drop": [], "twice": [held, held], "alter": [held]}[fate]
    found = log_differences(log, inbox)
    assert (found.lost, found.duplicated) == (
        fates.count("drop") + fates.count("alter"),
        fates.count("twice"),
    )


def test_two_promises_of_one_place_that_stand_and_overlap_are_sold_twice_on_either_side(
    good: Evidence,
) -> None:
    both = [promise(1, "A-001"), promise(2, "A-001", start_min=59)]
    for sides in (
        replace(good, edge=replace(good.edge, claims=both)),
        replace(good, cloud=replace(good.cloud, claims=both)),
    ):
        assert sides.report().figures["places_sold_twice"] == 1


def test_promises_that_only_touch_or_are_of_two_places_are_not_sold_twice(good: Evidence) -> None:
    apart = [promise(1, "A-001"), promise(2, "A-001", start_min=60), promise(3, "A-002")]
    edge, cloud = replace(good.edge, claims=apart), replace(good.cloud, claims=apart)
    assert places_sold_twice(edge, cloud) == 0


def test_a_promise_without_an_end_overlaps_everything_after_it(good: Evidence) -> None:
    open_ended = replace(promise(1, "A-001"), ends_at=None)
    edge = replace(good.edge, claims=[open_ended, promise(2, "A-001", start_min=9_999)])
    assert places_sold_twice(edge, good.cloud) == 1


def test_a_place_that_was_sold_twice_for_a_while_is_found_in_the_log_after_both_have_left(
    good: Evidence,
) -> None:
    facts = [told(claim(1, "A-001")), OTHER, told(claim(2, "A-001", start_min=30)), OTHER]
    facts += [told(claim(n, "A-001", state=ClaimState.RELEASED, version=2)) for n in (1, 2)]
    quiet = replace(good.edge, claims=[], log=log_of(facts)), replace(good.cloud, claims=[], inbox=[])
    assert places_sold_twice(*quiet) == 1
    mirrored = replace(good.edge, claims=[], log=[]), replace(good.cloud, claims=[], inbox=log_of(facts))
    assert places_sold_twice(*mirrored) == 1


def test_a_place_that_is_sold_again_after_its_release_is_not_sold_twice(good: Evidence) -> None:
    facts = [told(claim(1, "A-001")), OTHER, told(claim(1, "A-001", state=ClaimState.RELEASED, version=2))]
    facts += [told(claim(2, "A-001"))]
    assert places_sold_twice(replace(good.edge, claims=[], log=log_of(facts)), good.cloud) == 0


def test_a_repack_that_swaps_two_places_in_one_transaction_sells_nothing_twice(good: Evidence) -> None:
    facts = [told(claim(1, "A-001")), told(claim(2, "A-002")), OTHER]
    facts += [told(claim(1, "A-002", version=2)), told(claim(2, "A-001", version=2)), OTHER]
    assert places_sold_twice(replace(good.edge, claims=[], log=log_of(facts)), good.cloud) == 0


def test_a_spot_on_which_sensor_gateway_and_centre_differ_is_a_mismatch(good: Evidence) -> None:
    at_centre = replace(good.cloud, spot_states={**good.cloud.spot_states, "A-003": "occupied"})
    assert replace(good, cloud=at_centre).report().figures["availability_mismatches"] == 1
    at_edge = replace(good.edge, spot_states={**good.edge.spot_states, "A-003": ("occupied", NOON)})
    assert replace(good, edge=at_edge).report().figures["availability_mismatches"] == 1
    unseen = replace(good.cloud, spot_states={})
    assert replace(good, cloud=unseen).report().figures["availability_mismatches"] == 60


@pytest.mark.parametrize("shown", [None, (60, 60), (-1, 60), (30, 59), (60, 61)])
def test_a_type_of_which_the_centre_shows_other_figures_than_are_painted_and_promised_is_a_mismatch(
    good: Evidence, shown: tuple[int, int] | None
) -> None:
    counts = {} if shown is None else {"regular": shown}
    readings = [line for line in good.truth if line["what"] == "reading"]
    found = availability_mismatches(readings, good.edge, replace(good.cloud, counts=counts))
    assert len(found) == 1
    assert "type regular" in found[0]


def test_a_claim_that_stands_on_one_side_only_or_differs_is_one_mismatch(good: Evidence) -> None:
    for claims in ([], [promise(1, "A-002")], [promise(1, "A-001", start_min=1)]):
        report = replace(good, cloud=replace(good.cloud, claims=claims)).report()
        assert report.figures["availability_mismatches"] == 1


def test_a_vehicle_that_is_inside_for_one_side_only_is_a_mismatch(good: Evidence) -> None:
    report = replace(good, cloud=replace(good.cloud, stays={"left": 55})).report()
    assert report.figures["availability_mismatches"] == 1


@pytest.mark.parametrize("side", ["edge", "cloud"])
def test_a_conflict_on_record_on_either_side_is_counted(good: Evidence, side: str) -> None:
    bad = (
        replace(good, edge=replace(good.edge, conflicts=1))
        if side == "edge"
        else replace(good, cloud=replace(good.cloud, conflicts=1))
    )
    assert bad.report().figures["conflicts"] == 1


@pytest.mark.parametrize(
    ("arm", "counted"),
    [
        ({"move": "close", "safety_loop_occupied_s": 0.4, "refused": False}, 1),
        ({"move": "close", "safety_loop_occupied_s": 0.0, "refused": False}, 1),
        ({"move": "close", "safety_loop_occupied_s": None, "refused": False}, 0),
        ({"move": "close", "safety_loop_occupied_s": 0.4, "refused": True}, 0),
        ({"move": "open", "safety_loop_occupied_s": 0.4, "refused": False}, 0),
    ],
)
def test_an_arm_that_was_driven_down_on_an_occupied_loop_is_counted(
    good: Evidence, arm: dict[str, object], counted: int
) -> None:
    report = replace(good, truth=[*good.truth, {"what": "arm", **arm}]).report()
    assert report.figures["arm_down_on_occupied_loop"] == counted
    assert report.passed is (counted == 0)


def test_answers_that_are_a_servers_fault_are_counted(good: Evidence) -> None:
    report = replace(good, run=replace(good.run, http_5xx=3)).report()
    assert report.figures["http_5xx"] == 3
    assert not report.passed


def test_a_fault_sentence_names_each_figure_that_is_not_zero(good: Evidence) -> None:
    bad = replace(good, run=replace(good.run, http_5xx=3), cloud=replace(good.cloud, conflicts=2))
    assert bad.report().faults == ["conflicts is 2, not 0", "http_5xx is 3, not 0"]


# A zero that means nothing


def test_fewer_than_fifty_in_or_out_fail_the_demo(good: Evidence) -> None:
    truth = [line for line in good.truth if line.get("vehicle") not in range(6)]
    assert replace(good, truth=truth).report().faults == [
        "vehicles_entered is 49, fewer than 50",
        "vehicles_exited is 49, fewer than 50",
    ]


def test_zeroes_over_no_evidence_at_all_fail_the_demo(good: Evidence) -> None:
    nothing = EdgeEvidence(
        log=[], spot_states={}, claims=[], spots_by_type={}, promised_by_type={}, stays={}, conflicts=0
    )
    empty = CloudEvidence(inbox=[], outcomes={}, spot_states={}, counts={}, claims=[], stays={}, conflicts=0)
    blind = replace(
        good, truth=[], delivered=[], edge=nothing, cloud=empty, run=replace(good.run, asked=0, seen=[])
    )
    report = blind.report()
    assert all(report.figures[name] == 0 for name in MUST_BE_ZERO)
    assert len(report.faults) == 10


def test_a_tap_that_saw_nothing_fails_the_demo(good: Evidence) -> None:
    report = replace(good, delivered=[]).report()
    assert report.figures["readings_lost"] == 0
    assert report.faults == ["the tap saw only 0 of 61 readings acknowledged"]


@pytest.mark.parametrize(
    ("what", "name"), [("decision", "decision_ms has no sample"), ("arm", "barrier_moves is 0")]
)
def test_a_record_without_decisions_or_moves_fails_the_demo(good: Evidence, what: str, name: str) -> None:
    report = replace(good, truth=[line for line in good.truth if line["what"] != what]).report()
    assert [fault for fault in report.faults if fault.startswith(name)]


def test_a_subscriber_that_heard_nothing_fails_the_demo(good: Evidence) -> None:
    report = replace(good, run=replace(good.run, seen=[])).report()
    assert report.faults == [
        "sensor_to_cloud_ms has no sample",
        "the centre's WebSocket told the subscriber nothing",
    ]


def test_a_centre_that_was_asked_nothing_fails_the_demo(good: Evidence) -> None:
    assert replace(good, run=replace(good.run, asked=0)).report().faults == [
        "the centre was asked nothing: its answers were not looked at"
    ]


# Delays


def test_delays_are_of_changes_that_met_no_cut_and_end_with_the_first_word_of_the_new_state() -> None:
    changes = [
        reading("A-001", occupied=False, after_s=0),
        reading("A-001", occupied=True, after_s=1, n=2),
        reading("A-001", occupied=True, after_s=2, n=3),
        reading("A-002", occupied=False, after_s=2),
        reading("A-002", occupied=True, after_s=18.9, n=2),
        reading("A-001", occupied=False, after_s=20, n=4),
        reading("A-001", occupied=True, after_s=30, n=5),
    ]
    seen = [
        ("A-001", "free", 101.1),
        ("A-001", "occupied", 101.5),
        ("A-002", "occupied", 125.0),
        ("A-001", "free", 125.0),
        ("A-001", "occupied", 130.25),
    ]
    found = sensor_to_cloud_ms(changes, seen, [(119.0, 126.0)])
    assert found == pytest.approx([500, 250])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_percentiles_are_values_of_the_series_in_order(series: list[float]) -> None:
    found = Percentiles.of(series)
    assert found.p50 is not None
    assert found.p99 is not None
    assert found.max == round(max(series), 2)
    assert found.p50 <= found.p99 <= found.max
    assert {found.p50, found.p99} <= {round(value, 2) for value in series}
    assert found.samples == len(series)


def test_percentiles_are_the_nearest_rank() -> None:
    found = Percentiles.of(range(1, 101))
    assert (found.p50, found.p99, found.max) == (50, 99, 100)
    assert Percentiles.of([]).as_json() == {"p50": None, "p99": None, "max": None, "samples": 0}
