from __future__ import annotations

from typing import Any

import httpx
import pytest

from edge.api.devices import Device, Devices, Role
from tests.unit.edge.api.conftest import Caller
from tests.unit.edge.api.scenes import TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk

KIOSK, CAMERA, STAFF = "kiosk-1", "camera-1", "staff"
OPEN = {"by": "Amina Sheikh", "reason": "the arm did not rise"}
PLATE = {"plate": "BX71 KLM", "confidence": 0.97}

Asked = tuple[str, str, dict[str, Any] | None, set[str]]

# every request of the API, and who may send it for lane-1
REQUESTS: list[Asked] = [
    ("GET", "/kiosk/LANE", None, {KIOSK, STAFF}),
    ("POST", "/kiosk/LANE/help", None, {KIOSK, STAFF}),
    ("GET", "/api/v1/lanes/LANE", None, {KIOSK, STAFF}),
    ("POST", "/api/v1/lanes/LANE/button", {}, {KIOSK, STAFF}),
    ("POST", "/api/v1/lanes/LANE/code", {"text": "LG1:AB"}, {KIOSK, STAFF}),
    ("POST", "/api/v1/lanes/LANE/plate", PLATE, {CAMERA, STAFF}),
    ("POST", "/api/v1/lanes/LANE/pay", None, {KIOSK, STAFF}),
    ("POST", "/api/v1/lanes/LANE/help", None, {KIOSK, STAFF}),
    ("DELETE", "/api/v1/lanes/LANE/help", None, {KIOSK, STAFF}),
    ("POST", "/api/v1/lanes/LANE/open", OPEN, {STAFF}),
    ("GET", "/api/v1/status", None, {STAFF}),
    ("GET", "/", None, {STAFF}),
]


async def asked(client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None) -> int:
    async with client:
        return (await client.request(method, path, json=body)).status_code


@pytest.mark.parametrize("device", [None, KIOSK, CAMERA, STAFF, "kiosk-3"])
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: f"{one[0]} {one[1]}")
async def test_each_device_does_what_its_role_and_lane_allow_and_nothing_else(
    caller: Caller, device: str | None, request_: Asked
) -> None:
    method, path, body, allowed = request_
    status = await asked(caller(device), method, path.replace("LANE", "lane-1"), body)
    if device in allowed:
        assert status in {200, 202, 303}
    else:
        assert status == (403 if device else 401)


@pytest.mark.parametrize(
    "request_", [one for one in REQUESTS if "LANE" in one[1]], ids=lambda one: f"{one[0]} {one[1]}"
)
async def test_a_kiosk_and_a_camera_reach_no_other_lane(
    caller: Caller, desk: StagedDesk, request_: Asked
) -> None:
    method, path, body, _ = request_
    for device in (KIOSK, CAMERA):
        assert await asked(caller(device), method, path.replace("LANE", "lane-3"), body) == 403
    assert desk.done == []


async def test_a_refused_device_hears_which_field_and_what_to_do(caller: Caller) -> None:
    async with caller(None) as client:
        answer = await client.get("/api/v1/lanes/lane-1", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    problem = answer.json()
    assert problem["field"] == "Authorization"
    assert "Bearer TOKEN" in problem["fix"]


async def test_a_token_in_the_address_becomes_a_cookie_out_of_reach_and_leaves_the_address(
    caller: Caller,
) -> None:
    async with caller(None) as client:
        answer = await client.get("/kiosk/lane-1", params={"token": TOKENS[KIOSK]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/kiosk/lane-1")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get("/kiosk/lane-1")).status_code == 200


async def test_one_browser_may_watch_two_lanes(caller: Caller) -> None:
    async with caller(None) as client:
        for lane, device in (("lane-1", KIOSK), ("lane-3", "kiosk-3")):
            await client.get(f"/kiosk/{lane}", params={"token": TOKENS[device]})
        assert [(await client.get(f"/kiosk/{lane}")).status_code for lane in ("lane-1", "lane-3")] == [
            200,
            200,
        ]


async def test_a_screen_that_is_not_set_up_says_so_and_takes_its_token(caller: Caller) -> None:
    async with caller(None) as client:
        blank = await client.get("/kiosk/lane-1")
        assert blank.status_code == 401
        assert "This screen is not set up yet" in blank.text
        assert "No device" not in blank.text
        answer = await client.post("/sign-in", content=f"lane=lane-1&token={TOKENS[KIOSK]}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/kiosk/lane-1")
        elsewhere = await client.post("/sign-in", content=f"lane=%2F%2Fevil&token={TOKENS[KIOSK]}")
        assert elsewhere.headers["location"] == "/kiosk/%2F%2Fevil"


async def test_a_wrong_token_in_the_address_sets_no_cookie(caller: Caller) -> None:
    async with caller(None) as client:
        answer = await client.get("/kiosk/lane-1", params={"token": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_staff_sign_in_with_a_form_and_are_told_when_the_token_is_wrong(caller: Caller) -> None:
    async with caller(None) as client:
        wrong = await client.post("/sign-in", content="token=wrong")
        assert wrong.status_code == 401
        assert "No device of this lot has this token." in wrong.text
        right = await client.post("/sign-in", content=f"token={TOKENS[STAFF]}")
        assert right.status_code == 303
        assert "The car park works" in (await client.get("/")).text


def test_a_device_is_found_by_its_token_whatever_the_case_of_its_hash() -> None:
    digest = (
        "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"  # SHA-256 of "test", FIPS 180-4
    )
    device = Device(name="one", role=Role.STAFF, token_sha256=digest)
    assert Devices([device]).with_token("test") is device
    assert Devices([device]).with_token("tesT") is None
    assert Devices([]).with_token("test") is None
