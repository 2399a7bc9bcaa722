"""Three relay boards on one bus; the first one's input 2, its arming loop, speaks."""

from __future__ import annotations

from pathlib import Path

from drivers.ports import Command, Input, InputReading, Move, MoveArm, Reading
from drivers.registry import make_driver
from simulators.wire.pty import Pty
from simulators.wire.relay_board import RelayBoard, RelayBoardBus

ARMING_LOOP, SAFETY_LOOP = 2, 3


class RelayRig:
    """Noise on a bus is passed over."""

    rubbish = b"\x01\x02\xff" * 40
    keeps_rubbish = False

    def __init__(self, folder: Path, **settings: object) -> None:
        self.pty = Pty(folder / "relays")
        self.wire = RelayBoardBus(self.pty, {1: RelayBoard(), 2: RelayBoard(), 3: RelayBoard()})
        table = {
            "port": str(self.pty.link),
            "baud": 115_200,
            "units": {"north": 1, "south": 2, "west": 3},
            "inputs": {"arm_down": 0, "arm_up": 1, "arming_loop": ARMING_LOOP, "safety_loop": SAFETY_LOOP},
            "lamps": {"full": 7},
            **settings,
        }
        self.driver = make_driver("modbus_relays", "boards", table)
        self.command: Command | None = MoveArm(device="north", move=Move.OPEN)

    def lose(self) -> None:
        self.wire.stop()

    def bring_back(self) -> None:
        self.wire.start()

    async def speak(self, word: int) -> None:
        self.wire.boards[1].inputs[ARMING_LOOP] = bool(word % 2)

    async def talk_rubbish(self) -> None:
        self.pty.write(self.rubbish)

    def said(self, reading: Reading, word: int) -> bool:
        return (
            isinstance(reading, InputReading)
            and reading.device == "north"
            and reading.closed[Input.ARMING_LOOP] is bool(word % 2)
        )
