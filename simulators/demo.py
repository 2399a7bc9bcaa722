"""The whole thing on one machine: broker, PostGIS, centre, line, agent and lot as real processes, faults on schedule, a report at the end.

What happens, in order: the services start on free ports; the lot's gateway enrols; the cars that are inside at the start are taken over into
the ledger as an operator would do it in a full car park; the agent and the lot run. At one third the line is cut, in the middle of
the cut the agent is killed with -9 and started again, at two thirds the line is mended. Then nobody arrives any more; when all is quiet
and uploaded, what each side has on record is compared (simulators/report.py). Next file: simulators/demo_acts.py.

A process that ends unasked ends the demo, which then ends all others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from parking.clock import CivilScale
from simulators.agent_keeper import AgentKeeper
from simulators.broker import Broker
from simulators.broker_tap import BrokerTap
from simulators.database import DatabaseCluster
from simulators.demo_acts import DemoActs
from simulators.demo_news import RecordFollower
from simulators.demo_plan import Addresses, DemoPlan, Progress
from simulators.evidence import count_log, read_cloud, read_edge
from simulators.gateway_watch import GatewayWatch
from simulators.lot_files import DemoLot, LotFiles, write_lot
from simulators.lot_plan import read_plan
from simulators.lot_process import write_inside
from simulators.network import Line
from simulators.programs import Program, bound_to_us, lotgate, run_once
from simulators.record import read_record
from simulators.report import DemoRun, Report, compare
from simulators.subscriber import Subscriber

SCALE_VARIABLE = "LOTGATE_CIVIL_SCALE"
START_S = 180.0
LEAST_AHEAD_S = 8.0
AHEAD_OF_START = 2.5
"""Traffic is drawn from the anchor on, and the anchor lies so many times ahead as broker, database and schema took: all is up when it comes."""
SHOW_EVERY_S = 0.25
DATABASE = "lotgate"

_T = TypeVar("_T")


class Demo:
    """One run. `folder` takes everything it writes; `changed` is called when the progress is new."""

    def __init__(self, plan: DemoPlan, folder: Path, changed: Callable[[], None]) -> None:
        """Make the demo's own database server, which is to be `run`.

        Raises:
            DatabaseDidNotStart: no PostgreSQL is installed.
        """
        self.plan = plan
        self.progress = Progress(began_s=time.monotonic())
        self._folder = folder
        self._changed = changed
        self._token = token_hex(8)
        self._cluster = DatabaseCluster(durable=True)
        self._broker = Broker(folder, prefix=bound_to_us([]))
        self._scale = CivilScale(
            anchor_at=plan.anchor_at, anchor_monotonic=time.monotonic(), speed=plan.speed
        )

    async def run(self) -> Report:
        """Run it all and compare.

        Raises:
            ProgramEnded: a process ended that should run.
            BrokerFailed, DatabaseDidNotStart: a server did not start.
            TimeoutError: it does not come to rest.
        """
        try:
            return await self._run()
        finally:
            await _in_thread(self._cluster.stop)
            await _in_thread(self._broker.stop)

    async def _run(self) -> Report:
        self._tell("…", "starting broker and database")
        began_s = time.monotonic()
        await asyncio.gather(_in_thread(self._broker.start), _in_thread(self._start_database))
        tap = BrokerTap(broker_port=self._broker.port, monotonic=time.monotonic)
        await tap.start()
        try:
            await run_once(
                "migrate", lotgate("cloud", "migrate"), self._environment(), self._folder / "migrate.log"
            )
            ahead_s = max(LEAST_AHEAD_S, AHEAD_OF_START * (time.monotonic() - began_s))
            self._scale = CivilScale(
                anchor_at=self.plan.anchor_at,
                anchor_monotonic=time.monotonic() + ahead_s,
                speed=self.plan.speed,
            )
            return await self._with_centre(tap)
        finally:
            await tap.stop()

    async def _with_centre(self, tap: BrokerTap) -> Report:
        port_file = self._folder / "cloud.port"
        cloud = self._program("cloud", "cloud", "serve", "--port", "0", "--port-file", str(port_file))
        self._tell("…", "starting the centre")
        try:
            await cloud.start()
            cloud_port = int(await cloud.wait_for_file(port_file, START_S))
            line = Line("127.0.0.1", cloud_port)
            await line.start()
            try:
                return await _while(self._with_line(line, tap, cloud_port), cloud.fail_when_it_ends())
            finally:
                await line.stop()
        finally:
            await cloud.stop()

    async def _with_line(self, line: Line, tap: BrokerTap, cloud_port: int) -> Report:
        lot_of_cars = DemoLot(
            folder=self._folder / "lot",
            broker_port=tap.port,
            cloud_url=f"ws://127.0.0.1:{line.port}/api/v1/link",
            seed=self.plan.seed,
        )
        files = write_lot(lot_of_cars)
        self.progress.lot_name = lot_of_cars.name
        self._tell("…", "enrolling the gateway")
        await self._enrol(files, cloud_port)
        lot = self._lot(files, await self._take_over(files))
        keeper = AgentKeeper(
            agent=self._program("agent", "edge", "run", "--config", str(files.lot_toml)),
            port_file=files.api_port_file,
            failpoints=self.plan.agent_failpoints,
            start_s=START_S,
            told=self._agent_is,
        )
        try:
            return await _while(
                self._with_agent(files, lot, cloud_port, keeper=keeper, line=line, tap=tap), keeper.run()
            )
        finally:
            await lot.stop()
            await keeper.agent.stop()

    async def _with_agent(
        self,
        files: LotFiles,
        lot: Program,
        cloud_port: int,
        *,
        keeper: AgentKeeper,
        line: Line,
        tap: BrokerTap,
    ) -> Report:
        await keeper.serves()
        await lot.start()
        ready = await lot.wait_for("ready", START_S)
        self.progress.spaces = int(str(ready["places"]))
        centre = f"http://127.0.0.1:{cloud_port}"
        self._open_doors(files, centre)
        watch = GatewayWatch(self._cluster.url(DATABASE), files.lot_id)
        async with Subscriber(centre, self._token, files.lot_id) as subscriber, watch:
            acts = DemoActs(
                plan=self.plan,
                progress=self.progress,
                tell=self._tell,
                line=line,
                keeper=keeper,
                lot=lot,
                ledger=_ledger_of(files),
                watch=watch,
            )
            await _while(
                self._act(acts), lot.fail_when_it_ends(), self._show(files, lot, watch, tap, subscriber)
            )
            return await self._compare(files, tap, subscriber, acts)

    async def _act(self, acts: DemoActs) -> None:
        await acts.watch.wait_until(lambda state: state.acknowledged_seq > 0, START_S)
        ahead_s = self._scale.anchor_monotonic - time.monotonic()
        self._tell("…", f"all is up; cars come in {max(0.0, ahead_s):.0f} s")
        await asyncio.sleep(max(0.0, ahead_s))
        await acts.traffic()
        await acts.come_to_rest()

    async def _compare(
        self, files: LotFiles, tap: BrokerTap, subscriber: Subscriber, acts: DemoActs
    ) -> Report:
        self._tell("…", "comparing")
        # In this order: what is read later can only hold more, and is never missed for having come in between.
        delivered = list(tap.delivered)
        truth = await _in_thread(lambda: read_record(files.record))
        edge = await _in_thread(lambda: read_edge(acts.ledger))
        cloud = await _in_thread(lambda: read_cloud(self._cluster.url(DATABASE), files.lot_id))
        at_kiosks = sum(1 for line in truth if line["what"] == "answered" and int(str(line["status"])) >= 500)
        run = DemoRun(
            seconds=self.plan.seconds,
            speed=self.plan.speed,
            seed=self.plan.seed,
            link_cuts=len(acts.line_down),
            agent_kills=acts.keeper.kills,
            http_5xx=at_kiosks + subscriber.server_errors(),
            asked=subscriber.asked,
            drain_seconds=acts.drain_s,
            seen=subscriber.seen,
            line_down=acts.line_down,
        )
        report = await _in_thread(
            lambda: compare(truth=truth, delivered=delivered, edge=edge, cloud=cloud, run=run)
        )
        self.progress.done = True
        self._changed()
        return report

    # The parts

    async def _enrol(self, files: LotFiles, cloud_port: int) -> None:
        inviting = lotgate("cloud", "gateways", "invite", "--lot", files.lot_id)
        code = await run_once("invite", inviting, self._environment(), self._folder / "invite.log")
        enrolling = lotgate("edge", "enrol", "--config", str(files.lot_toml), "--code", code)
        enrolling += ["--url", f"http://127.0.0.1:{cloud_port}"]
        await run_once("enrol", enrolling, self._environment(), self._folder / "enrol.log")

    async def _take_over(self, files: LotFiles) -> Path:
        """The cars that are inside already become stays with tickets, by the command that an operator has for it."""
        inside, tickets = self._folder / "inside.csv", self._folder / "tickets.csv"
        now = self._scale.at(time.monotonic())
        write_inside(read_plan(files.lot_toml), self.plan.seed, self._scale, inside, now)
        taking = lotgate("edge", "takeover", "--config", str(files.lot_toml))
        taking += ["--inside", str(inside), "--tickets", str(tickets)]
        await run_once("takeover", taking, self._environment(), self._folder / "takeover.log")
        return tickets

    def _lot(self, files: LotFiles, tickets: Path) -> Program:
        arguments = ["simulate", "--config", str(files.lot_toml), "--seed", str(self.plan.seed)]
        arguments += ["--tickets", str(tickets), "--record", str(files.record), "--orders"]
        return self._program("lot", *arguments, talks=True)

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
            "LOTGATE_CLOUD_DATABASE_URL": self._cluster.url(DATABASE),
            "LOTGATE_CLOUD_TOKENS": self._token,
            "LOTGATE_CLOUD_KEY_FILE": str(self._folder / "cloud.key"),
            "LOTGATE_CLOUD_POOL_MAX": "20",
            SCALE_VARIABLE: str(self._scale),
            **self.plan.environment,
        }

    def _start_database(self) -> None:
        self._cluster.start(timeout_s=START_S)
        self._cluster.create_database(DATABASE)

    # What is shown

    def _open_doors(self, files: LotFiles, centre: str) -> None:
        lot = f"http://127.0.0.1:{files.api_port_file.read_text().strip()}"
        self.progress.addresses = Addresses(
            console=f"{centre}/console?token={self._token}",
            entry_kiosk=f"{lot}/kiosk/entry-1?token={files.tokens['kiosk-entry-1']}",
            exit_kiosk=f"{lot}/kiosk/exit-1?token={files.tokens['kiosk-exit-1']}",
            status_page=f"{lot}/?token={files.tokens['staff']}",
        )
        self._changed()

    async def _show(
        self, files: LotFiles, lot: Program, watch: GatewayWatch, tap: BrokerTap, subscriber: Subscriber
    ) -> None:
        follower, ledger = RecordFollower(files.record), _ledger_of(files)
        progress = self.progress
        while True:
            for line in follower.lines():
                progress.news.take(line, line_up=progress.line_up)
            status = next((said for said in reversed(lot.heard) if said.get("event") == "status"), None)
            progress.lot = status or {}
            state = watch.state
            progress.acknowledged_seq, progress.conflicts = state.acknowledged_seq, state.conflicts
            logged = await _in_thread(lambda: count_log(ledger))
            progress.backlog = max(0, logged - state.acknowledged_seq)
            progress.knew_ms = progress.news.known_after_ms(subscriber.seen)
            progress.readings_acknowledged = len(tap.delivered)
            progress.asked, progress.server_errors = subscriber.asked, subscriber.errors
            self._changed()
            await asyncio.sleep(SHOW_EVERY_S)

    def _agent_is(self, back_s: float | None) -> None:
        first = self.progress.addresses is None
        self.progress.agent_up = back_s is not None
        if back_s is None:
            self.progress.kills += 1
        elif not first:
            self.progress.back_s = back_s
            self._tell("✓", f"the agent serves again after {back_s:.1f} s")

    def _tell(self, mark: str, what: str) -> None:
        self.progress.stage = what
        self.progress.told.append((time.monotonic(), mark, what))
        self._changed()


def _ledger_of(files: LotFiles) -> Path:
    return files.lot_toml.with_name("ledger.sqlite")


async def _while(doing: Coroutine[object, object, _T], *watching: Coroutine[object, object, None]) -> _T:
    """Do something while others go on for ever; whichever of them fails first ends it."""
    main = asyncio.ensure_future(doing)
    others = [asyncio.ensure_future(each) for each in watching]
    try:
        await asyncio.wait({main, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (main, *others):
            each.cancel()
        await asyncio.gather(main, *others, return_exceptions=True)
    for each in others:
        if not each.cancelled():
            each.result()
    return main.result()


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Work in a thread to its end, also where the demo is to end meanwhile: a server that is starting is stopped once it is up."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
