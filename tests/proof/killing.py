"""The demo's lot, agent and centre as real processes, and a hand that kills one of them with -9 at moments that a seed draws."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from simulators.demo import START_S, Demo
from simulators.demo_acts import DemoActs
from simulators.demo_plan import DemoPlan
from simulators.demo_programs import DemoPrograms
from simulators.programs import Program

LONGEST_LIFE_S = 1.5
SHORTEST_LIFE_S = 0.05


class Mortal(Program):
    """A process whose death is part of the plan."""

    async def fail_when_it_ends(self) -> None:
        """Never."""
        await asyncio.get_running_loop().create_future()


@dataclass(slots=True, kw_only=True)
class MortalPrograms(DemoPrograms):
    """The demo's, but that the centre keeps its address over its lives."""

    centre_port: int
    centre: Program | None = None

    def program(self, name: str, *arguments: str, talks: bool = False) -> Program:
        """One of ours, see `DemoPrograms.program`."""
        made = DemoPrograms.program(self, name, *arguments, talks=talks)
        if name != "cloud":
            return made
        command = [str(self.centre_port) if word == "0" else word for word in made.command]
        self.centre = Mortal(name=name, command=command, environment=made.environment, log=made.log)
        return self.centre


class Killing(Demo):
    """A demo whose acts are kills, in the order of `victims`, each after a life whose length `draw` gives."""

    def __init__(self, plan: DemoPlan, folder: Path, victims: Sequence[str], draw: Random) -> None:
        super().__init__(plan, folder, lambda: None)
        self._victims = victims
        self._draw = draw
        made = self._programs
        self._mortals = MortalPrograms(
            plan=plan,
            folder=folder,
            token=made.token,
            cluster=made.cluster,
            scale=made.scale,
            provider=made.provider,
            centre_port=_free_port(),
        )
        self._programs = self._web.programs = self._mortals
        self.killed: dict[str, int] = {}

    async def _act(self, acts: DemoActs) -> None:
        await acts.watch.wait_until(lambda state: state.acknowledged_seq > 0, START_S)
        await asyncio.sleep(max(0.0, self._programs.scale.anchor_monotonic - time.monotonic()))
        for victim in self._victims:
            await asyncio.sleep(self._draw.uniform(SHORTEST_LIFE_S, LONGEST_LIFE_S))
            await (acts.keeper.kill() if victim == "agent" else self._kill_centre())
            self.killed[victim] = self.killed.get(victim, 0) + 1
        await acts.come_to_rest()

    async def _kill_centre(self) -> None:
        centre = self._mortals.centre
        assert centre is not None
        await centre.kill()
        port_file = self._folder / "cloud.port"
        port_file.unlink()
        await centre.start()
        await centre.wait_for_file(port_file, START_S)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
