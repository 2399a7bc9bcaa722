from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.console.views import Age
from cloud.console.words import PHASES, duration, lane_name, money, phase_of, sentence
from cloud.gateways.reading import ToldFact
from sync.events import EventKind

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
# their pages come with the commit; until then they are noted by name
OF_THE_COMMIT = {"prepared", "committed", "aborted", "transfer_out", "transfer_in"}
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# the names that bodies have, with anything at all under them
names = (
    "stay",
    "claim",
    "payment",
    "demand",
    "lane",
    "reason",
    "times",
    "by",
    "action",
    "entered_us",
    "left_us",
    "type",
)
bodies = st.dictionaries(st.sampled_from(names), plain, max_size=8)


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_fact_has_a_sentence(kind: EventKind) -> None:
    said = sentence(ToldFact(seq=1, kind=kind, occurred_at=NOON), "EUR")
    assert said.text.endswith((".", ".)", " "))
    assert kind in OF_THE_COMMIT or not said.text.startswith("Noted")


@given(st.sampled_from([*EventKind, "", "of_tomorrow"]), bodies)
def test_a_fact_is_shown_whatever_its_body_holds(kind: str, body: dict[str, object]) -> None:
    assert sentence(ToldFact(seq=1, kind=kind, occurred_at=None, body=body), "EUR").text


def test_a_kind_of_tomorrow_is_named_and_a_row_nobody_understood_says_so() -> None:
    assert sentence(ToldFact(seq=1, kind="dew_point", occurred_at=None), "EUR").text == "Noted: dew point."
    assert "could not be understood" in sentence(ToldFact(seq=7, kind="", occurred_at=None), "EUR").text


def test_every_phase_of_a_lane_is_told_by_shape_and_word() -> None:
    for state, word, icon, arm, text in PHASES.values():
        assert state in {"go", "wait", "warn", "stop", "off"}
        assert word
        assert icon
        assert arm in {"down", "half up", "up", "unknown"}
        assert text.endswith(".")
    assert phase_of("of_tomorrow")[1] == "of_tomorrow"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (8_040, "2 h 14 min"), (273_600, "3 d 4 h")],
)  # fmt: skip
def test_lengths_of_time_are_said_in_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(120_450, "GBP", "£1,204.50"), (0, "EUR", "€0.00"), (-250, "EUR", "−€2.50"), (800, "CHF", "CHF 8.00")],
)
def test_money_has_its_sign_and_its_digits(minor: int, currency: str, text: str) -> None:
    assert money(minor, currency) == text


@pytest.mark.parametrize(
    ("age_s", "kind", "text"),
    [
        (None, "never", "never heard"),
        (15, "fresh", "15 s ago"),
        (16, "late", "16 s ago"),
        (120, "late", "2 min ago"),
        (121, "stale", "as of 12:00"),
        (1_800, "stale", "as of 12:00"),
        (1_801, "gone", "last heard 12:00"),
        (90_000, "gone", "last heard Tue 24 Nov 12:00"),
    ],
)
def test_a_number_is_fresh_late_or_gone_and_looks_it(age_s: float | None, kind: str, text: str) -> None:
    assert Age.of(age_s, NOON) == Age(kind=kind, text=text)


def test_lanes_are_called_as_people_call_them() -> None:
    assert [lane_name(lane) for lane in ("entry-1", "EXIT_2", "")] == ["Entry 1", "Exit 2", ""]


def test_a_car_that_a_sensor_sees_came_in_at_no_lane() -> None:
    stay = {"credential_kind": "sensor", "lane": ""}
    told = ToldFact(seq=1, kind=EventKind.STAY_ENTERED, occurred_at=NOON, body={"stay": stay})
    assert sentence(told, "EUR").text == "A car stands on a space, its sensor says."
