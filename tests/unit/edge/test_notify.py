"""What systemd hears, over a real datagram socket: ready, how it is, and that it is alive only while it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.heartbeat import Heartbeat
from edge.notify import ServiceNotifier
from edge.visit import Answered, Presented, Visit
from parking.lot import LaneKind
from tests.unit.edge.lot_at_work import DOWN, HERE, Arm, LotAtWork


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(4_096).decode())
            except BlockingIOError:
                return found


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    other_end = Systemd(str(tmp_path / "notify"))
    yield other_end
    other_end.socket.close()


@pytest.fixture
def notifier(systemd: Systemd, tmp_path: Path) -> ServiceNotifier:
    assert systemd.socket.fileno() > 0
    return ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"})


def test_what_is_told_is_the_protocols(systemd: Systemd, notifier: ServiceNotifier) -> None:
    notifier.ready("parking works")
    notifier.alive()
    notifier.stopping()
    assert systemd.heard() == ["READY=1\nSTATUS=parking works", "WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_socket_is_reached_by_its_sign() -> None:
    other_end = Systemd("\0lotgate-test-notify")
    ServiceNotifier({"NOTIFY_SOCKET": "@lotgate-test-notify"}).alive()
    assert other_end.heard() == ["WATCHDOG=1"]
    other_end.socket.close()


def test_the_watchdog_is_fed_at_half_its_time(notifier: ServiceNotifier) -> None:
    assert notifier.watchdog_interval_s == 0.05
    assert ServiceNotifier({}).watchdog_interval_s is None
    assert ServiceNotifier({"WATCHDOG_USEC": "soon"}).watchdog_interval_s is None


def test_nobody_who_listens_is_no_reason_to_end(tmp_path: Path) -> None:
    ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
    ServiceNotifier({}).alive()


class HangingWork:
    """Decides for ever."""

    async def decide(self, visit: Visit) -> Answered:
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        return await answer

    pay = decide

    def passed(self, visit: Visit | None) -> None: ...

    def backed_out(self, visit: Visit) -> None: ...


async def test_a_lane_that_decides_for_longer_than_it_may_feeds_no_watchdog_until_the_disk_is_the_reason(
    lot: LotAtWork, systemd: Systemd, notifier: ServiceNotifier
) -> None:
    runner = lot.runner(LaneKind.ENTRY, Arm(), HangingWork())
    heartbeat = Heartbeat(ledger=lot.ledger, runners=[runner], notifier=notifier, clock=lot.premises.clock)
    for levels in (DOWN, HERE):
        runner.contacts(levels, button=False)
    runner.present(Presented.button(None))
    lot.later(seconds=31)
    heartbeat.beat()
    assert systemd.heard() == [f"STATUS=parking works; 0 inside; {lot.ledger.backlog} records to upload"]
    lot.disk.fill()
    lot.log.tailgated("entry-1")
    heartbeat.beat()
    heard = systemd.heard()
    assert heard[0].startswith("STATUS=DEGRADED: database or disk is full")
    assert heard[1] == "WATCHDOG=1"


async def test_it_beats_by_itself_while_the_loop_turns(
    lot: LotAtWork, systemd: Systemd, notifier: ServiceNotifier
) -> None:
    heartbeat = Heartbeat(ledger=lot.ledger, runners=[], notifier=notifier, clock=lot.premises.clock)
    beating = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(0.28)
    beating.cancel()
    assert 4 <= systemd.heard().count("WATCHDOG=1") <= 7
