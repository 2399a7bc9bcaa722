"""The link as gateways meet it: a real process, a real socket, a real database."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from cloud.database import connect
from cloud.gateways.service import PAGE_AFTER_COMMIT, PAGE_BEFORE_COMMIT
from sync.codec import decode
from sync.keys import SigningKey
from sync.message_pack import unpack
from sync.messages import Document, DocumentAck, Drain, Error, PageAck, States, StatesAck, Welcome
from tests.integration.cloud.cloud_process import CloudHere, CloudProcess, Gateway
from tests.integration.cloud.conftest import LOT, STAFF, claim

TARIFF = """
id = "market-square"
version = 7
currency = "EUR"
timezone = "Europe/Berlin"

[[rate]]
per_min = 60
price = "2.50"
"""


@pytest.fixture
async def here(database_url: str, tmp_path: Path) -> AsyncIterator[CloudHere]:
    served = CloudHere(database_url=database_url, folder=tmp_path)
    await served.start()
    yield served
    await served.end()


@pytest.fixture
async def process(database_url: str, tmp_path: Path) -> AsyncIterator[CloudProcess]:
    served = CloudProcess(database_url=database_url, folder=tmp_path)
    await served.start()
    yield served
    await served.end()


@pytest.fixture
async def gateway(here: CloudHere) -> AsyncIterator[Gateway]:
    enrolled = Gateway()
    await enrolled.enrol(here)
    yield enrolled
    await enrolled.hang_up()


def one(process: CloudProcess | CloudHere, sql: str) -> object:
    with connect(process.database_url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    (value,) = row.values()
    return value


async def test_a_gateway_enrols_connects_and_its_log_is_applied(here: CloudHere, gateway: Gateway) -> None:
    welcome = await gateway.open(here)
    assert (welcome.acknowledged_seq, welcome.verdict) == (0, "ok")
    gateway.log.claim(claim())
    acknowledged = await gateway.send_page(1, 1)
    assert (acknowledged.seq, acknowledged.hash) == (1, gateway.log.rows[0].hash)
    assert one(here, "SELECT count(*) FROM claims") == 1


@pytest.mark.parametrize("label", [PAGE_BEFORE_COMMIT, PAGE_AFTER_COMMIT])
async def test_a_centre_killed_around_the_commit_applies_every_row_once(
    process: CloudProcess, label: str
) -> None:
    gateway = Gateway()
    await gateway.enrol(process)
    await gateway.open(process)
    await process.end(signal.SIGKILL)
    process.failpoint = f"{label}:2"
    await process.start()
    await gateway.open(process)
    for _ in range(6):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.send_page(1, 3)
    await gateway.say(gateway.page(4, 6))
    assert await process.ended() == -signal.SIGKILL
    applied = 6 if label == PAGE_AFTER_COMMIT else 3
    assert one(process, "SELECT count(*) FROM gateway_inbox") == applied
    process.failpoint = ""
    await process.start()
    welcome = await gateway.open(process)
    assert welcome.acknowledged_seq == applied
    assert (await gateway.send_page(4, 6)).seq == 6
    assert one(process, "SELECT count(*) FROM gateway_inbox") == 6
    assert one(process, "SELECT events_applied FROM gateways") == 6


async def test_a_second_connection_of_a_gateway_ends_the_first(here: CloudHere, gateway: Gateway) -> None:
    first = await gateway.open(here)
    older = gateway.socket
    assert older is not None
    second = await gateway.open(here)
    assert second.session == first.session + 1
    answer = decode(await older.recv(decode=False))
    while not isinstance(answer, Error):
        answer = decode(await older.recv(decode=False))
    assert (answer.code, answer.fatal) == ("stale_session", True)
    with pytest.raises(ConnectionClosed):
        await older.recv()


async def test_a_stranger_with_another_key_is_sent_away(here: CloudHere, gateway: Gateway) -> None:
    gateway.key = SigningKey.from_seed(bytes(32))
    answer = await gateway.connect(here)
    assert isinstance(answer, Error)
    assert (answer.code, answer.fatal) == ("not_authentic", True)
    assert one(here, "SELECT session FROM gateways") == 0


async def test_an_emptied_ledger_is_fenced_and_stays_so_until_a_person_lifts_it(
    process: CloudProcess,
) -> None:
    gateway = Gateway()
    await gateway.enrol(process)
    await gateway.open(process)
    for _ in range(3):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.send_page(1, 3)
    answer = await gateway.connect(process, last_seq=0, acknowledged_seq=0)
    assert isinstance(answer, Welcome)
    assert answer.verdict == "fenced"
    assert one(process, "SELECT state FROM gateways") == "fenced"
    await gateway.connect(process)
    assert gateway.welcome is not None
    assert gateway.welcome.verdict == "fenced"
    status, text = await process.run("gateways", "release", gateway.id, "--by", "Ada", "--reason", "counted")
    assert status == 0, text
    await gateway.connect(process)
    assert gateway.welcome.verdict == "ok"
    assert one(process, "SELECT actor || ': ' || reason FROM audit_log") == "Ada: counted"


async def test_another_log_under_the_same_numbers_quarantines_the_gateway(
    here: CloudHere, gateway: Gateway
) -> None:
    await gateway.open(here)
    gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.send_page(1, 1)
    gateway.log.rows.clear()
    gateway.log.add("gate_moved", {"lane": "exit-1"})
    await gateway.say(gateway.page(1, 1))
    answer = await gateway.next(Error)
    assert (answer.code, answer.fatal) == ("quarantined", True)
    assert one(here, "SELECT state FROM gateways") == "quarantined"
    assert one(here, "SELECT events_applied FROM gateways") == 1


async def test_a_gap_is_asked_for_again(here: CloudHere, gateway: Gateway) -> None:
    await gateway.open(here)
    for _ in range(4):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.say(gateway.page(3, 4))
    answer = await gateway.next(Error)
    assert (answer.code, answer.fatal) == ("gap", False)
    assert (await gateway.send_page(1, 4)).seq == 4


async def test_what_is_no_frame_is_answered_counted_and_disturbs_nothing(
    here: CloudHere, gateway: Gateway
) -> None:
    await gateway.open(here)
    await gateway.say_bytes(b"\xc1\x00 nonsense")
    answer = await gateway.next(Error)
    assert answer.code == "malformed"
    gateway.log.claim(claim())
    assert (await gateway.send_page(1, 1)).seq == 1
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"http://127.0.0.1:{here.port}/metrics")).text
    assert 'parking_link_frames_refused_total{about="frame",code="malformed"} 1.0' in metrics


async def test_states_are_stored_and_answered(here: CloudHere, gateway: Gateway) -> None:
    welcome = await gateway.open(here)
    states = States(
        epoch=gateway.epoch, session=welcome.session, n=1, snapshot=True, as_of_seq=0, spots=(), counts=(),
        lanes=(("entry-1", "waiting"),), unexplained=2, backlog=5,
    )  # fmt: skip
    await gateway.say(states)
    assert (await gateway.next(StatesAck)).n == 1
    assert one(here, "SELECT lane_states ->> 'entry-1' FROM gateways") == "waiting"


async def test_documents_come_in_order_until_acknowledged(process: CloudProcess) -> None:
    gateway = Gateway()
    await gateway.enrol(process)
    await gateway.open(process)
    tariff = process.folder / "tariff.toml"
    tariff.write_text(TARIFF)
    status, text = await process.run("documents", "put-tariff", "--lot", LOT, str(tariff))
    assert status == 0, text
    assert gateway.welcome is not None
    again, text = await process.run("documents", "put-tariff", "--lot", LOT, str(tariff))
    assert (again, "version 7 is on record" in text) == (1, True)
    await gateway.hang_up()
    await gateway.connect(process)
    keys = await gateway.next(Document)
    told = await gateway.next(Document)
    assert [(keys.n, keys.kind), (told.n, told.kind)] == [(1, "keys"), (2, "tariff")]
    body = unpack(told.body, "tariff")
    assert isinstance(body, dict)
    assert body["version"] == "7"
    await gateway.say(DocumentAck(epoch=gateway.epoch, session=gateway.welcome.session, n=2))
    gateway.log.claim(claim())
    await gateway.send_page(1, 1)
    assert one(process, "SELECT count(*) FROM gateway_documents WHERE acknowledged_at IS NULL") == 0


async def test_a_tariff_reaches_a_gateway_that_is_connected(process: CloudProcess) -> None:
    gateway = Gateway()
    await gateway.enrol(process)
    await gateway.open(process)
    gateway.document_n = 1
    await gateway.hang_up()
    await gateway.connect(process)
    tariff = process.folder / "tariff.toml"
    tariff.write_text(TARIFF)
    await process.run("documents", "put-tariff", "--lot", LOT, str(tariff))
    assert (await gateway.next(Document)).kind == "tariff"


async def test_a_centre_that_goes_down_sends_its_gateways_away_in_order(process: CloudProcess) -> None:
    gateway = Gateway()
    await gateway.enrol(process)
    await gateway.open(process)
    ending = process.end()
    drain = gateway.next(Drain)
    assert await ending == 0
    assert (await drain).delay_ms >= 500
    assert one(process, "SELECT disconnected_at IS NOT NULL FROM gateways") is True


async def test_health_ready_and_the_fleet(here: CloudHere, gateway: Gateway) -> None:
    base = f"http://127.0.0.1:{here.port}"
    async with httpx.AsyncClient(base_url=base) as client:
        assert (await client.get("/health")).json() == {"status": "ok"}
        assert (await client.get("/ready")).json()["status"] == "ready"
        refused = await client.get("/api/v1/admin/gateways")
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        fleet = await client.get("/api/v1/admin/gateways", headers={"Authorization": f"Bearer {STAFF}"})
        assert [row["id"] for row in fleet.json()] == [gateway.id]
        metrics = (await client.get("/metrics")).text
    assert 'parking_api_requests_total{endpoint="/ready",method="GET",status="200"} 1.0' in metrics
    assert "parking_api_request_duration_seconds_bucket" in metrics


async def test_a_code_enrols_one_gateway_and_a_new_one_replaces_it(here: CloudHere, gateway: Gateway) -> None:
    second = Gateway(key=SigningKey.from_seed(bytes(range(2, 34))))
    await second.enrol(here)
    assert (gateway.epoch, second.epoch) == (1, 2)
    answer = await gateway.connect(here)
    assert isinstance(answer, Welcome)
    assert answer.verdict == "fenced"
    assert one(here, f"SELECT state FROM gateways WHERE id = '{gateway.id}'") == "replaced"  # noqa: S608 - our own id


async def test_the_acknowledgement_that_got_lost_costs_nothing(here: CloudHere, gateway: Gateway) -> None:
    """Complaint 5: the answer to a page is lost with the line; the page goes again."""
    await gateway.open(here)
    for _ in range(3):
        gateway.log.add("gate_moved", {"lane": "entry-1"})
    await gateway.say(gateway.page(1, 3))
    await gateway.next(PageAck)
    await gateway.hang_up()
    welcome = await gateway.open(here)
    assert welcome.acknowledged_seq == 3
    assert (await gateway.send_page(1, 3)).seq == 3
    assert one(here, "SELECT count(*) FROM gateway_inbox") == 3
