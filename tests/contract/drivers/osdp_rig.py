"""Two card readers on one line, each with its own key."""

from __future__ import annotations

from pathlib import Path

from drivers.ports import CodeReading, Command, Reading, ShowSignal, Signal
from drivers.registry import make_driver
from simulators.wire.osdp_reader import OsdpReaderBus, SimulatedReader
from simulators.wire.pty import Pty

KEYS = {"north": bytes(range(1, 17)), "south": bytes(range(101, 117))}
FACILITY = 65


def card(number: int) -> int:
    """The word of a 26 bit card of `FACILITY`."""
    middle = FACILITY << 16 | number
    even = (middle >> 12).bit_count() % 2
    odd = 1 - (middle & 0xFFF).bit_count() % 2
    return even << 25 | middle << 1 | odd


class OsdpRig:
    """The reader "north" speaks. Noise on the line is told; what follows is understood."""

    rubbish = b"\x01\x02\xfe" * 40
    keeps_rubbish = True

    def __init__(self, folder: Path, **settings: object) -> None:
        self.north = SimulatedReader(5, KEYS["north"])
        self.south = SimulatedReader(6, KEYS["south"])
        self.pty = Pty(folder / "readers")
        self.wire = OsdpReaderBus(self.pty, [self.north, self.south])
        files = {name: folder / f"{name}.key" for name in KEYS}
        for name, file in files.items():
            file.write_text(KEYS[name].hex() + "\n")
        table = {
            "port": str(self.pty.link),
            "units": {"north": 5, "south": 6},
            "key_files": {name: str(file) for name, file in files.items()},
            "silent_ms": 1_000,
            "retry_ms": 500,
            **settings,
        }
        self.driver = make_driver("osdp_reader", "readers", table)
        self.command: Command | None = ShowSignal(device="north", signal=Signal.GRANTED)

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.north.present(card(word), 26)

    async def talk_rubbish(self) -> None:
        self.wire.rubbish(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        return isinstance(reading, CodeReading) and (reading.device, reading.text) == ("north", f"65,{word}")
