"""A card reader at a real agent's lane: its light follows what the lane answers, and a reader without power is a fault on the status page."""

from __future__ import annotations

from pathlib import Path

from osdp import Command, CommandLEDColor

from simulators.wire.osdp_reader import OsdpReaderBus, SimulatedReader
from simulators.wire.pty import Pty
from tests.contract.drivers.osdp_rig import card
from tests.integration.edge.agent_site import IN, Site, site_at

KEY = bytes(range(1, 17))
DRIVER = """
[drivers.cards]
kind = "osdp_reader"
port = "{port}"
units = {{ card-in = 5 }}
silent_ms = 1000
[drivers.cards.key_files]
card-in = "{key}"
"""


def wired(folder: Path, reader: SimulatedReader) -> OsdpReaderBus:
    """Put the reader at the entry lane, in the lot's file and on its cable."""
    lot, key = folder / "lot.toml", folder / "card-in.key"
    key.write_text(KEY.hex())
    text = lot.read_text().replace('barrier = "gate-in"', 'barrier = "gate-in"\nreader = "card-in"')
    lot.write_text(text + DRIVER.format(port=folder / "cards", key=key))
    wire = OsdpReaderBus(Pty(folder / "cards"), [reader])
    wire.start()
    return wire


def lights(reader: SimulatedReader) -> list[object]:
    return [told["on_color"] for told in reader.commands if told["command"] == Command.LED]


async def has_fault(site: Site, title: str) -> bool:
    return title in [fault["title"] for fault in (await site.status())["faults"]]


async def test_a_readers_light_follows_the_lane_and_its_silence_is_a_fault(tmp_path: Path) -> None:
    reader = SimulatedReader(5, KEY)
    async with site_at(tmp_path, start=False) as site:
        wire = wired(tmp_path, reader)
        try:
            await site.start()
            await site.until(lambda: reader.is_secure)

            await site.arrives(IN)
            assert reader.present(card(77), 26)
            await site.until(lambda: CommandLEDColor.Red in lights(reader))
            assert site.moves(IN) == [], "a card that nobody knows opens nothing"

            site.gate_in.button = True
            await site.until(lambda: CommandLEDColor.Green in lights(reader))
            site.gate_in.button = False
            await site.passes(IN)

            reader.muted = True
            await site.until(lambda: has_fault(site, "card-in does not answer"))
            reader.muted = False
            await site.until(lambda: reader.is_secure)
        finally:
            wire.stop()
