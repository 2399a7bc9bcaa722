"""The real agent (`lotgate edge run`) among its devices: a lot's day on real cables, a real broker and a real disk."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest_asyncio

from drivers.ports import Move
from sync.events import EventKind
from tests.integration.edge.agent_site import IN, OUT, Site, site_at


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(tmp_path) as found:
        yield found


async def test_a_walk_in_by_button_takes_a_ticket_pays_and_leaves_though_the_broker_died(site: Site) -> None:
    await site.sense("sensor-1", occupied=True)
    await asyncio.to_thread(site.broker.kill)
    ticket = await site.ticket()
    assert [body["stay"]["state"] for body in site.log(EventKind.STAY_ADMITTED, EventKind.STAY_ENTERED)] == [
        "admitted",
        "inside",
    ]
    price = (await site.owes(ticket))["price"]
    assert (price["total_minor"], [line["amount_minor"] for line in price["lines"]]) == (300, [300])
    assert site.moves(OUT) == []
    assert await site.post(OUT, "pay") == 202
    paid = await site.shows(OUT, "paid")
    assert paid["payment"]["receipt_text"].startswith("LG1:")
    await site.passes(OUT)
    assert site.terminal.taken_minor == 300
    assert site.payments() == ["pending", "completed"]
    assert len(site.log(EventKind.STAY_LEFT)) == 1
    assert site.moves(IN) == site.moves(OUT) == [Move.OPEN, Move.CLOSE]
    assert (await site.view(IN))["sellable_total"] == 3


async def test_a_plate_comes_in_once_backs_out_and_leaves_no_stay(site: Site) -> None:
    plate = {"plate": "AB12 CDE", "confidence": 0.9}
    assert await site.post(IN, "plate", plate, by="camera") == 202  # read before the car is on the loop
    await site.arrives(IN)
    await site.opens(IN)
    (stay,) = site.log(EventKind.STAY_ADMITTED)
    assert "AB12" not in repr(stay)
    site.gate_in.arming_loop(0)
    await site.until(lambda: site.log(EventKind.STAY_VOIDED))
    await site.until(lambda: site.moves(IN) == [Move.OPEN, Move.CLOSE])
    await site.shows(IN, "idle")
    assert (await site.view(IN))["sellable_total"] == 3


async def test_a_plate_leaves_by_the_camera_and_a_strangers_opens_nothing(site: Site) -> None:
    plate = {"plate": "AB12 CDE", "confidence": 0.9}
    await site.arrives(IN)
    await site.post(IN, "plate", plate, by="camera")
    await site.passes(IN)
    await site.arrives(OUT)
    await site.post(OUT, "plate", {"plate": "ZZ99 ZZZ", "confidence": 0.9}, by="camera")
    await site.shows(OUT, "idle")
    assert site.moves(OUT) == []
    await site.post(OUT, "plate", plate, by="camera")
    await site.shows(OUT, "price")
    await site.post(OUT, "pay")
    await site.passes(OUT)


async def test_a_declined_card_is_said_and_the_receipt_of_the_next_opens(site: Site) -> None:
    ticket = await site.ticket()
    site.terminal.decline = True
    await site.owes(ticket)
    await site.post(OUT, "pay")
    await site.shows(OUT, "declined")
    site.terminal.decline = False
    await site.post(OUT, "pay")
    receipt = (await site.shows(OUT, "paid"))["payment"]["receipt_text"]
    await site.opens(OUT)
    site.gate_out.arming_loop(0)  # turns round for something forgotten
    await site.shows(OUT, "idle")
    await site.arrives(OUT)
    site.reader.scan(receipt)
    await site.passes(OUT)
    assert len(site.terminal.records) == 2
    assert site.payments() == ["pending", "failed", "pending", "completed"]


async def test_a_terminal_that_is_pulled_out_while_it_takes_the_money_charges_once(site: Site) -> None:
    ticket = await site.ticket()
    site.terminal.think_s = 0.4
    await site.owes(ticket)
    await site.post(OUT, "pay")
    await site.until(lambda: site.terminal.customers)
    site.terminal.stop()
    view = await site.shows(OUT, "declined")
    assert view["called_at"] is not None
    fault = (await site.status())["faults"][0]
    assert fault["waiting"]
    assert "does not say whether it took the money" in fault["title"]
    site.terminal.start()
    await site.until(lambda: site.payments() == ["pending", "completed"])
    site.reader.scan(ticket)
    await site.passes(OUT)
    assert site.terminal.taken_minor == 300
    assert (await site.view(OUT))["called_at"] is None


async def test_a_power_cut_while_the_terminal_takes_the_money_charges_once(site: Site) -> None:
    ticket = await site.ticket()
    site.terminal.think_s = 0.3
    await site.owes(ticket)
    await site.post(OUT, "pay")
    await site.until(lambda: site.terminal.customers)
    await site.agent.kill()
    await site.until(lambda: not site.terminal.customers)
    site.gate_out.arming_loop(0)
    await site.start()
    await site.until(lambda: site.payments() == ["pending", "completed"])
    await site.arrives(OUT)
    site.reader.scan(ticket)
    await site.passes(OUT)
    assert site.terminal.taken_minor == 300


async def test_an_arm_that_sticks_and_a_controller_that_is_gone_call_a_person(site: Site) -> None:
    await site.arrives(IN)
    site.gate_in.fault = True  # refuses every move
    await site.post(IN, "button", {"spot_type": "regular"})
    await site.until(lambda: site.log(EventKind.OVERRIDE))
    status = await site.status()
    assert (
        status["faults"][0]["title"]
        == "entry-1: The arm did not reach the top in 3 s. Its motor was stopped."
    )
    site.gate_in.fault = False
    staff = {"by": "A. Attendant", "reason": "the arm was stuck"}
    assert await site.post(IN, "open", staff, by="staff") == 202
    await site.passes(IN)
    assert [body["action"] for body in site.log(EventKind.OVERRIDE)] == ["help_called", "open"]
    site.bus.stop()
    await site.shows(OUT, "arm_fault")
    lost = [fault["title"] for fault in (await site.status())["faults"]]
    assert "exit-1: The barrier's controller does not answer." in lost
    site.bus.start()
    await site.until(lambda: site.screens("idle", "idle"))
    assert (await site.status())["faults"] == []


async def test_a_tailgater_is_told_and_the_arm_never_comes_down_on_it(site: Site) -> None:
    await site.arrives(IN)
    await site.post(IN, "button", {"spot_type": "regular"})
    await site.opens(IN)
    site.gate_in.safety_loop(1, time.monotonic())
    await asyncio.sleep(0.2)
    site.gate_in.safety_loop(0, time.monotonic())
    await site.until(lambda: Move.CLOSE in site.moves(IN))
    site.gate_in.safety_loop(1, time.monotonic())
    await site.until(lambda: site.moves(IN) == [Move.OPEN, Move.CLOSE, Move.OPEN])
    site.gate_in.arming_loop(0)
    site.gate_in.safety_loop(0, time.monotonic())
    await site.shows(IN, "idle")
    assert not any(record.drove_down_on_a_vehicle(0.3) for record in site.gate_in.moves)
    assert [body["action"] for body in site.log(EventKind.OVERRIDE)] == ["tailgated"]


async def test_a_ticket_of_a_lost_ledger_is_priced_and_lets_out(site: Site) -> None:
    ticket = await site.ticket()
    await site.agent.stop()
    for path in site.folder.glob("ledger.sqlite*"):
        path.unlink()
    await site.start()
    assert (await site.owes(ticket))["price"]["total_minor"] == 300
    await site.post(OUT, "pay")
    await site.passes(OUT)
    assert len(site.log(EventKind.STAY_LEFT)) == 1


async def test_a_full_lot_refuses_tells_twenty_presses_as_one(
    tmp_path: Path,
) -> None:
    async with site_at(tmp_path) as site:
        for _ in range(3):
            await site.ticket()
        await site.arrives(IN)
        await site.post(IN, "button")
        full = await site.shows(IN, "full")
        assert full["until_at"] is not None
        assert full["refusal"]["reason"] == "full"
        for _ in range(20):
            await site.post(IN, "button")
        await site.agent.stop()
        assert [body["times"] for body in site.log(EventKind.ADMISSION_REFUSED)] == [1, 20]
        assert site.agent.status == 0


async def test_outside_its_opening_hours_the_entry_says_when_it_opens_and_the_exit_works(
    tmp_path: Path,
) -> None:
    day = datetime.now(ZoneInfo("Europe/London")).date() + timedelta(days=2)
    weekday = day.strftime("%a").lower()
    async with site_at(tmp_path, hours=f'opening_hours = {{ {weekday} = ["09:00", "17:00"] }}') as site:
        await site.arrives(IN)
        await site.post(IN, "button")
        closed = await site.shows(IN, "closed")
        opens_at = datetime.fromisoformat(closed["until_at"]).astimezone(ZoneInfo("Europe/London"))
        assert (opens_at.date(), opens_at.hour) == (day, 9)
        await site.arrives(OUT)
        site.reader.scan("somebody else's ticket")
        await site.passes(OUT)


async def test_a_full_disk_lets_nobody_in_and_everybody_out_and_ends_by_itself(tmp_path: Path) -> None:
    async with site_at(tmp_path, start=False) as site:
        site.agent.log = Path(
            "/dev/null"
        )  # the limit below would stop the log too; under systemd it is a socket
        await site.start()
        ticket = await site.ticket()
        pid = site.agent.pid
        assert pid is not None
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
        await site.arrives(IN)
        await site.post(IN, "button")
        refused = await site.shows(IN, "refused")
        assert refused["reason"] == "not_storing"
        assert (await site.status())["faults"][0]["stops"]
        await site.arrives(OUT)
        site.reader.scan(ticket)
        await site.passes(OUT)
        assert site.terminal.records == {}
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        await site.until(lambda: site.log(EventKind.STAY_LEFT))
        await site.post(IN, "button")
        await site.passes(IN)


async def test_the_agent_starts_on_a_disk_that_takes_nothing_and_lets_everybody_out(tmp_path: Path) -> None:
    async with site_at(tmp_path) as site:
        ticket = await site.ticket()
        await site.agent.stop()
        site.agent.log = Path("/dev/null")
        site.agent.command = ["prlimit", "--fsize=4096:unlimited", *site.agent.command]
        await site.start()
        await site.arrives(OUT)
        site.reader.scan(ticket)
        await site.passes(OUT)
        assert "STATUS=DEGRADED" in "".join(site.systemd.heard())


async def test_systemd_hears_ready_and_a_beat_while_the_loop_turns_and_sigterm_ends_in_order(
    site: Site,
) -> None:
    await asyncio.sleep(1.2)
    heard = site.systemd.heard()
    assert heard[0].startswith("READY=1\nSTATUS=parking works; 0 inside")
    assert heard.count("WATCHDOG=1") >= 2
    pid = site.agent.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # a loop that does not turn
    site.systemd.heard()
    await asyncio.sleep(1.2)
    assert site.systemd.heard() == []
    os.kill(pid, signal.SIGCONT)
    await site.until(lambda: "WATCHDOG=1" in site.systemd.heard())
    await site.agent.stop()
    assert site.agent.status == 0
    assert "STOPPING=1" in site.systemd.heard()
    log = (site.folder / "agent.log").read_text()
    assert "Traceback" not in log
    assert "never retrieved" not in log
