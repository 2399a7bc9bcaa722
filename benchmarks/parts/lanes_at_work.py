"""Six lanes seen from their wires: barriers, readers and cameras of a lot whose agent is a process of its own, and cars that never stop.

A decision is measured here, outside the agent: from the moment at which the credential is on its wire (the first poll that tells of the button, the last
byte of the scan, the camera's request) to the moment at which the OPEN coil arrives.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Self

import aiomqtt
import httpx

from benchmarks.parts.big_lot import LANES, SPOTS, BigLot, device_of, lane_ids
from drivers.ports import Input, Move
from simulators.barrier import Barrier
from simulators.programs import Program, lotgate
from simulators.wire.modbus_barrier import ModbusBarrierBus
from simulators.wire.payment_terminal import PaymentTerminalWire
from simulators.wire.pty import Pty
from simulators.wire.serial_reader import SerialReaderWire

TRAVEL_S = 0.02
PATIENCE_S = 20.0
CAMERA_KEEPS_S = 0.05


class TimedBarrier(Barrier):
    """A barrier that notes when a credential was on the wire and when OPEN arrived."""

    def __init__(self) -> None:
        super().__init__(travel_s=TRAVEL_S)
        self.polls = 0
        self.moved = asyncio.Event()
        self.asked: tuple[str, float] | None = None
        self.decisions: list[tuple[str, float]] = []

    def inputs(self, now: float) -> Mapping[Input, bool]:
        """Answer a poll; the first one that tells of the button puts it on the wire."""
        self.polls += 1
        if self.button and self.asked is None:
            self.asked = ("button", time.perf_counter())
        return super().inputs(now)

    def command(self, move: Move, now: float) -> bool:
        """Take a coil."""
        if move is Move.OPEN and self.asked is not None:
            kind, asked_at = self.asked
            self.decisions.append((kind, (time.perf_counter() - asked_at) * 1_000))
            self.asked = None
        taken = super().command(move, now)
        self.moved.set()
        return taken

    async def seen(self, polls: int = 2) -> None:
        """Until what stands at the contacts now has been polled."""
        until = self.polls + polls
        async with asyncio.timeout(PATIENCE_S):
            while self.polls < until:  # noqa: ASYNC110 - a poll is the wire's, and nobody is told
                await asyncio.sleep(0.005)

    async def told(self, move: Move) -> None:
        """Until the last command is `move`."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.moves or self.moves[-1].move is not move:
                self.moved.clear()
                await self.moved.wait()


@dataclass(slots=True)
class Traffic:
    """What cars inside hold: tickets, or only their plates."""

    tickets: deque[str]
    plates: deque[str] = field(default_factory=deque)
    numbers: count[int] = field(default_factory=lambda: count(1))
    leaving: int = 0

    def is_anybody_leaving(self) -> bool:
        """Whether somebody who is inside drives to an exit now, and is not on his way to another."""
        if len(self.tickets) + len(self.plates) <= self.leaving:
            return False
        self.leaving += 1
        return True


class LanesAtWork:
    """The devices of one lot and the agent beside them. Use as an asynchronous context; `start_s` is how long the agent took to serve."""

    def __init__(
        self, lot: BigLot, tickets: list[str], *, broker_port: int | None = None, screens: bool = True
    ) -> None:
        """`tickets` are those of cars inside that may leave for nothing."""
        self.barriers = {lane: TimedBarrier() for lane in lane_ids()}
        self.agent = Program(
            name="agent",
            command=lotgate("edge", "run", "--config", str(lot.toml)),
            environment={},
            log=lot.folder / "agent.log",
        )
        self.start_s = 0.0
        self._lot = lot
        self._broker_port = broker_port
        self._screens = tuple(self.barriers) if screens else ()
        self._traffic = Traffic(deque(tickets))
        self._readers = {
            number: SerialReaderWire(Pty(lot.cable(f"reader-exit-{number}")))
            for number in range(1, LANES + 1)
        }
        self._terminals = [
            PaymentTerminalWire(Pty(lot.cable(f"terminal-{number}"))) for number in range(1, LANES + 1)
        ]
        self._buses = [
            ModbusBarrierBus(
                Pty(lot.cable(f"bus-{kind}")),
                {number: self.barriers[f"{kind}-{number}"] for number in range(1, LANES + 1)},
                monotonic=time.monotonic,
            )
            for kind in ("entry", "exit")
        ]
        self._stack = AsyncExitStack()
        self._beside: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Plug everything in and start the agent."""
        devices: list[ModbusBarrierBus | SerialReaderWire | PaymentTerminalWire] = [
            *self._buses,
            *self._readers.values(),
        ]
        for device in [*devices, *self._terminals]:
            device.start()
            self._stack.callback(device.stop)
        began = time.perf_counter()
        await self.agent.start()
        self._stack.push_async_callback(self.agent.stop)
        port = await self.agent.wait_for_file(self._lot.port_file, 60.0)
        self.start_s = time.perf_counter() - began
        self._api = await self._stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30.0)
        )
        self._beside = [asyncio.create_task(self._screen(lane)) for lane in self._screens]
        if self._broker_port is not None:
            self._beside.append(asyncio.create_task(self._sensors(self._broker_port)))
        await asyncio.gather(*(barrier.seen(3) for barrier in self.barriers.values()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the agent and pull all plugs."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._stack.aclose()

    async def work(self, go_on: Callable[[], bool]) -> None:
        """Let cars through all lanes for as long as `go_on` says so before each car."""
        async with asyncio.TaskGroup() as group:
            for lane in self.barriers:
                group.create_task(self._lane(lane, go_on))

    def decided(self) -> dict[str, list[float]]:
        """Take the milliseconds of every decision since the last time this was asked, by kind."""
        found: dict[str, list[float]] = {}
        for barrier in self.barriers.values():
            for kind, took_ms in barrier.decisions:
                found.setdefault(kind, []).append(took_ms)
            barrier.decisions.clear()
        return found

    def count(self) -> int:
        """How many decisions there were."""
        return sum(len(barrier.decisions) for barrier in self.barriers.values())

    async def _lane(self, lane: str, go_on: Callable[[], bool]) -> None:
        barrier = self.barriers[lane]
        turn = 0
        while go_on():
            turn += 1
            if lane.startswith("exit") and not self._traffic.is_anybody_leaving():
                await barrier.seen()
                continue
            barrier.arming_loop(1)
            await barrier.seen()
            await (self._ask_in if lane.startswith("entry") else self._ask_out)(lane, barrier, turn)
            await barrier.told(Move.OPEN)
            barrier.button = False
            await barrier.seen()
            barrier.safety_loop(1, time.monotonic())
            await barrier.seen()
            barrier.arming_loop(0)
            barrier.safety_loop(0, time.monotonic())
            await barrier.told(Move.CLOSE)
            await barrier.seen(3)

    async def _ask_in(self, lane: str, barrier: TimedBarrier, turn: int) -> None:
        if turn % 2 and self._traffic.tickets:  # as many go in with a ticket as come out with one
            barrier.button = True
            return
        plate = f"B-LG {next(self._traffic.numbers)}"
        await self._camera(lane, barrier, plate)
        self._traffic.plates.append(plate)

    async def _ask_out(self, lane: str, barrier: TimedBarrier, turn: int) -> None:
        if self._traffic.plates and (turn % 2 or not self._traffic.tickets):
            self._traffic.leaving -= 1
            await self._camera(lane, barrier, self._traffic.plates.popleft())
            return
        self._traffic.leaving -= 1
        text = self._traffic.tickets.popleft()
        barrier.asked = ("ticket", time.perf_counter())
        self._readers[int(lane[-1])].scan(text)

    async def _camera(self, lane: str, barrier: TimedBarrier, plate: str) -> None:
        barrier.asked = ("plate", time.perf_counter())
        answer = await self._api.post(
            f"/api/v1/lanes/{lane}/plate",
            json={"plate": plate, "confidence": 0.97},
            headers={"Authorization": f"Bearer {self._lot.tokens[f'camera-{lane}']}"},
        )
        assert answer.status_code == 202, answer.text
        await asyncio.sleep(CAMERA_KEEPS_S)

    async def _screen(self, lane: str) -> None:
        """A kiosk whose screen is on, as its page listens."""
        headers = {"Authorization": f"Bearer {self._lot.tokens[f'kiosk-{lane}']}"}
        with suppress(httpx.HTTPError):
            async with self._api.stream(
                "GET", f"/api/v1/lanes/{lane}/stream?screen=en", headers=headers, timeout=None
            ) as stream:
                async for _ in stream.aiter_bytes():
                    pass

    async def _sensors(self, port: int) -> None:
        """Twenty readings a second, as from 500 places of a busy lot."""
        async with aiomqtt.Client("127.0.0.1", port) as client:
            for number in count():
                device = device_of(1 + number * 7 % SPOTS)
                body = {"device": device, "occupied": number // SPOTS % 2 == 0, "key": f"k{number}"}
                await client.publish(f"spots/{device}", json.dumps(body), qos=1)
                await asyncio.sleep(0.05)
