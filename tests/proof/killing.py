"""The demo's lot, agent and centre as real processes, and a hand that kills one of them with -9 at moments that a seed draws."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from simulators.demo import START_S, Demo
from simulators.demo_acts import DemoActs
from simulators.demo_plan import DemoPlan
from simulators.programs import Program

LONGEST_LIFE_S = 1.5
SHORTEST_LIFE_S = 0.05


class Mortal(Program):
    """A process whose death is part of the plan."""

    async def fail_when_it_ends(self) -> None:
        """Never."""
        await asyncio.get_running_loop().create_future()


class Killing(Demo):
    """A demo whose acts are kills, in the order of `victims`, each after a life whose length `draw` gives."""

    def __init__(self, plan: DemoPlan, folder: Path, victims: Sequence[str], draw: Random) -> None:
        super().__init__(plan, folder, lambda: None)
        self._victims = victims
        self._draw = draw
        self._centre_port = _free_port()
        self._centre: Program | None = None
        self.killed: dict[str, int] = {}

    def _program(self, name: str, *arguments: str, talks: bool = False) -> Program:
        """The centre keeps its address over its lives."""
        made = super()._program(name, *arguments, talks=talks)
        if name != "cloud":
            return made
        command = [str(self._centre_port) if word == "0" else word for word in made.command]
        self._centre = Mortal(name=name, command=command, environment=made.environment, log=made.log)
        return self._centre

    async def _act(self, acts: DemoActs) -> None:
        await acts.watch.wait_until(lambda state: state.acknowledged_seq > 0, START_S)
        await asyncio.sleep(max(0.0, self._scale.anchor_monotonic - time.monotonic()))
        for victim in self._victims:
            await asyncio.sleep(self._draw.uniform(SHORTEST_LIFE_S, LONGEST_LIFE_S))
            await (acts.keeper.kill() if victim == "agent" else self._kill_centre())
            self.killed[victim] = self.killed.get(victim, 0) + 1
        await acts.come_to_rest()

    async def _kill_centre(self) -> None:
        assert self._centre is not None
        await self._centre.kill()
        port_file = self._folder / "cloud.port"
        port_file.unlink()
        await self._centre.start()
        await self._centre.wait_for_file(port_file, START_S)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
