"""Who sent a webhook, and when: own cases, and the shared vectors where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.payments.webhooks import NotAccepted, WebhookOutcome, read_event, verify
from simulators.provider.webhooks import signature

SECRET = "whsec_here"
NOW = 1_800_000_000
BODY = '{"id":"evt_1","object":"event","note":"Zürich 🚗"}'
SHARED = Path(__file__).parents[5] / "shared" / "vectors" / "webhooks"


def outcome(payload: bytes, header: str, secret: str = SECRET, unix: float = NOW) -> str:
    try:
        verify(payload, header, secret, unix=unix)
    except NotAccepted as refused:
        return str(refused.outcome)
    return "valid"


def shared(name: str) -> list[Any]:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared vectors are not at hand: {name}")
    vectors: list[Any] = json.loads(path.read_text())["vectors"]
    return vectors


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(0, "valid"), (300, "valid"), (301, "too_old"), (86_400, "too_old"), (-600, "valid")],
)
def test_a_webhook_is_good_for_five_minutes(age_s: int, expected: str) -> None:
    assert outcome(BODY.encode(), signature(BODY, SECRET, NOW - age_s)) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "abc",
        "t=1",
        f"t={NOW}",
        f"t={NOW},v1=",
        "v1=00",
        f"t=x,v1={'0' * 64}",
        f"t={NOW},v1=Ω",
        "t=1," * 2_000,
    ],
)
def test_a_header_that_is_no_signature_is_a_forgery(header: str) -> None:
    assert outcome(BODY.encode(), header) == "forged"


def test_another_secret_another_body_and_another_time_are_forgeries() -> None:
    header = signature(BODY, SECRET, NOW)
    assert outcome(BODY.encode(), signature(BODY, "whsec_other", NOW)) == "forged"
    assert outcome(BODY.encode() + b" ", header) == "forged"
    assert outcome(BODY.encode(), header.replace(f"t={NOW}", f"t={NOW + 1}")) == "forged"
    assert outcome(b"\xff\xfe", header) == "forged"
    assert outcome(BODY.encode(), header, secret="") == "forged"


@given(st.binary(max_size=200), st.text(max_size=80))
def test_nothing_that_is_unsigned_gets_through_or_breaks_anything(payload: bytes, header: str) -> None:
    assert outcome(payload, header) == "forged"


def test_the_shared_signatures_are_judged_as_the_official_package_judges_them() -> None:
    vectors = shared("stripe_signatures.json")
    judged = {
        one["id"]: outcome(one["payload"].encode(), one["header"], one["secret"], one["verify_at_unix"])
        for one in vectors
    }
    assert len(judged) == 19
    expected = {one["id"]: one["expected"] for one in vectors}
    assert {id_: "valid" if told == "valid" else "invalid" for id_, told in judged.items()} == expected
    assert judged["old-301s"] == "too_old"


def test_the_shared_events_are_read_as_what_they_are_about() -> None:
    vectors = shared("stripe_events.json")
    assert len(vectors) == 6
    for one in vectors:
        event = read_event(json.dumps(one["event"]).encode())
        assert (event.id, event.kind) == (one["event"]["id"], one["expected"]["type"])
        assert event.intent == "pi_3ParkTest0001"


def event(**changes: object) -> bytes:
    body = {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "created": NOW,
        "data": {"object": {"id": "pi_1", "metadata": {"payment": "00000000-0000-0000-0000-000000000007"}}},
    }
    return json.dumps({**body, **changes}).encode()


def test_an_event_names_the_providers_id_and_ours() -> None:
    read = read_event(event())
    assert (read.intent, read.payment is not None and read.payment.int) == ("pi_1", 7)


def test_a_kind_that_is_not_ours_is_about_nothing() -> None:
    assert read_event(event(type="customer.created")).intent is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"nothing",
        b"[]",
        b"null",
        b"[" * 100_000,
        event(id=7),
        event(id=""),
        event(id="evt\x00"),
        event(id="e" * 256),
        event(type=None),
        event(type="Ω"),
        event(created="now"),
        event(created=True),
        event(created=-1),
        event(created=2**40),
    ],
)
def test_a_signed_body_that_is_no_event_is_malformed(payload: bytes) -> None:
    with pytest.raises(NotAccepted) as refused:
        read_event(payload)
    assert refused.value.outcome is WebhookOutcome.MALFORMED


@pytest.mark.parametrize(
    "data", [None, 1, {}, {"object": None}, {"object": {"id": 7}}, {"object": {"id": "x\n"}}]
)
def test_an_event_about_nothing_that_can_be_named_is_not_ours(data: object) -> None:
    assert read_event(event(data=data)).intent is None
