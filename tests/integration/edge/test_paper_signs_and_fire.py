"""A real agent with a ticket printer, a sign and the house's relay board: paper, what the sign shows, and the fire alarm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.ports import Condition, Move
from drivers.sign.framing import FrameSettings
from simulators.wire.escpos_printer import EscposPrinterWire
from simulators.wire.pty import Pty
from simulators.wire.relay_board import RelayBoard, RelayBoardBus
from simulators.wire.sign import SerialSignWire
from tests.integration.edge.agent_site import IN, OUT, Site, site_at

FIRE_ALARM = 7
DRIVERS = """
[drivers.printer-in]
kind = "ticket_printer"
port = "{folder}/printer"
baud = 115200
ask_every_s = 0.2
[drivers.sign]
kind = "sign"
over = "serial"
port = "{folder}/sign"
baud = 115200
answers = "ack"
words = {{ zero = "FULL" }}
outputs = [{{ shows = "free", at = "1" }}, {{ shows = "spot:1", at = "2" }}]
[drivers.house]
kind = "modbus_relays"
port = "{folder}/house"
baud = 115200
units = {{ house = 1 }}
inputs = {{ fire_alarm = 7 }}
known_ms = 1000
answer_ms = 200
"""


class House:
    """What stands beside the lanes."""

    def __init__(self, folder: Path) -> None:
        self.printer = EscposPrinterWire(Pty(folder / "printer"))
        self.sign = SerialSignWire(Pty(folder / "sign"), FrameSettings())
        self.board = RelayBoard()
        self.bus = RelayBoardBus(Pty(folder / "house"), {1: self.board})

    def start(self) -> None:
        for device in (self.printer, self.sign, self.bus):
            device.start()

    def stop(self) -> None:
        for device in (self.printer, self.sign, self.bus):
            device.stop()


@pytest.fixture
async def house_and_site(tmp_path: Path) -> AsyncIterator[tuple[House, Site]]:
    house = House(tmp_path)
    async with site_at(tmp_path, start=False) as site:
        lot = (tmp_path / "lot.toml").read_text()
        lot = lot.replace('barrier = "gate-in"\n', 'barrier = "gate-in"\nprinter = "printer-in"\n')
        (tmp_path / "lot.toml").write_text(lot + DRIVERS.format(folder=tmp_path))
        house.start()
        await site.start()
        yield house, site
    house.stop()


async def titles(site: Site) -> list[str]:
    return [fault["title"] for fault in (await site.status())["faults"]]


async def test_paper_for_the_driver_places_on_the_sign_and_every_arm_up_in_a_fire(
    house_and_site: tuple[House, Site],
) -> None:
    house, site = house_and_site
    await site.until(lambda: house.sign.shown.get("1") == "  3")
    assert house.sign.shown["2"] == "---", "no sensor has spoken yet"

    ticket = await site.ticket()
    assert [slip.codes for slip in house.printer.slips] == [[ticket]]
    await site.until(lambda: house.sign.shown["1"] == "  2")
    await site.sense("sensor-1", occupied=True)
    await site.until(lambda: house.sign.shown["2"] == "1")

    house.printer.becomes(Condition.PAPER_OUT)

    async def it_is_told() -> bool:
        return any("no paper" in title for title in await titles(site))

    await site.until(it_is_told)
    await site.arrives(IN)
    assert await site.post(IN, "button") == 202
    shown = await site.shows(IN, "ticket")
    assert shown["ticket"]["printed"] is False
    await site.passes(IN)
    assert len(house.printer.slips) == 1

    house.board.inputs[FIRE_ALARM] = True
    for lane in (IN, OUT):
        await site.opens(lane)
    assert set(site.moves(OUT)) == {Move.OPEN}
    assert "Fire alarm" in await titles(site)
    house.board.inputs[FIRE_ALARM] = False
    await site.until(lambda: site.moves(OUT)[-1] is Move.CLOSE)
    await site.until(lambda: site.screens("idle", "idle"))
