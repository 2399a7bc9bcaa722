"""How fast a centre applies a gateway's backlog: `lotgate cloud serve` as a process, PostgreSQL with fsync, pages over the WebSocket.

    python benchmarks/drain.py [EVENTS]

The log is that of a busy lot of 500 spots: of each car its claim, entry, gate moves, price, payment, exit and release. 170,000 rows are
14 days. A gateway of ours sends at most 2,000 rows a second (sync/pace); here they go as fast as they are acknowledged, which shows the
centre's own limit.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import httpx
from websockets.asyncio.client import ClientConnection, connect

from cloud.bootstrap import build_cloud
from cloud.database import connect as connect_database
from cloud.migrating import migrate
from cloud.settings import CloudSettings
from parking.ids import LaneId, LotId, ZoneId, spot_id
from parking.lot import Lane, LaneKind, Lot, Spot, SpotType, Zone
from simulators.database import DatabaseCluster
from sync.chain import Envelope, genesis, next_hash, pack_envelope
from sync.codec import decode, encode
from sync.instants import to_us
from sync.keys import SigningKey
from sync.layout import layout_body, layout_hash
from sync.messages import (
    MAX_PAGE_ROWS,
    Challenge,
    Document,
    Frame,
    Hello,
    Layout,
    LayoutAck,
    LogRow,
    Page,
    PageAck,
    Welcome,
)
from sync.session import hello_bytes

EVENTS = 170_000
SPOTS = 500
WINDOW = 4
LIMIT_S = 15 * 60
LOT = LotId("0d6f0a8e-5f0c-4c57-8f6e-1c9b4a1f7e22")
START = datetime(2026, 11, 10, 6, 0, tzinfo=UTC)
BETWEEN_CARS = timedelta(seconds=80)


def the_lot() -> Lot:
    """500 regular spots, one way in and one out."""
    zone = Zone(id=ZoneId("ground"), level="0")
    numbers = [f"R-{n:03}" for n in range(SPOTS)]
    return Lot(
        id=LOT,
        name="Benchmark",
        timezone=ZoneInfo("Europe/Berlin"),
        currency="EUR",
        latitude=52.5,
        longitude=13.4,
        zones=(zone,),
        spots=tuple(Spot(id=spot_id(LOT, n), zone=zone.id, number=n, type=SpotType.REGULAR) for n in numbers),
        lanes=(Lane(id=LaneId("in"), kind=LaneKind.ENTRY), Lane(id=LaneId("out"), kind=LaneKind.EXIT)),
    )


def facts() -> Iterator[tuple[str, datetime, Mapping[str, object]]]:
    """What happens, in an order as a lot's log has it: every car stays for the time in which 200 others come."""
    spots = [str(spot.id) for spot in the_lot().spots]
    car = 0
    while True:
        yield from _enters(car, spots[car % SPOTS])
        if car >= 200:
            yield from _leaves(car - 200, spots[(car - 200) % SPOTS])
        car += 1


def _ids(car: int) -> tuple[str, str, str, str]:
    claim, stay, demand, payment = (
        str(uuid5(UUID(LOT), f"{what} {car}")) for what in ("claim", "stay", "demand", "payment")
    )
    return claim, stay, demand, payment


def _claim(car: int, spot: str, state: str, version: int) -> dict[str, object]:
    at = START + car * BETWEEN_CARS
    return {
        "id": _ids(car)[0], "spot": spot, "type": "regular", "starts_us": to_us(at), "ends_us": to_us(at + timedelta(hours=6)),
        "kind": "walk_in", "holder_kind": "stay", "holder_id": _ids(car)[1], "state": state, "sold_by": "edge", "epoch": 1,
        "revision": 1, "version": version, "clashing": False,
    }  # fmt: skip


def _stay(car: int, state: str, version: int) -> dict[str, object]:
    at = START + car * BETWEEN_CARS
    return {
        "id": _ids(car)[1], "credential_kind": "ticket", "subject": f"ticket {car}", "type": "regular", "state": state,
        "lane": "in", "admitted_us": to_us(at), "entered_us": to_us(at), "left_us": None, "claim": _ids(car)[0],
        "tariff_version": "1", "factor_1e4": 10_000, "paid_until_us": None, "version": version,
    }  # fmt: skip


def _enters(car: int, spot: str) -> Iterator[tuple[str, datetime, Mapping[str, object]]]:
    at = START + car * BETWEEN_CARS
    yield "claim_changed", at, {"claim": _claim(car, spot, "firm", 1)}
    yield "stay_admitted", at, {"stay": _stay(car, "admitted", 1)}
    yield (
        "token_issued",
        at,
        {"kind": "ticket", "subject": f"ticket {car}", "stay": _ids(car)[1], "key_id": "k"},
    )
    yield "gate_moved", at, {"lane": "in", "move": "open", "why": "admitted", "stay": _ids(car)[1]}
    yield "stay_entered", at, {"stay": _stay(car, "inside", 2)}
    yield "gate_moved", at, {"lane": "in", "move": "close", "why": "passed", "stay": None}


def _leaves(car: int, spot: str) -> Iterator[tuple[str, datetime, Mapping[str, object]]]:
    at = START + (car + 200) * BETWEEN_CARS
    _, stay, demand, payment = _ids(car)
    money = {"amount_minor": 750, "currency": "EUR"}
    yield "demand_made", at, {"demand": {
        "id": demand, "stay": stay, **money, "from_us": to_us(START), "to_us": to_us(at), "made_us": to_us(at),
        "lines": [{"text": "5 hours", "amount_minor": 750}],
    }}  # fmt: skip
    for state, version in (("pending", 1), ("completed", 2)):
        yield "payment_changed", at, {"payment": {
            "id": payment, "demand": demand, **money, "state": state, "terminal": "t1", "reference": None,
            "changed_us": to_us(at), "version": version,
        }}  # fmt: skip
    yield "gate_moved", at, {"lane": "out", "move": "open", "why": "paid", "stay": stay}
    yield "stay_left", at, {"stay": _stay(car, "left", 3)}
    yield "claim_changed", at, {"claim": _claim(car, spot, "released", 2)}


def the_log(gateway: str, epoch: int, events: int) -> list[LogRow]:
    """`events` rows, chained."""
    rows: list[LogRow] = []
    previous = genesis(gateway, epoch)
    for seq, (kind, at, body) in enumerate(facts(), start=1):
        packed = pack_envelope(
            Envelope(
                epoch=epoch,
                seq=seq,
                boot="b",
                since_boot_us=seq,
                kind=kind,
                body={"at_us": to_us(at), **body},
            )
        )
        previous = next_hash(previous, packed)
        rows.append(LogRow(seq=seq, hash=previous, body=packed))
        if seq == events:
            return rows
    return rows


async def frame_of(socket: ClientConnection) -> Frame:
    """The next frame that is no document."""
    while True:
        frame = decode(await socket.recv(decode=False))
        if not isinstance(frame, Document):
            return frame


async def opened(socket: ClientConnection, key: SigningKey, gateway: str, epoch: int, last_seq: int) -> int:
    """Say hello and lay out the lot; the session's number."""
    challenge = await frame_of(socket)
    assert isinstance(challenge, Challenge)
    body = layout_body(the_lot())
    values: dict[str, object] = {
        "gateway": gateway, "epoch": epoch, "boot": "b", "protocol": 1, "last_seq": last_seq, "acknowledged_seq": 0,
        "acknowledged_hash": genesis(gateway, epoch), "document_n": 0, "layout_hash": layout_hash(body), "time_us": 1,
        "clock_quality": "synced", "software": "benchmark",
    }  # fmt: skip
    unsigned = Hello(**values, signature=b"")  # type: ignore[arg-type]  # the fields as written just above
    await socket.send(encode(Hello(**values, signature=key.sign(hello_bytes(challenge, unsigned)))))  # type: ignore[arg-type]  # the same
    welcome = await frame_of(socket)
    assert isinstance(welcome, Welcome)
    await socket.send(encode(Layout(epoch=epoch, session=welcome.session, hash=layout_hash(body), body=body)))
    assert isinstance(await frame_of(socket), LayoutAck)
    return welcome.session


async def drain(
    socket: ClientConnection, epoch: int, session: int, first: bytes, rows: list[LogRow]
) -> list[float]:
    """Send all rows, WINDOW pages on their way; seconds from sending to acknowledgement of each page."""
    slots = asyncio.Semaphore(WINDOW)
    sent_s: list[float] = []
    took_s: list[float] = []
    pages = [rows[at : at + MAX_PAGE_ROWS] for at in range(0, len(rows), MAX_PAGE_ROWS)]

    async def receive() -> None:
        for number in range(len(pages)):
            acknowledged = await frame_of(socket)
            assert isinstance(acknowledged, PageAck), acknowledged
            took_s.append(time.perf_counter() - sent_s[number])
            slots.release()

    receiving = asyncio.create_task(receive())
    previous = first
    for page in pages:
        await slots.acquire()
        sent_s.append(time.perf_counter())
        frame = Page(
            epoch=epoch, session=session, first=page[0].seq, previous_hash=previous, rows=tuple(page)
        )
        await socket.send(encode(frame))
        previous = page[-1].hash
    await receiving
    return took_s


async def measure(url: str, folder: Path, events: int) -> dict[str, object]:
    """Start the centre, send the log, look what arrived."""
    key = SigningKey.from_seed(b"b" * 32)
    port_file = folder / "port"
    environment = {**os.environ, "LOTGATE_CLOUD_DATABASE_URL": url, "LOTGATE_CLOUD_POOL_MIN": "2"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lotgate",
        "cloud",
        "serve",
        "--port",
        "0",
        "--port-file",
        str(port_file),
        env=environment,
    )
    while not port_file.exists():
        assert process.returncode is None
        await asyncio.sleep(0.05)
    port = int(port_file.read_text())
    cloud = build_cloud(CloudSettings(database_url=url, pool_min=1, pool_max=1), {})
    async with cloud.database:
        code = await cloud.gateways.invite(UUID(LOT))
    async with httpx.AsyncClient() as client:
        told = (
            await client.post(
                f"http://127.0.0.1:{port}/api/v1/gateways/enrol",
                json={"code": code, "public_key": base64.b64encode(key.public).decode()},
            )
        ).json()
    gateway, epoch = told["gateway"], told["epoch"]
    rows = the_log(gateway, epoch, events)
    async with connect(f"ws://127.0.0.1:{port}/api/v1/link", compression=None, max_size=None) as socket:
        session = await opened(socket, key, gateway, epoch, len(rows))
        started_s = time.perf_counter()
        took_s = sorted(await drain(socket, epoch, session, genesis(gateway, epoch), rows))
        seconds = time.perf_counter() - started_s
    process.send_signal(signal.SIGTERM)
    await process.wait()
    with connect_database(url) as connection:
        found = connection.execute(
            b"SELECT acknowledged_seq, events_applied, events_quarantined, (SELECT count(*) FROM conflicts) AS conflicts FROM gateways"
        ).fetchone()
    assert found is not None
    return {
        "events": len(rows),
        "seconds": round(seconds, 1),
        "events_per_s": round(len(rows) / seconds),
        "page_ms_p50": round(1e3 * took_s[len(took_s) // 2], 1),
        "page_ms_p99": round(1e3 * took_s[int(len(took_s) * 0.99)], 1),
        **found,
    }


def main() -> int:
    """Print the figures as JSON; 1 where the log did not arrive whole or took longer than 15 minutes."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    cluster = DatabaseCluster(durable=True)
    try:
        cluster.start()
        url = cluster.create_database("drain")
        migrate(url)
        with tempfile.TemporaryDirectory() as folder:
            figures = asyncio.run(measure(url, Path(folder), events))
    finally:
        cluster.stop()
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    whole = figures["acknowledged_seq"] == figures["events_applied"] == events
    clean = figures["events_quarantined"] == figures["conflicts"] == 0
    return 0 if whole and clean and float(str(figures["seconds"])) < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
