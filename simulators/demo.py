"""The whole thing on one machine: broker, PostGIS, centre, line, agent and lot as real processes, faults on schedule, a report at the end.

What happens, in order: the services start on free ports; the lot's gateway enrols; the cars that are inside at the start are taken over into
the ledger as an operator would do it in a full car park; the agent and the lot run. At one third the line is cut, in the middle of
the cut the agent is killed with -9 and started again, at two thirds the line is mended. Then nobody arrives any more; when all is quiet
and uploaded, what each side has on record is compared (simulators/report.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import token_hex

from parking.clock import CivilScale
from simulators.broker import Broker
from simulators.broker_tap import BrokerTap
from simulators.database import DatabaseCluster
from simulators.evidence import read_cloud, read_edge
from simulators.gateway_watch import GatewayState, GatewayWatch
from simulators.lot_files import DemoLot, LotFiles, write_lot
from simulators.lot_plan import read_plan
from simulators.lot_process import write_inside
from simulators.network import Direction, Flow, Line
from simulators.programs import Program, lotgate, run_once
from simulators.record import read_record
from simulators.report import DemoRun, Report, compare
from simulators.subscriber import Subscriber

SCALE_VARIABLE = "LOTGATE_CIVIL_SCALE"
RUSH_HOUR = datetime(2026, 11, 28, 12, 40, tzinfo=UTC)
START_S = 60.0
AHEAD_S = 20.0
ONE_SIDED_S = 2.0
QUIET_S = 120.0
DATABASE = "lotgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What was asked for: real seconds of traffic, civil seconds in a real one, the seed of the vehicles.

    `environment` is added to that of every process; `agent_failpoint` arms the agent's first life (tests of broken builds use both).
    """

    seconds: float = 60.0
    speed: float = 60.0
    seed: int = 1
    anchor_at: datetime = RUSH_HOUR
    cut_line: bool = True
    kill_agent: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a person can look while it runs."""

    console: str
    entry_kiosk: str
    exit_kiosk: str
    status_page: str


@dataclass(slots=True, kw_only=True)
class Progress:
    """What the terminal shows; the demo writes it, the view reads it."""

    stage: str = "starting"
    started_s: float | None = None
    line_up: bool = True
    agent_up: bool = False
    addresses: Addresses | None = None
    lot: Mapping[str, object] = field(default_factory=dict)
    backlog: int = 0
    acknowledged_seq: int = 0
    told: list[tuple[float, str]] = field(default_factory=list)


class Demo:
    """One run. `folder` takes everything it writes; `changed` is called when the progress is new."""

    def __init__(self, plan: DemoPlan, folder: Path, changed: Callable[[], None]) -> None:
        self.plan = plan
        self.progress = Progress()
        self._folder = folder
        self._changed = changed
        self._token = token_hex(16)
        self._cluster = DatabaseCluster(folder=folder / "postgres", durable=True)
        self._broker = Broker(folder)
        self._line_down: list[tuple[float, float]] = []
        self._kills = 0
        self._drain_s: float | None = None
        # Traffic is drawn from the anchor on: it lies ahead, so that all processes are up when it comes.
        self._scale = CivilScale(
            anchor_at=plan.anchor_at, anchor_monotonic=time.monotonic() + AHEAD_S, speed=plan.speed
        )

    async def run(self) -> Report:
        """Run it all and compare.

        Raises:
            ProgramEnded: a process ended that should run.
        """
        try:
            return await self._run()
        finally:
            await asyncio.to_thread(self._cluster.stop)
            self._broker.stop()

    async def _run(self) -> Report:
        self._tell("starting broker and database")
        await asyncio.gather(asyncio.to_thread(self._broker.start), asyncio.to_thread(self._start_database))
        tap = BrokerTap(broker_port=self._broker.port, monotonic=time.monotonic)
        await tap.start()
        cloud = self._program(
            "cloud", "cloud", "serve", "--port", "0", "--port-file", str(self._folder / "cloud.port")
        )
        programs = [cloud]
        try:
            await run_once(
                "migrate", lotgate("cloud", "migrate"), self._environment(), self._folder / "migrate.log"
            )
            await cloud.start()
            self._tell("starting the centre")
            cloud_port = int(await cloud.wait_for_file(self._folder / "cloud.port", START_S))
            line = Line("127.0.0.1", cloud_port)
            await line.start()
            try:
                return await self._with_line(line, tap, cloud_port, programs)
            finally:
                await line.stop()
        finally:
            for program in reversed(programs):
                await program.stop()
            await tap.stop()

    async def _with_line(
        self, line: Line, tap: BrokerTap, cloud_port: int, programs: list[Program]
    ) -> Report:
        files = write_lot(
            DemoLot(
                folder=self._folder / "lot",
                broker_port=tap.port,
                cloud_url=f"ws://127.0.0.1:{line.port}/api/v1/link",
                seed=self.plan.seed,
            )
        )
        self._tell("enrolling the gateway")
        await self._enrol(files, cloud_port)
        tickets = await self._take_over(files)
        agent = self._program("agent", "edge", "run", "--config", str(files.lot_toml))
        lot = self._program(
            "lot",
            "simulate",
            "--config",
            str(files.lot_toml),
            "--seed",
            str(self.plan.seed),
            "--tickets",
            str(tickets),
            "--record",
            str(files.record),
            "--orders",
            talks=True,
        )
        programs += [agent, lot]
        await agent.start()
        await agent.wait_for_file(files.api_port_file, START_S)
        await lot.start()
        await lot.wait_for("ready", START_S)
        self.progress.agent_up = True
        centre = f"http://127.0.0.1:{cloud_port}"
        self._open_doors(files, centre)
        watch = GatewayWatch(self._database_url(), files.lot_id)
        async with Subscriber(centre, self._token, files.lot_id) as subscriber, watch:
            await watch.wait_until(lambda state: state.acknowledged_seq > 0, START_S)
            await asyncio.sleep(max(0.0, self._scale.anchor_monotonic - time.monotonic()))
            showing = asyncio.create_task(self._show(lot, watch))
            try:
                await self._traffic(line, agent, files, watch)
                await self._come_to_rest(lot, files, watch)
            finally:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
            return await self._compare(files, tap, subscriber)

    # The acts

    async def _traffic(self, line: Line, agent: Program, files: LotFiles, watch: GatewayWatch) -> None:
        third_s = self.plan.seconds / 3
        self.progress.started_s = time.monotonic()
        self._tell("traffic")
        await asyncio.sleep(third_s)
        if self.plan.cut_line:
            await self._cut(line)
        await asyncio.sleep(max(0.0, 1.5 * third_s - (time.monotonic() - self.progress.started_s)))
        if self.plan.kill_agent:
            await self._kill(agent, files)
        remaining_s = 2 * third_s - (time.monotonic() - self.progress.started_s)
        await asyncio.sleep(max(0.0, remaining_s))
        draining = asyncio.create_task(self._mend(line, files, watch)) if self.plan.cut_line else None
        await asyncio.sleep(third_s)
        if draining is not None:
            await draining

    async def _cut(self, line: Line) -> None:
        """First the centre's answers are lost while the lot's words still arrive, as a dying line does it; then nothing passes."""
        self._line_down.append((time.monotonic(), float("inf")))
        self.progress.line_up = False
        self._tell("answers of the centre are lost")
        line.flow(Direction.DOWN, Flow.SWALLOW)
        await asyncio.sleep(ONE_SIDED_S)
        line.cut()
        self._tell("the line is cut")

    async def _kill(self, agent: Program, files: LotFiles) -> None:
        await agent.kill()
        self._kills += 1
        self.progress.agent_up = False
        self._tell("the agent is killed with -9")
        files.api_port_file.unlink(missing_ok=True)
        began_s = time.monotonic()
        await agent.start()
        await agent.wait_for_file(files.api_port_file, START_S)
        self.progress.agent_up = True
        self._tell(f"the agent serves again after {time.monotonic() - began_s:.1f} s")

    async def _mend(self, line: Line, files: LotFiles, watch: GatewayWatch) -> None:
        logged = await asyncio.to_thread(
            lambda: len(read_edge(files.lot_toml.with_name("ledger.sqlite")).log)
        )
        line.restore()
        mended_s = time.monotonic()
        self.progress.line_up = True
        self._tell(f"the line is back; {logged - watch.state.acknowledged_seq} records wait")
        await watch.wait_until(partial(_is_applied, logged), QUIET_S)
        drained_s = time.monotonic()
        self._drain_s = round(drained_s - mended_s, 3)
        cut_s, _ = self._line_down[-1]
        self._line_down[-1] = (cut_s, drained_s)
        self._tell(f"drained in {self._drain_s:.1f} s")

    async def _come_to_rest(self, lot: Program, files: LotFiles, watch: GatewayWatch) -> None:
        """Nobody arrives or sets off any more; who is at a lane goes through; then everything is uploaded."""
        self._tell("traffic ends")
        lot.tell(do="hold")
        await self._until(lambda: _at_rest(lot.heard), "cars are still at the lanes")
        ledger = files.lot_toml.with_name("ledger.sqlite")
        for _ in range(2):  # once for what the last car did, once for what followed from it
            logged = (await asyncio.to_thread(read_edge, ledger)).log[-1].seq
            await watch.wait_until(partial(_is_applied, logged), QUIET_S)
            await watch.wait_until_quiet(1.0, QUIET_S)

    async def _compare(self, files: LotFiles, tap: BrokerTap, subscriber: Subscriber) -> Report:
        self._tell("comparing")
        # In this order: what is read later can only hold more, and is never missed for having come in between.
        delivered = list(tap.delivered)
        truth = read_record(files.record)
        edge = await asyncio.to_thread(read_edge, files.lot_toml.with_name("ledger.sqlite"))
        cloud = await asyncio.to_thread(read_cloud, self._database_url(), files.lot_id)
        at_kiosks = sum(1 for line in truth if line["what"] == "answered" and int(str(line["status"])) >= 500)
        run = DemoRun(
            seconds=self.plan.seconds,
            speed=self.plan.speed,
            seed=self.plan.seed,
            link_cuts=len(self._line_down),
            agent_kills=self._kills,
            http_5xx=at_kiosks + subscriber.server_errors(),
            drain_seconds=self._drain_s,
            seen=subscriber.seen,
            line_down=self._line_down,
        )
        return compare(truth=truth, delivered=delivered, edge=edge, cloud=cloud, run=run)

    # The parts

    async def _enrol(self, files: LotFiles, cloud_port: int) -> None:
        code = await run_once(
            "invite",
            lotgate("cloud", "gateways", "invite", "--lot", files.lot_id),
            self._environment(),
            self._folder / "invite.log",
        )
        command = lotgate("edge", "enrol", "--config", str(files.lot_toml), "--code", code)
        command += ["--url", f"http://127.0.0.1:{cloud_port}"]
        await run_once("enrol", command, self._environment(), self._folder / "enrol.log")

    async def _take_over(self, files: LotFiles) -> Path:
        """The cars that are inside already become stays with tickets, by the command that an operator has for it."""
        inside, tickets = self._folder / "inside.csv", self._folder / "tickets.csv"
        environment = self._environment()
        write_inside(
            read_plan(files.lot_toml), self.plan.seed, self._scale, inside, self._scale.at(time.monotonic())
        )
        taking = lotgate("edge", "takeover", "--config", str(files.lot_toml))
        taking += ["--inside", str(inside), "--tickets", str(tickets)]
        await run_once("takeover", taking, environment, self._folder / "takeover.log")
        return tickets

    def _open_doors(self, files: LotFiles, centre: str) -> None:
        lot = f"http://127.0.0.1:{files.api_port_file.read_text().strip()}"
        self.progress.addresses = Addresses(
            console=f"{centre}/console?token={self._token}",
            entry_kiosk=f"{lot}/kiosk/entry-1?token={files.tokens['kiosk-entry-1']}",
            exit_kiosk=f"{lot}/kiosk/exit-1?token={files.tokens['kiosk-exit-1']}",
            status_page=f"{lot}/?token={files.tokens['staff']}",
        )
        self._changed()

    async def _show(self, lot: Program, watch: GatewayWatch) -> None:
        while True:
            status = [said for said in lot.heard if said.get("event") == "status"]
            self.progress.lot = status[-1] if status else {}
            self.progress.acknowledged_seq = watch.state.acknowledged_seq
            self.progress.backlog = watch.state.backlog
            self._changed()
            await asyncio.sleep(0.5)

    async def _until(self, holds: Callable[[], bool], why_not: str) -> None:
        until = time.monotonic() + QUIET_S
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError(f"after {QUIET_S:g} s {why_not}")
            await asyncio.sleep(0.2)

    def _program(self, name: str, *arguments: str, talks: bool = False) -> Program:
        return Program(
            name=name,
            command=lotgate(*arguments),
            environment=self._environment(),
            log=self._folder / f"{name}.log",
            talks=talks,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "LOTGATE_CLOUD_DATABASE_URL": self._database_url(),
            "LOTGATE_CLOUD_TOKENS": self._token,
            "LOTGATE_CLOUD_KEY_FILE": str(self._folder / "cloud.key"),
            "LOTGATE_CLOUD_POOL_MAX": "20",
            SCALE_VARIABLE: str(self._scale),
            **self.plan.environment,
        }

    def _start_database(self) -> None:
        self._cluster.start()
        self._cluster.create_database(DATABASE)

    def _database_url(self) -> str:
        return self._cluster.url(DATABASE)

    def _tell(self, what: str) -> None:
        self.progress.stage = what
        self.progress.told.append((time.monotonic(), what))
        self._changed()


def _is_applied(seq: int, state: GatewayState) -> bool:
    return state.acknowledged_seq >= seq


def _at_rest(heard: list[Mapping[str, object]]) -> bool:
    """Whether the last word of the lot says that nobody is at a lane and every reading is out."""
    status = next((said for said in reversed(heard) if said.get("event") == "status"), None)
    if status is None:
        return False
    queues = status.get("queues")
    waiting = sum(int(str(length)) for length in queues.values()) if isinstance(queues, Mapping) else 0
    return waiting == 0 and status.get("readings_waiting") == 0
