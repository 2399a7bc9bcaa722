"""Opening a gate from afar on the real things: an agent process with its barriers, two processes of the centre, a line that is cut.

Row 17 of docs/complaints.md: a lot without power is shown as silent, whatever its socket says, and a command is done, refused or unknown.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from cloud.database import connect
from drivers.ports import Move
from edge.enrolment import enrol
from edge.store.reader import StoreReader
from simulators.network import Direction, Flow, Line
from sync.chain import unpack_envelope
from sync.events import EventKind
from tests.integration.cloud.booking_lot import BEARER, at_port
from tests.integration.cloud.cloud_process import CloudHere, CloudProcess
from tests.integration.edge.agent_site import IN, LOT_ID, Site, site_at

WITHIN_S = 40.0


@dataclass(slots=True, kw_only=True)
class Guarded:
    """A lot whose link is at `cloud`, over `line`; a person asks the other process."""

    cloud: CloudProcess
    other: CloudHere
    line: Line
    site: Site
    client: httpx.AsyncClient
    gateway: str = ""

    async def ask(self, lane: str = IN) -> httpx.Response:
        return await self.client.post(
            f"/api/v1/admin/gateways/{self.gateway}/commands",
            json={"lane": lane, "command": "open", "by": "Anna", "reason": "ticket unreadable"},
            headers={**BEARER, "Idempotency-Key": str(uuid4())},
        )

    async def told(self, command: str) -> str:
        path = f"/api/v1/admin/gateways/{self.gateway}/commands/{command}"
        return str((await self.client.get(path, headers=BEARER)).json()["state"])

    async def hearing(self) -> str:
        (row,) = (await self.client.get("/api/v1/admin/gateways", headers=BEARER)).json()
        return str(row["hearing"])

    def rows(self, sql: str) -> Sequence[Mapping[str, Any]]:
        with connect(self.cloud.database_url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def do(self, sql: str, *parameters: object) -> None:
        with connect(self.cloud.database_url) as connection:
            connection.execute(sql.encode(), parameters)

    @property
    def session(self) -> int:
        return int(self.rows("SELECT session FROM gateways")[0]["session"])

    async def until(self, holds: Any) -> None:
        await self.site.until(holds, WITHIN_S)

    async def is_up(self) -> None:
        await self.until(
            lambda: self.rows(
                "SELECT FROM gateways WHERE connected_at IS NOT NULL AND disconnected_at IS NULL"
                " AND last_heard_at > now() - interval '15 seconds' AND lane_states <> '{}'"
            )
        )

    async def is_up_again(self, after_session: int) -> None:
        await self.until(lambda: self.session > after_session)
        await self.is_up()

    def commanded(self) -> list[Mapping[str, Any]]:
        """What the lot's own log tells of a person who opened a lane."""
        reader = StoreReader(self.site.folder / "ledger.sqlite")
        try:
            rows = reader.log_page(epoch=1, after_seq=0, limit=10_000)
        finally:
            reader.close()
        told = [unpack_envelope(row.body) for row in rows]
        return [one.body for one in told if one.kind == EventKind.OVERRIDE and one.body["action"] == "open"]

    def opened(self) -> int:
        return self.site.moves(IN).count(Move.OPEN)


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path) -> AsyncIterator[Guarded]:
    (tmp_path / "other").mkdir()
    cloud = CloudProcess(database_url=database_url, folder=tmp_path)
    other = CloudHere(database_url=database_url, folder=tmp_path / "other")
    await other.start()
    await cloud.start()
    line = Line("127.0.0.1", cloud.port)
    await line.start()
    url = f"ws://127.0.0.1:{line.port}/api/v1/link"
    async with site_at(tmp_path, cloud_url=url, start=False) as site, at_port(other) as client:
        assert other.cloud is not None
        code = await other.cloud.gateways.invite(UUID(LOT_ID))
        assert await asyncio.to_thread(enrol, tmp_path / "lot.toml", {}, code=code, url=None) == 0
        await site.start()
        made = Guarded(cloud=cloud, other=other, line=line, site=site, client=client)
        await made.is_up()
        made.gateway = str(made.rows("SELECT id FROM gateways")[0]["id"])
        yield made
        if site.agent.pid is not None:
            os.kill(site.agent.pid, signal.SIGCONT)
    await line.stop()
    await other.end()
    await cloud.end()


async def test_a_person_far_away_opens_a_gate_hears_that_it_is_open_and_why_it_cannot_be_opened(
    guarded: Guarded,
) -> None:
    nowhere = (await guarded.ask("no-such-lane")).json()
    assert (nowhere["state"], nowhere["detail"]) == ("refused", "lane_unknown")
    guarded.site.gate_in.arming_loop(1)
    answer = await guarded.ask()
    assert (answer.status_code, answer.json()["state"]) == (200, "done"), answer.text
    await guarded.site.opens(IN)
    again = (await guarded.ask()).json()
    assert (again["state"], again["detail"]) == ("refused", "already_open")
    await guarded.until(guarded.commanded)
    (told,) = guarded.commanded()
    assert (told["by"], told["reason"], told["command"]) == ("Anna", "ticket unreadable", answer.json()["id"])
    assert guarded.opened() == 1


async def test_a_line_that_dies_before_the_answer_leaves_a_command_unknown_that_was_carried_out_once(
    guarded: Guarded,
) -> None:
    session = guarded.session
    guarded.line.flow(Direction.UP, Flow.HOLD)
    answer = await guarded.ask()
    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    await guarded.site.opens(IN)
    guarded.line.cut()
    await guarded.until(lambda: guarded.rows("SELECT FROM gate_commands WHERE state = 'unknown'"))
    guarded.line.restore()
    await guarded.is_up_again(session)
    # what became of it is in the lot's own log, which has the command's name
    await guarded.until(lambda: guarded.rows("SELECT FROM gateway_inbox WHERE kind = 'override'"))
    assert await guarded.told(answer.json()["id"]) == "unknown"
    assert guarded.opened() == 1
    assert [one["command"] for one in guarded.commanded()] == [answer.json()["id"]]


async def test_a_command_that_never_arrived_is_unknown_and_never_carried_out_later(guarded: Guarded) -> None:
    session = guarded.session
    guarded.line.flow(Direction.DOWN, Flow.SWALLOW)
    lost = await guarded.ask()
    assert (lost.status_code, lost.json()["state"]) == (202, "sent")
    guarded.line.cut()
    await guarded.until(lambda: guarded.rows("SELECT FROM gate_commands WHERE state = 'unknown'"))
    guarded.line.restore()
    await guarded.is_up_again(session)
    fresh = await guarded.ask()
    assert fresh.json()["state"] == "done", fresh.text
    assert await guarded.told(lost.json()["id"]) == "unknown"
    assert guarded.opened() == 1
    assert [one["command"] for one in guarded.commanded()] == [fresh.json()["id"]]


async def test_a_process_of_the_centre_that_dies_with_the_line_leaves_its_command_unknown(
    guarded: Guarded,
) -> None:
    session = guarded.session
    guarded.line.flow(Direction.UP, Flow.HOLD)
    asked = await guarded.ask()
    assert asked.json()["state"] == "sent"
    await guarded.cloud.end(signal.SIGKILL)
    # its row says that the session is open, and nobody dials: the other process finds that the line's holder is dead
    await guarded.until(lambda: guarded.rows("SELECT FROM gate_commands WHERE state = 'unknown'"))
    assert (await guarded.ask()).status_code == 409
    assert guarded.session == session
    guarded.line.lead_to("127.0.0.1", guarded.other.port)
    guarded.line.restore()
    await guarded.is_up_again(session)
    assert await guarded.told(asked.json()["id"]) == "unknown"
    assert guarded.opened() == 1


async def test_a_lot_whose_plug_is_pulled_is_shown_late_then_silent_and_comes_back_by_itself(
    guarded: Guarded,
) -> None:
    """The agent stops between two instructions: nobody says goodbye, and its socket stays open. The minutes are handed in."""
    pid, session = guarded.site.agent.pid, guarded.session
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    for age_s, heard in ((61, "late"), (301, "silent")):
        guarded.do("UPDATE gateways SET last_heard_at = now() - interval '1 second' * %s", age_s)
        assert await guarded.hearing() == heard
        lot = (await guarded.client.get(f"/api/v1/parking-lots/{LOT_ID}")).json()
        assert lot["freshness"]["link"] == heard
        answer = await guarded.ask()
        assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    silent = "SELECT FROM event_outbox WHERE body ->> 'state' = 'silent'"
    await guarded.until(lambda: guarded.rows(silent))
    assert guarded.rows("SELECT FROM gate_commands") == []
    os.kill(pid, signal.SIGCONT)
    await guarded.until(
        lambda: guarded.rows("SELECT FROM gateways WHERE last_heard_at > now() - interval '15 s'")
    )
    if guarded.session > session:
        await guarded.is_up()
    assert await guarded.hearing() == "up"
    assert guarded.opened() == 0
    assert len(guarded.rows(silent)) == 1


async def test_a_command_that_reached_a_dead_lot_is_unknown_and_its_arm_does_not_move_when_power_is_back(
    guarded: Guarded,
) -> None:
    """The agent is stopped with the command in its socket, and dies there: what comes up again knows nothing of it."""
    pid, session = guarded.site.agent.pid, guarded.session
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    answer = await guarded.ask()
    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    await guarded.site.agent.kill()
    await guarded.until(lambda: guarded.rows("SELECT FROM gate_commands WHERE state = 'unknown'"))
    await guarded.site.start()
    await guarded.is_up_again(session)
    assert await guarded.told(answer.json()["id"]) == "unknown"
    assert guarded.opened() == 0
    assert guarded.commanded() == []
