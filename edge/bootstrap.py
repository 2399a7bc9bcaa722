"""The whole agent on one page: what one lot is made of, in the order of the arrows. Constructor calls only; nothing is decided here."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import Random
from time import monotonic
from uuid import uuid4

from prometheus_client import CollectorRegistry

from drivers.registry import make_driver
from drivers.supervisor import Supervisor
from edge.agent import Agent
from edge.api.app import make_app
from edge.api.devices import Device, Role
from edge.api.pages.renderer import Site
from edge.barrier_witness import BarrierWitness
from edge.bookings import Bookings
from edge.centre import Centre
from edge.centre_tls import context_for
from edge.clock_record import ClockRecord
from edge.clock_status import clock_status
from edge.commitments import Commitments
from edge.configuration import Configuration
from edge.crew import Crew
from edge.desk import LotDesk
from edge.device_conditions import DeviceConditions
from edge.entering import Entering
from edge.figures import EdgeFigures
from edge.gate_commands import GateCommands
from edge.heartbeat import Heartbeat
from edge.house import House
from edge.housekeeping import Housekeeping
from edge.journal import keep_journal
from edge.kiosk_bookings import KioskBookings
from edge.kiosk_sales import KioskSales
from edge.lane_log import LotLaneLog
from edge.lane_ports import Closing, LaneLimits, LaneWork
from edge.lane_runner import LaneRunner
from edge.leaving import Leaving
from edge.ledger import Ledger
from edge.line import LinkSettings
from edge.link import Link
from edge.link_picture import LinkPicture
from edge.local_server import LocalServer
from edge.lot_clock import KEPT_AS, LotClock, clock_kept_in
from edge.lot_status import LotStatus
from edge.notify import ServiceNotifier
from edge.observing import Observing
from edge.owners import Owners
from edge.patience import LOCAL_WIRE, PATIENCE
from edge.payments import Payments
from edge.plate_events import PlateEvents
from edge.price_list import PriceList
from edge.promises import Promises
from edge.reader_signals import ReaderSignals
from edge.recounts import Recounts
from edge.reload import Reload
from edge.settings import DriverSettings, LaneSettings, Settings
from edge.sign_pictures import SignPictures
from edge.slips import PrintingWork
from edge.store.cipher import PlateKeys
from edge.store.opening import open_store
from edge.street import Street
from edge.suspects import Suspects
from edge.switchboard import LaneArm, Switchboard
from edge.system_clock import machine_from
from edge.terminals import Terminals
from edge.ticket_office import TicketOffice
from edge.translation import DeviceSink, Translation
from edge.unit import read_unit
from edge.writer import ThreadWriter
from lotgate import __version__
from parking.admission import Passback
from parking.lot import LaneKind
from sync.failpoints import Failpoints


def run_agent(settings: Settings) -> int:
    """Run one lot until it is told to stop; 0 where it was told to."""
    keep_journal(on_terminal=sys.stderr.isatty())
    asyncio.run(_run(settings, os.environ))
    return 0


async def _run(settings: Settings, environment: Mapping[str, str]) -> None:
    agent = make_agent(settings, environment, new_id=lambda: str(uuid4()), random=Random(uuid4().int))
    await agent.run()


def make_agent(
    settings: Settings, environment: Mapping[str, str], *, new_id: Callable[[], str], random: Random
) -> Agent:
    """Everything, from the disk upwards. The event loop runs already.

    Raises:
        EdgeError: the store or the enrolment cannot be used.
        DriverMisconfigured: a driver's settings cannot work (`lotgate edge check` says so before).
    """
    failpoints = Failpoints.parse(environment.get("LOTGATE_FAILPOINT"))
    unit = read_unit(settings.key_file, settings.store.path)
    key, enrolment, epoch = unit.key, unit.enrolment, unit.epoch
    plates = PlateKeys(key.derive("plates"))

    opened = open_store(settings.store.path, cipher=plates, failpoints=failpoints, epoch=epoch)
    has_centre = settings.cloud is not None and enrolment is not None
    clock = LotClock(machine_from(environment), kept=clock_kept_in(opened.store), has_centre=has_centre)
    ledger = Ledger.open(
        opened.store,
        ThreadWriter(opened.store.commit),
        lot=settings.lot,
        gateway=unit.gateway,
        epoch=epoch,
        boot=new_id(),
        clock=clock,
        software=__version__,
        fenced=opened.fenced,
        losses=(*unit.losses, *opened.losses),
        carried=lambda: {KEPT_AS: clock.kept()},
    )
    clock_record = ClockRecord(ledger=ledger, clock=clock)
    clock_record.begin()
    prices = PriceList([settings.tariff])
    commitments = Commitments(
        ledger,
        clock=clock,
        new_id=new_id,
        random=random,
        failpoints=failpoints,
    )
    office = TicketOffice(lot=settings.lot, key=key, epoch=epoch, clock=clock)
    bookings = Bookings(
        lot=settings.lot,
        ledger=ledger,
        commitments=commitments,
        clock=clock,
        own_key=office.own_key,
    )
    owners = Owners(ledger, clock=clock, new_id=new_id, failpoints=failpoints)
    configuration = Configuration(
        ledger=ledger,
        now=clock.now,
        on_tariff=prices.add,
        on_keys=bookings.trust,
        decisions=commitments,
        owners=owners,
    )
    for document in ledger.documents():
        configuration.restore(document)

    lane_log = LotLaneLog(ledger=ledger, clock=clock)
    switchboard = Switchboard()
    terminals = Terminals(
        names={lane.id: lane.terminal for lane in settings.lanes if lane.terminal is not None},
        ask=switchboard.ask_terminal,
    )
    payments = Payments(
        ledger=ledger,
        prices=prices,
        office=office,
        clock=clock,
        new_id=new_id,
        terminals=terminals,
    )
    entering = Entering(
        lot=settings.lot,
        ledger=ledger,
        prices=prices,
        office=office,
        plates=plates,
        bookings=bookings,
        log=lane_log,
        clock=clock,
        new_id=new_id,
        passback=Passback(settings.anti_passback),
        borrow=owners.borrow,
        failpoints=failpoints,
    )
    leaving = Leaving(
        lot=settings.lot,
        ledger=ledger,
        prices=prices,
        office=office,
        payments=payments,
        plates=plates,
        bookings=bookings,
        log=lane_log,
        clock=clock,
        new_id=new_id,
    )
    lane_failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    runners: dict[str, LaneRunner] = {
        lane.id: LaneRunner(
            lane=lane.id,
            kind=lane.kind,
            work=_printing(entering if lane.kind is LaneKind.ENTRY else leaving, lane, settings, switchboard),
            arm=LaneArm(device=lane.barrier, ask=switchboard.ask),
            log=lane_log,
            clock=clock,
            limits=_limits(lane),
            closing=Closing(lane.closing),
            failed=lane_failed,
            failpoints=failpoints,
        )
        for lane in settings.lanes
    }
    suspects = Suspects(ledger, clock=clock)
    recounts = Recounts(ledger=ledger, prices=prices, suspects=suspects, clock=clock, new_id=new_id)
    observing = Observing(ledger, sensors=settings.sensors, clock=clock, suspects=suspects)
    conditions = DeviceConditions(clock=clock)
    house = House(
        lanes={lane.barrier: runners[lane.id] for lane in settings.lanes}, log=lane_log, now=clock.now
    )
    translation = Translation(
        lanes_by_barrier={lane.barrier: runners[lane.id] for lane in settings.lanes},
        lanes_by_reader={
            **{lane.reader: runners[lane.id] for lane in settings.lanes if lane.reader is not None},
            **{camera: runners[lane] for camera, lane in settings.cameras.items()},
        },
        observer=observing,
        plates=PlateEvents(ledger=ledger, plates=plates),
        conditions=conditions.take,
        house=house.contacts,
    )
    crew = Crew(
        settings.drivers,
        make=lambda driver: Supervisor(
            driver.name,
            make_driver(driver.kind, driver.name, driver.own),
            DeviceSink(translation=translation),
            random=random,
            monotonic=monotonic,
            patience=PATIENCE.get(driver.kind),
            back_off=None if driver.kind == "mqtt" else LOCAL_WIRE,
        ),
        on_change=switchboard.connect,
    )
    notifier = ServiceNotifier(environment)
    reload = Reload(
        settings=settings,
        environment=environment,
        crew=crew,
        look_at=observing.look_at,
        notifier=notifier,
        clock=clock,
    )
    signals = ReaderSignals(
        runners=runners,
        readers={lane.id: lane.reader for lane in settings.lanes if lane.reader is not None},
        ask=switchboard.ask,
    )
    gates = GateCommands(runners=runners)
    link = None
    if settings.cloud is not None and enrolment is not None:
        link = Link(
            LinkSettings(
                url=settings.cloud.url,
                gateway=enrolment.gateway,
                cloud=enrolment.cloud,
                software=__version__,
                tls=context_for(settings.cloud.url),
            ),
            ledger=ledger,
            documents=configuration,
            commit=commitments,
            owners=owners,
            gates=gates,
            picture=LinkPicture(
                ledger,
                lanes=lambda: [(lane, runner.state.phase.value) for lane, runner in runners.items()],
                unexplained=lambda: observing.unexplained,
            ),
            key=key,
            clock=clock,
            random=random,
            clock_quality=lambda: clock.quality.value,
            on_time=clock.hear,
            failpoints=failpoints,
        )
    detail = "this lot has no centre" if settings.cloud is None else "this unit is not enrolled"
    centre = Centre(ledger=ledger, link=link, gates=gates, detail=detail)
    sales = KioskSales(
        ledger=ledger,
        prices=prices,
        office=office,
        commitments=commitments,
        terminals=terminals,
        clock=clock,
        new_id=new_id,
        line_is_up=centre.is_up,
        ask_for_places=owners.borrow,
        failpoints=failpoints,
    )
    registry = CollectorRegistry()
    box = LotStatus(
        lot=settings.lot,
        gateway="" if enrolment is None else enrolment.gateway,
        software=__version__,
        runners=runners,
        ledger=ledger,
        prices=prices,
        driver_health=crew.health,
        clock=clock,
        store_path=settings.store.path,
        link_status=centre.status,
        clock_status=lambda: clock_status(clock.reading()),
        started_at=clock.now(),
        more_faults=(reload.faults, suspects.faults, conditions.faults, house.faults),
    )
    desk = LotDesk(
        lot=settings.lot,
        runners=runners,
        lane_settings={lane.id: lane for lane in settings.lanes},
        box=box,
        ledger=ledger,
        leaving=leaving,
        office=office,
        prices=prices,
        clock=clock,
        link_status=centre.status,
        picture_changed=centre.picture_changed,
    )
    registry.register(
        EdgeFigures(
            ledger=ledger,
            readings=observing.counters,
            suspects=suspects,
            lane_log=lane_log,
            office=office,
            line=centre,
            commitments=commitments,
            bookings=bookings,
            owners=owners,
            sales=sales,
            recounts=recounts,
        )
    )
    app = make_app(
        desk,
        [_device(device.name, device.role, device.token_sha256, device.lane) for device in settings.devices],
        clock,
        Site(latitude=settings.lot.latitude, longitude=settings.lot.longitude),
        registry,
        doubts=commitments,
        recounts=recounts,
        cameras=switchboard,
        sensors=switchboard,
        bookings=KioskBookings(
            sales=sales,
            clock=clock,
            new_id=new_id,
            is_paying=lambda lane: runners[lane].is_paying,
            failed=lane_failed,
        ),
    )
    return Agent(
        ledger=ledger,
        crew=crew,
        reload=reload,
        signs=SignPictures(
            lot=settings.lot, ledger=ledger, signs=switchboard.signs, ask=switchboard.ask_terminal
        ),
        witness=BarrierWitness(
            ledger=ledger, controllers=_remembering(settings.drivers), ask=switchboard.ask_terminal
        ),
        suspects=suspects,
        street=None if settings.lot.lanes else Street(ledger, prices=prices, clock=clock, new_id=new_id),
        promises=Promises(
            ledger=ledger,
            clock=clock,
            new_id=new_id,
            void_after_s=settings.lot.policy.void_after / timedelta(seconds=1),
        ),
        housekeeping=Housekeeping(ledger, opened.store, clock=clock, max_bytes=settings.store.max_bytes),
        payments=payments,
        sales=sales,
        server=LocalServer(
            app, host=settings.api.host, port=settings.api.port, port_file=settings.api.port_file
        ),
        commitments=commitments,
        clock_record=clock_record,
        link=link,
        notifier=notifier,
        heartbeat=Heartbeat(ledger=ledger, runners=tuple(runners.values()), notifier=notifier, clock=clock),
        lane_log=lane_log,
        lane_failed=lane_failed,
        follow=(desk.follow, signals.follow),
    )


def _printing(work: LaneWork, lane: LaneSettings, settings: Settings, switchboard: Switchboard) -> LaneWork:
    if lane.printer is None:
        return work
    return PrintingWork(work=work, lot=settings.lot, printer=lane.printer, ask=switchboard.ask_terminal)


def _remembering(drivers: Sequence[DriverSettings]) -> tuple[str, ...]:
    """The controllers that have a register for the epoch."""
    buses = [driver.own for driver in drivers if driver.own.get("epoch_register") is not None]
    return tuple(str(unit) for own in buses for unit in own.get("units", ()))


def _limits(lane: LaneSettings) -> LaneLimits:
    return LaneLimits(arm_s=max(lane.open_s, lane.close_s), passage_s=lane.passage_s)


def _device(name: str, role: str, token_sha256: str, lane: str | None) -> Device:
    return Device(name=name, role=Role(role), token_sha256=token_sha256, lane=lane)
