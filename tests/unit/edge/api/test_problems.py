from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.api.body_limit import MAX_BODY_BYTES
from edge.api.desk import Answer
from parking.decision import Reason
from tests.unit.edge.api.conftest import Caller
from tests.unit.edge.api.staged_desk import StagedDesk

POSTS = ["lanes/lane-1/button", "lanes/lane-1/code", "lanes/lane-1/plate", "lanes/lane-1/open", "stays/quote"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "plate", "confidence", "reason", "by", "spot_type", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(POSTS),
    body=st.binary(max_size=64) | anything.map(lambda value: json.dumps(value).encode()),
)
async def test_whatever_is_sent_is_done_or_answered_with_field_and_fix(
    caller: Caller, desk: StagedDesk, path: str, body: bytes
) -> None:
    desk.done.clear()
    async with caller("staff") as client:
        answer = await client.post(
            f"/api/v1/{path}", content=body, headers={"Content-Type": "application/json"}
        )
    if answer.status_code == 202 or (path == "stays/quote" and desk.done):
        return
    problem = answer.json()
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["field"]
    assert problem["fix"]
    assert desk.done == []


@pytest.mark.parametrize(
    ("path", "body", "field", "fix"),
    [
        ("lanes/lane-1/plate", {"plate": "BX71 KLM"}, "confidence", "Add it."),
        ("lanes/lane-1/plate", {"plate": "BX71 KLM", "confidence": 1.5}, "confidence", "Use 1.0 or less."),
        ("lanes/lane-1/plate", {"plate": "B" * 17, "confidence": 1}, "plate", "Use at most 16 characters."),
        ("lanes/lane-1/code", {"text": "A\nB"}, "text", "Leave control characters out."),
        ("lanes/lane-1/code", {"text": "AB", "lane": "x"}, "lane", "Leave it out."),
        ("lanes/lane-1/button", {"spot_type": "lorry"}, "spot_type", "Use one of 'regular', 'compact', 'disabled', 'ev' or 'motorcycle'."),
        ("lanes/lane-1/open", {"by": "Amina", "reason": "  "}, "reason", "Use at least 3 characters."),
        ("stays/quote", {}, "text", "Add it."),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_named_with_what_to_do(
    caller: Caller, path: str, body: dict[str, Any], field: str, fix: str
) -> None:
    async with caller("staff") as client:
        problem = (await client.post(f"/api/v1/{path}", json=body)).json()
    assert (problem["status"], problem["field"], problem["fix"]) == (422, field, fix)


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


@pytest.mark.parametrize("said", [True, False])
async def test_a_body_that_is_too_long_is_cut_off_whether_or_not_it_says_its_length(
    caller: Caller, desk: StagedDesk, said: bool
) -> None:
    size = MAX_BODY_BYTES + 1024
    content = b" " * size if said else chunks(size)
    async with caller("staff") as client:
        answer = await client.post("/api/v1/lanes/lane-1/code", content=content)
    assert answer.status_code == 413
    assert answer.json()["field"] == "body"
    assert desk.done == []


async def test_a_lane_that_is_not_there_is_named(caller: Caller) -> None:
    async with caller("staff") as client:
        answer = await client.post("/api/v1/lanes/lane-9/button")
    assert answer.status_code == 404
    assert "lane-9" in answer.json()["detail"]


async def test_a_lane_that_does_not_take_it_says_why_in_words_for_the_driver(
    caller: Caller, desk: StagedDesk
) -> None:
    desk.answer = Answer(accepted=False, sentence=Reason.FULL.sentence, reason=Reason.FULL)
    async with caller("kiosk-1") as client:
        answer = await client.post("/api/v1/lanes/lane-1/button")
    problem = answer.json()
    assert (answer.status_code, problem["reason"], problem["detail"]) == (
        409,
        "full",
        "The car park is full.",
    )


async def test_problems_are_counted_by_kind_and_disturb_nothing_else(caller: Caller) -> None:
    async with caller("staff") as client:
        for _ in range(3):
            await client.post("/api/v1/lanes/lane-1/plate", content=b"\xff\x00")
        await client.get("/nowhere")
        figures = (await client.get("/metrics")).text
        assert (await client.post("/api/v1/lanes/lane-1/button")).status_code == 202
    assert 'lotgate_edge_http_problems_total{kind="malformed"} 3.0' in figures
    assert 'lotgate_edge_http_problems_total{kind="http"} 1.0' in figures


async def test_a_bug_behind_the_desk_is_a_problem_for_the_caller_and_an_error_for_the_log(
    caller: Caller, desk: StagedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_lane: str) -> Answer:
        raise RuntimeError("a bug")

    monkeypatch.setattr(desk, "pay", broken)
    async with caller("staff") as client:
        client._transport = httpx.ASGITransport(app=client._transport.app, raise_app_exceptions=False)  # type: ignore[attr-defined]  # the answer, not the trace
        answer = await client.post("/api/v1/lanes/lane-1/pay")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:lotgate:problem:bug"
