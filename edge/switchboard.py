"""Finds the driver behind a device, for whoever has a command for it: lanes, payments. Next file: drivers/supervisor.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.ports import Command, Done, Move, MoveArm, Push
from drivers.supervisor import Supervisor
from edge.settings import DriverSettings

SIGN = "sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneArm:
    """The wire to one lane's controller: finds the driver that has it."""

    device: str
    ask: Callable[[str, Command, float], Awaitable[Done]]

    async def move(self, move: Move, *, timeout_s: float) -> None:
        """Tell the controller, see `edge.lane_ports.Arm`."""
        await self.ask(self.device, MoveArm(device=self.device, move=move), timeout_s)


class Switchboard:
    """Finds the driver behind a device. Lanes are made before drivers, so the wires are connected last."""

    def __init__(self) -> None:
        self._by_device: dict[str, Supervisor] = {}
        self._signs: tuple[str, ...] = ()

    def connect(self, at_work: Sequence[tuple[DriverSettings, Supervisor]]) -> None:
        """Learn which driver has which device: a barrier unit by the table of its bus, a terminal by its driver's name."""
        self._by_device.clear()
        self._signs = tuple(driver.name for driver, _ in at_work if driver.kind == SIGN)
        for driver, supervisor in at_work:
            self._by_device[driver.name] = supervisor
            units = driver.own.get("units")
            for unit in units if isinstance(units, Mapping) else ():
                self._by_device[str(unit)] = supervisor

    def signs(self) -> tuple[str, ...]:
        """The signs that are at work."""
        return self._signs

    async def ask(self, device: str, command: Command, timeout_s: float) -> Done:
        """Carry a command to the device's driver.

        Raises:
            DriverError: as `drivers.ports.Driver.command`.
        """
        supervisor = self._by_device.get(device)
        if supervisor is None:
            raise DeviceUnreachable(f"no driver has a device {device}")
        return await supervisor.command(command, timeout_s=timeout_s)

    async def ask_terminal(self, command: Command, timeout_s: float) -> Done:
        """The same, by the device that the command names."""
        return await self.ask(command.device, command, timeout_s)

    async def push(self, device: str, push: Push) -> None:
        """Hand what a device sent by HTTP to its driver.

        Raises:
            DriverError: as `drivers.ports.PushedDriver.push`.
        """
        supervisor = self._by_device.get(device)
        if supervisor is None:
            raise CommandRefused(f"no driver is called {device}")
        await supervisor.push(push)
