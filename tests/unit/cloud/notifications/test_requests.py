from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import BadRequest
from cloud.notifications.requests import SubscribeAround, SubscribeLot, read_request
from cloud.notifications.updates import by_type

values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
names = st.sampled_from(["lot", "lat", "lng", "radius", "after", "token"]) | st.text(max_size=6)


def refusal_of(text: str) -> BadRequest | None:
    try:
        read_request(text)
    except BadRequest as refused:
        return refused
    return None


@given(
    st.sampled_from(["subscribe", "authenticate", "unsubscribe", "ping"]),
    st.dictionaries(names, values, max_size=5),
)
def test_whatever_is_asked_is_understood_or_refused_with_field_and_fix(
    kind: str, fields: dict[str, object]
) -> None:
    refused = refusal_of(json.dumps({**fields, "type": kind}))
    assert refused is None or (refused.field and refused.fix)


@given(st.text(max_size=200))
def test_noise_is_refused_and_harms_nothing(text: str) -> None:
    refused = refusal_of(text)
    assert refused is not None
    assert refused.field in {"message", "type"}


def test_a_lot_and_a_point_are_two_ways_to_subscribe() -> None:
    lot = read_request('{"type": "subscribe", "lot": "5f0c7c1e-3c4f-4a57-9d0e-0a6a5f9b3c11", "after": 4}')
    assert isinstance(lot, SubscribeLot)
    assert lot.after == 4
    around = read_request('{"type": "subscribe", "lat": 52.5, "lng": 13.4}')
    assert isinstance(around, SubscribeAround)
    assert around.radius == 1_000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_point_is_two_numbers(number: str) -> None:
    with pytest.raises(BadRequest):
        read_request(f'{{"type": "subscribe", "lat": {number}, "lng": 1}}')


def test_counts_of_both_owners_are_one_number_that_holds_until_the_first_change() -> None:
    counts = [
        {
            "type": "ev",
            "owner": "cloud",
            "total": 2,
            "sellable": 1,
            "holds_until": "2026-11-24T15:00:00+00:00",
        },
        {
            "type": "ev",
            "owner": "edge",
            "total": 3,
            "sellable": 3,
            "holds_until": "2026-11-24T14:00:00+00:00",
        },
        {"type": "compact", "owner": "edge", "total": 1, "sellable": 0, "holds_until": None},
    ]
    assert by_type(counts) == [
        {"type": "compact", "total": 1, "sellable": 0, "holds_until": None},
        {"type": "ev", "total": 5, "sellable": 4, "holds_until": "2026-11-24T14:00:00+00:00"},
    ]
