"""Opening a gate from afar: over HTTP, through the process that holds the lot's link, to a gateway in the hand of the test."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from cloud.database import connect
from cloud.gateways import link
from sync.messages import CommandResult, Error, GateCommand
from tests.integration.cloud.booking_lot import BEARER, at_port
from tests.integration.cloud.cloud_process import CloudHere, Gateway
from tests.integration.cloud.conftest import LOT

OPEN = {"lane": "entry-1", "command": "open", "by": "Anna", "reason": "ticket unreadable"}
PATIENCE_S = 20.0


@dataclass
class Site:
    """A centre of two processes' worth in one, a gateway connected to it, and a person of the staff."""

    centre: CloudHere
    other: CloudHere
    gateway: Gateway
    client: httpx.AsyncClient
    asked: list[asyncio.Task[httpx.Response]] = field(default_factory=list)

    def ask(self, key: str | None = None, /, **changed: object) -> asyncio.Task[httpx.Response]:
        """Ask the process that does not hold the link."""
        asking = asyncio.create_task(
            self.client.post(
                f"/api/v1/admin/gateways/{self.gateway.id}/commands",
                json=OPEN | changed,
                headers={**BEARER, "Idempotency-Key": key or str(uuid4())},
            )
        )
        self.asked.append(asking)
        return asking

    async def told(self, command: str) -> dict[str, Any]:
        answer = await self.client.get(
            f"/api/v1/admin/gateways/{self.gateway.id}/commands/{command}", headers=BEARER
        )
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def command(self) -> GateCommand:
        return await self.gateway.next(GateCommand)

    async def answer(self, command: GateCommand, result: str, detail: str = "") -> None:
        await self.gateway.say(
            CommandResult(
                epoch=command.epoch,
                session=command.session,
                command=command.command,
                result=result,
                detail=detail,
            )
        )

    def do(self, sql: str, *parameters: object) -> None:
        with connect(self.centre.database_url) as connection:
            connection.execute(sql.encode(), parameters)

    def rows(self, sql: str) -> Sequence[Mapping[str, Any]]:
        with connect(self.centre.database_url) as connection:
            return connection.execute(sql.encode()).fetchall()


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "other").mkdir()
    centre = CloudHere(database_url=database_url, folder=tmp_path)
    other = CloudHere(database_url=database_url, folder=tmp_path / "other")
    await centre.start()
    await other.start()
    gateway = Gateway()
    await gateway.enrol(centre)
    await gateway.open(centre)
    async with at_port(other) as client:
        yield Site(centre=centre, other=other, gateway=gateway, client=client)
    if gateway.socket is not None:
        await gateway.socket.close()
    await other.end()
    await centre.end()


async def test_a_gate_opens_from_afar_and_what_the_lot_says_of_it_is_the_answer(site: Site) -> None:
    asking = site.ask()
    command = await site.command()
    assert (command.lane, command.move, command.by, command.reason) == (
        "entry-1",
        "open",
        "Anna",
        "ticket unreadable",
    )
    await site.answer(command, "done")
    answer = await asking
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "done"
    assert (await site.told(command.command))["state"] == "done"
    (entry,) = site.rows("SELECT actor, action, subject, reason FROM audit_log WHERE action LIKE 'gate%'")
    assert entry["action"] == "gate open"
    assert entry["reason"] == "Anna: ticket unreadable"


async def test_a_lot_that_refuses_says_why(site: Site) -> None:
    asking = site.ask(lane="no-such-lane")
    command = await site.command()
    await site.answer(command, "refused", "lane_unknown")
    told = (await asking).json()
    assert (told["state"], told["detail"]) == ("refused", "lane_unknown")


async def test_the_same_key_is_the_same_command_and_is_said_once(site: Site) -> None:
    key = str(uuid4())
    asking = site.ask(key)
    command = await site.command()
    again = site.ask(key)
    await site.answer(command, "done")
    first, second = await asking, await again
    assert first.json() == second.json()
    refused = await site.ask(key, reason="another one")
    assert refused.status_code == 409
    assert "another command" in refused.text
    last = site.ask()
    assert (await site.command()).command != command.command
    await _dismiss(last)


async def test_two_presses_that_both_found_the_key_unused_are_one_command(site: Site) -> None:
    """Both have looked and neither has written: a lock keeps their inserts back until both wait for it."""
    key = str(uuid4())
    waiting = "SELECT FROM pg_locks WHERE relation = 'gate_commands'::regclass AND NOT granted"
    with connect(site.centre.database_url) as doorkeeper, doorkeeper.transaction():
        doorkeeper.execute("LOCK TABLE gate_commands IN SHARE MODE")
        pressed = [site.ask(key), site.ask(key)]
        async with asyncio.timeout(PATIENCE_S):
            while len(site.rows(waiting)) < len(pressed):  # noqa: ASYNC110 - the database tells nobody of these
                await asyncio.sleep(0.01)
    await site.answer(await site.command(), "done")
    answers = [await one for one in pressed]
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    assert answers[0].json() == answers[1].json()
    assert len(site.rows("SELECT FROM gate_commands")) == 1


async def test_a_line_cut_before_the_answer_makes_the_command_unknown_and_the_next_session_hears_nothing(
    site: Site,
) -> None:
    asking = site.ask()
    command = await site.command()
    assert site.gateway.socket is not None
    await site.gateway.socket.close()
    answer = await asking
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "unknown"
    assert "line was lost" in answer.json()["detail"]
    await site.gateway.open(site.centre)
    await site.answer(command, "done")  # of a session that is over
    complaint = await site.gateway.next(Error)
    assert complaint.code == "stale_session"
    assert (await site.told(command.command))["state"] == "unknown"
    fresh = site.ask()
    assert (await site.command()).command == str(site.rows(NEWEST)[0]["id"])
    await _dismiss(fresh)


NEWEST = "SELECT id FROM gate_commands ORDER BY created_at DESC LIMIT 1"


async def test_an_answer_that_is_late_or_of_another_session_changes_nothing(site: Site) -> None:
    asking = site.ask()
    command = await site.command()
    await site.gateway.open(site.centre)  # the lot dials again before it answered
    assert (await asking).json()["state"] == "unknown"
    assert site.gateway.welcome is not None
    late = CommandResult(
        epoch=command.epoch, session=site.gateway.welcome.session, command=command.command, result="done"
    )
    await site.gateway.say(late)
    fresh = site.ask()
    await site.command()  # by now the late one was taken
    assert (await site.told(command.command))["state"] == "unknown"
    await _dismiss(fresh)


async def test_to_a_lot_whose_line_is_down_nothing_is_sent_and_nothing_is_kept(site: Site) -> None:
    assert site.gateway.socket is not None
    await site.gateway.socket.close()
    await _until(lambda: site.rows("SELECT disconnected_at FROM gateways")[0]["disconnected_at"] is not None)
    answer = await site.ask()
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "line" in answer.json()["detail"]
    assert site.rows("SELECT * FROM gate_commands") == []


@pytest.mark.parametrize("age_s", [61, 301])
async def test_to_a_lot_that_nobody_hears_nothing_is_sent_though_its_socket_is_open(
    site: Site, age_s: int
) -> None:
    site.do("UPDATE gateways SET last_heard_at = now() - interval '1 second' * %s", age_s)
    assert (await site.ask()).status_code == 409
    assert site.rows("SELECT * FROM gate_commands") == []


async def test_a_command_whose_process_died_is_found_by_another_and_is_unknown(site: Site) -> None:
    asking = site.ask()
    await site.command()
    # what the death of the process that holds the link leaves: an open session that nobody ends, and no answer
    site.do("UPDATE gate_commands SET created_at = now() - interval '61 seconds'")
    answer = await asking
    assert (answer.json()["state"], answer.json()["detail"]) == ("unknown", "the lot did not answer")


async def test_a_command_is_answered_as_sent_where_the_lot_takes_longer_and_is_done_later(site: Site) -> None:
    asking = site.ask()
    command = await site.command()
    answer = await asking
    assert answer.status_code == 202
    assert answer.json()["state"] == "sent"
    await site.answer(command, "done")
    await _until(lambda: site.rows("SELECT state FROM gate_commands")[0]["state"] == "done")


async def test_a_result_that_is_none_is_refused_by_name_and_changes_nothing(site: Site) -> None:
    asking = site.ask()
    command = await site.command()
    await site.answer(command, "exploded")
    complaint = await site.gateway.next(Error)
    assert (complaint.code, complaint.field) == ("malformed", "result")
    await site.answer(command, "done")
    assert (await asking).json()["state"] == "done"


async def test_what_is_not_said_well_is_not_sent(site: Site) -> None:
    badly: list[dict[str, object]] = [
        {"command": "close"},
        {"by": ""},
        {"by": "   "},
        {"reason": ""},
        {"reason": "a\x00b"},
        {"reason": "x" * 301},
        {"lane": ""},
        {"more": 1},
    ]
    for changed in badly:
        assert (await site.ask(**changed)).status_code == 422, changed
    assert site.rows("SELECT * FROM gate_commands") == []


async def test_who_may_not_and_what_is_not_there_is_told(site: Site) -> None:
    path = f"/api/v1/admin/gateways/{site.gateway.id}/commands"
    assert (await site.client.post(path, json=OPEN, headers={"Idempotency-Key": "k" * 8})).status_code == 401
    assert (await site.client.post(path, json=OPEN, headers=BEARER)).status_code == 422
    assert (await site.client.get(f"{path}/{uuid4()}", headers=BEARER)).status_code == 404
    elsewhere = "/api/v1/admin/gateways/gw-nowhere/commands"
    headers = {**BEARER, "Idempotency-Key": "k" * 8}
    assert (await site.client.post(elsewhere, json=OPEN, headers=headers)).status_code == 404


async def _dismiss(asking: asyncio.Task[httpx.Response]) -> None:
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def _until(holds: Any, within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is a row of another process
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("age_s", "heard", "word"),
    [(20, "up", "Live"), (61, "late", "Late"), (301, "silent", "Silent")],
)
async def test_a_gateway_without_power_is_told_by_when_it_was_heard_though_its_socket_is_open(
    site: Site, age_s: int, heard: str, word: str
) -> None:
    site.do("UPDATE gateways SET last_heard_at = now() - interval '1 second' * %s", age_s)
    (row,) = site.rows("SELECT connected_at, disconnected_at FROM gateways")
    assert row["disconnected_at"] is None  # nobody said goodbye
    (gateway,) = (await site.client.get("/api/v1/admin/gateways", headers=BEARER)).json()
    assert (gateway["hearing"], gateway["connected"]) == (heard, heard == "up")
    lot = (await site.client.get(f"/api/v1/parking-lots/{LOT}")).json()
    assert lot["freshness"]["link"] == heard
    assert lot["freshness"]["age_s"] >= age_s
    metrics = (await site.client.get("/metrics")).text
    assert f'parking_gateways{{hearing="{heard}"}} 1.0' in metrics
    page = (await site.client.get("/console/gateways", headers=BEARER)).text
    assert f"</svg>{word}</span>" in page
    assert ("1 on line" if heard == "up" else "0 on line") in page


async def test_that_a_gateway_is_silent_is_told_once_and_again_after_it_has_spoken(site: Site) -> None:
    assert site.other.cloud is not None
    assert site.centre.cloud is not None
    watches = [site.centre.cloud.silence, site.other.cloud.silence]
    told = "SELECT FROM event_outbox WHERE kind = 'GatewayStateChanged' AND body ->> 'state' = 'silent'"
    for times in (1, 2):
        site.do("UPDATE gateways SET last_heard_at = now() - interval '301 seconds'")
        await asyncio.gather(*(watch.look() for watch in watches * 2))
        assert len(site.rows(told)) == times
        site.do(
            "UPDATE gateways SET last_heard_at = now() - interval '300 seconds', silent_told_at = now() - interval '1 hour'"
        )


async def test_staff_open_a_lane_from_its_lots_page_and_see_there_what_became_of_it(site: Site) -> None:
    page = f"/console/lots/{LOT}"

    async def html() -> str:
        return (await site.client.get(page, headers=BEARER)).text

    def press(**changed: str) -> asyncio.Task[httpx.Response]:
        form = {"lane": "entry-1", "by": "Anna", "reason": "ticket unreadable", "key": key} | changed
        return asyncio.create_task(site.client.post(page, data=form, headers=BEARER))

    (key,) = re.findall('name="key" value="([^"]*)"', await html())
    unnamed = await press(by=" ")
    assert unnamed.status_code == 400
    assert 'role="alert"' in unnamed.text
    assert "fill in by" in unnamed.text
    pressed = [press(), press()]
    command = await site.command()
    await site.answer(command, "done")
    assert [(await one).status_code for one in pressed] == [303, 303]
    assert len(site.rows("SELECT FROM gate_commands")) == 1
    told = await html()
    assert "</svg>Opened</span>" in told
    assert "<td>Anna</td><td>ticket unreadable</td>" in told
    (key,) = re.findall('name="key" value="([^"]*)"', told)
    again = press()
    await site.answer(await site.command(), "refused", "already_open")
    assert (await again).status_code == 303
    assert "The arm is up, or on its way up." in await html()
    site.do("UPDATE gateways SET last_heard_at = now() - interval '61 seconds'")
    (late,) = [await press(key="another one")]
    assert late.status_code == 409
    assert "Nothing was opened" in late.text
    assert 'name="key"' not in late.text


async def test_a_stranger_opens_nothing_from_the_console(site: Site) -> None:
    answer = await site.client.post(f"/console/lots/{LOT}", data={"lane": "entry-1"})
    assert answer.status_code == 401
    assert site.rows("SELECT * FROM gate_commands") == []


async def test_a_command_that_waits_too_long_for_a_busy_line_is_dropped_and_never_said(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "COMMAND_WITHIN_S", -1.0)  # it has waited already when its turn comes
    asking = site.ask()
    answer = await asking
    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    monkeypatch.undo()
    fresh = site.ask()
    command = await site.command()
    assert command.command != answer.json()["id"]
    await site.answer(command, "done")
    assert (await fresh).json()["state"] == "done"
    site.do("UPDATE gate_commands SET created_at = created_at - interval '61 seconds'")
    await _until(lambda: site.rows("SELECT FROM gate_commands WHERE state = 'unknown'"))
    assert (await site.told(answer.json()["id"]))["detail"] == "the lot did not answer"
