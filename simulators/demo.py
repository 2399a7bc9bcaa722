"""The whole thing on one machine: broker, PostGIS, provider, centre, line, agent, lot as real processes, faults on schedule, a report at the end.

What happens, in order: the services start on free ports; the lot's gateway enrols; the cars that are inside at the start are taken over into
the ledger as an operator would do it in a full car park; the agent and the lot run, and drivers book on the web. At one third the line is cut,
between the lot's vote on a booking and the decision's telling; its driver comes with the pass; in the middle of the cut the agent is killed with -9
and started again; at two thirds the line is mended. At the end nobody arrives any more; when all is quiet and uploaded, what each side has on
record is compared (simulators/report.py). Next file: simulators/demo_acts.py.

A process that ends unasked ends the demo, which then ends all others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

from parking.clock import CivilScale
from simulators.agent_keeper import AgentKeeper
from simulators.broker import Broker
from simulators.broker_tap import BrokerTap
from simulators.database import DatabaseCluster
from simulators.decision_cut import DecisionCut
from simulators.demo_acts import DemoActs
from simulators.demo_news import RecordFollower
from simulators.demo_plan import Addresses, DemoPlan, Progress
from simulators.demo_programs import DATABASE, DemoPrograms
from simulators.demo_provider import DemoProvider
from simulators.demo_tasks import doing_while, in_thread
from simulators.demo_web import DemoWeb
from simulators.evidence import count_doubts, count_log, read_cloud, read_edge
from simulators.gateway_watch import GatewayWatch
from simulators.lot_files import DemoLot, LotFiles, write_lot
from simulators.network import Line
from simulators.programs import Program, bound_to_us
from simulators.record import read_record
from simulators.report import DemoRun, Report, compare
from simulators.subscriber import Subscriber

START_S = 180.0
LEAST_AHEAD_S = 12.0
AHEAD_OF_START = 2.0
"""Traffic is drawn from the anchor on, and the anchor lies so many times ahead as broker, database and schema took: all is up when it comes."""
SHOW_EVERY_S = 0.25


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
        self._cluster = DatabaseCluster(durable=True)
        self._broker = Broker(folder, prefix=bound_to_us([]))
        self._provider = DemoProvider(folder, plan.seed)
        self._cut = DecisionCut()
        self._programs = DemoPrograms(
            plan=plan,
            folder=folder,
            token=token_hex(8),
            cluster=self._cluster,
            scale=self._scale_in(0.0),
            provider=self._provider,
        )
        self._web = DemoWeb(
            programs=self._programs, provider=self._provider, news=self.progress.web, tell=self._tell
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
            await in_thread(self._cluster.stop)
            await in_thread(self._broker.stop)

    async def _run(self) -> Report:
        self._tell("…", "starting broker and database")
        began_s = time.monotonic()
        await asyncio.gather(in_thread(self._broker.start), in_thread(self._start_database))
        tap = BrokerTap(broker_port=self._broker.port, monotonic=time.monotonic)
        await tap.start()
        try:
            await self._programs.migrate()
            ahead_s = max(LEAST_AHEAD_S, AHEAD_OF_START * (time.monotonic() - began_s))
            self._programs.scale = self._scale_in(ahead_s)
            return await self._with_provider(tap)
        finally:
            await tap.stop()

    async def _with_provider(self, tap: BrokerTap) -> Report:
        try:
            await self._provider.start(self._programs.environment(), START_S)
            return await doing_while(self._with_centre(tap), self._provider.fail_when_it_ends())
        finally:
            await self._provider.stop()

    async def _with_centre(self, tap: BrokerTap) -> Report:
        port_file = self._folder / "cloud.port"
        cloud = self._programs.program(
            "cloud", "cloud", "serve", "--port", "0", "--port-file", str(port_file)
        )
        self._tell("…", "starting the centre")
        try:
            await cloud.start()
            cloud_port = int(await cloud.wait_for_file(port_file, START_S))
            await self._provider.tell_centre(f"http://127.0.0.1:{cloud_port}")
            line = Line("127.0.0.1", cloud_port, filters=self._cut.filters)
            await line.start()
            try:
                return await doing_while(self._with_line(line, tap, cloud_port), cloud.fail_when_it_ends())
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
        self._web.lot_id = files.lot_id
        self._tell("…", "enrolling the gateway")
        await self._programs.enrol(files, cloud_port)
        tickets, _ = await asyncio.gather(self._programs.take_over(files), self._programs.put_tariff(files))
        lot = self._programs.lot(files, tickets)
        keeper = AgentKeeper(
            agent=self._programs.program("agent", "edge", "run", "--config", str(files.lot_toml)),
            port_file=files.api_port_file,
            failpoints=self.plan.agent_failpoints,
            start_s=START_S,
            told=self._agent_is,
        )
        try:
            return await doing_while(
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
        watch = GatewayWatch(self._programs.centre_s_database, files.lot_id)
        subscriber = Subscriber(centre, self._programs.token, files.lot_id)
        async with subscriber, watch, self._web.traffic(files, lot, centre) as web:
            acts = DemoActs(
                plan=self.plan,
                progress=self.progress,
                tell=self._tell,
                line=line,
                cut=self._cut,
                web=web,
                keeper=keeper,
                lot=lot,
                ledger=_ledger_of(files),
                watch=watch,
            )
            await doing_while(
                self._act(acts), lot.fail_when_it_ends(), self._show(files, lot, watch, tap, subscriber)
            )
            return await self._compare(files, tap, subscriber, acts)

    async def _act(self, acts: DemoActs) -> None:
        await acts.watch.wait_until(lambda state: state.acknowledged_seq > 0, START_S)
        ahead_s = self._programs.scale.anchor_monotonic - time.monotonic()
        self._tell("…", f"all is up; cars come in {max(0.0, ahead_s):.0f} s")
        await asyncio.sleep(max(0.0, ahead_s))
        await acts.traffic()
        await acts.come_to_rest()
        await self._web.settled(acts.ledger)

    async def _compare(
        self, files: LotFiles, tap: BrokerTap, subscriber: Subscriber, acts: DemoActs
    ) -> Report:
        self._tell("…", "comparing")
        # In this order: what is read later can only hold more, and is never missed for having come in between.
        delivered = list(tap.delivered)
        truth = await in_thread(lambda: read_record(files.record))
        edge = await in_thread(lambda: read_edge(acts.ledger))
        cloud = await in_thread(lambda: read_cloud(self._programs.centre_s_database, files.lot_id))
        bookings = await self._web.evidence(acts.ledger)
        at_kiosks = sum(1 for line in truth if line["what"] == "answered" and int(str(line["status"])) >= 500)
        run = DemoRun(
            seconds=self.plan.seconds,
            speed=self.plan.speed,
            seed=self.plan.seed,
            link_cuts=len(acts.line_down),
            agent_kills=acts.keeper.kills,
            http_5xx=at_kiosks + subscriber.server_errors() + self._web.errors,
            asked=subscriber.asked,
            drain_seconds=acts.drain_s,
            seen=subscriber.seen,
            line_down=acts.line_down,
            line_cut=acts.line_cut,
            booked=self.plan.bookings,
        )
        report = await in_thread(
            lambda: compare(
                truth=truth, delivered=delivered, edge=edge, cloud=cloud, bookings=bookings, run=run
            )
        )
        self.progress.done = True
        self._changed()
        return report

    # The parts

    def _scale_in(self, ahead_s: float) -> CivilScale:
        """The civil scale whose anchor is so many seconds ahead."""
        return CivilScale(
            anchor_at=self.plan.anchor_at,
            anchor_monotonic=time.monotonic() + ahead_s,
            speed=self.plan.speed,
        )

    def _start_database(self) -> None:
        self._cluster.start(timeout_s=START_S)
        self._cluster.create_database(DATABASE)

    # What is shown

    def _open_doors(self, files: LotFiles, centre: str) -> None:
        lot = f"http://127.0.0.1:{files.api_port_file.read_text().strip()}"
        self.progress.addresses = Addresses(
            console=f"{centre}/console?token={self._programs.token}",
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
            logged = await in_thread(lambda: count_log(ledger))
            progress.backlog = max(0, logged - state.acknowledged_seq)
            progress.web.doubts(await in_thread(lambda: count_doubts(ledger)), time.monotonic())
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
