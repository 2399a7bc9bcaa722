"""The whole centre on one page: every part, made once, handed to those that need it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

import structlog
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from cloud.console.endpoints import Console
from cloud.console.reading import ConsoleReader
from cloud.console.renderer import Renderer
from cloud.database import Database, open_pool
from cloud.events import EventBus, Lagging
from cloud.gateways.clock_facts import ClockFacts
from cloud.gateways.commands import GateCommands
from cloud.gateways.commit_line import CommitLine
from cloud.gateways.documents import Documents
from cloud.gateways.lines import GatewayLines
from cloud.gateways.link import Links
from cloud.gateways.service import Gateways
from cloud.gateways.silence import SilenceWatch
from cloud.notifications.endpoints import Notifications
from cloud.observability import Metrics
from cloud.parking_lots.search import LotSearch
from cloud.parking_lots.service import ParkingLots
from cloud.payments.cashier import Cashier
from cloud.payments.hold import CashierHold
from cloud.payments.provider import NoProvider, PaymentProvider
from cloud.payments.service import Payments
from cloud.payments.stripe_provider import StripeProvider
from cloud.payments.webhooks import Webhooks
from cloud.recounting import Recounting
from cloud.reservations.authorised import AuthorisedBookings
from cloud.reservations.booking import BookingService
from cloud.reservations.changing import BookingChanges
from cloud.reservations.commit_effects import CommitEffects
from cloud.reservations.commit_facts import CommitFacts
from cloud.reservations.commit_words import CommitWords, Word
from cloud.reservations.coordination import Coordination
from cloud.reservations.kept_promises import KeptPromises
from cloud.reservations.kiosk_facts import KioskFacts
from cloud.reservations.own_places import OwnPlaces
from cloud.reservations.promise_keeper import PromiseKeeper
from cloud.reservations.rehoming import Rehoming
from cloud.reservations.risk_facts import RiskFacts
from cloud.reservations.service import Reservations
from cloud.reservations.transfer_audit import TransferAudit
from cloud.reservations.transfer_facts import TransferFacts
from cloud.reservations.transfers import Transfers
from cloud.settings import CloudSettings
from cloud.staff import StaffTokens
from cloud.system_clock import clock_from
from parking.clock import Clock
from sync.failpoints import Failpoints
from sync.keys import SigningKey

LOG = structlog.get_logger(__name__)

HOUSEKEEPING_EVERY_S = 3_600.0
CANCEL_AGAIN_S = 0.5
EVENTS_KEPT_DAYS = 7
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters and digits that people take for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The parts that entry points and routes use."""

    settings: CloudSettings
    clock: Clock
    database: Database
    events: EventBus
    metrics: Metrics
    failpoints: Failpoints
    signing_key: SigningKey
    staff: StaffTokens
    lots: ParkingLots
    reservations: Reservations
    words: CommitWords
    coordination: Coordination
    bookings: BookingService
    promise_keeper: PromiseKeeper
    payments: Payments
    provider: PaymentProvider
    cashier: Cashier
    webhooks: Webhooks
    documents: Documents
    gateways: Gateways
    commands: GateCommands
    silence: SilenceWatch
    links: Links
    search: LotSearch
    notifications: Notifications
    console: Console
    recounting: Recounting
    transfers: Transfers
    audit: TransferAudit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What reaches beyond this process or is drawn anew in each: the simulation hands in its own. `new_nonce` gives 32 bytes."""

    clock: Clock
    failpoints: Failpoints
    signing_key: SigningKey
    database: Database
    words: CommitWords
    provider: PaymentProvider
    draw: Random
    worker: str
    new_id: Callable[[], UUID]
    new_nonce: Callable[[], bytes]


def build_cloud(settings: CloudSettings, environment: Mapping[str, str]) -> Cloud:
    """Make every part. Nothing is connected or started.

    Raises:
        LocalError: the key file is not a key that only its owner reads.
        ValueError: LOTGATE_CIVIL_SCALE or LOTGATE_FAILPOINT cannot be read.
    """
    metrics = Metrics()
    outside = Outside(
        clock=clock_from(environment),
        failpoints=Failpoints.parse(environment.get("LOTGATE_FAILPOINT")),
        signing_key=SigningKey.from_seed(secrets.token_bytes(32))
        if settings.key_file is None
        else SigningKey.read_or_make(settings.key_file),
        database=open_pool(settings.database_url, min_size=settings.pool_min, max_size=settings.pool_max),
        words=CommitWords(settings.database_url, key=1 + secrets.randbits(62)),
        provider=_provider(settings, metrics),
        draw=Random(),
        worker=secrets.token_hex(8),
        new_id=uuid4,
        new_nonce=lambda: secrets.token_bytes(32),
    )
    return assemble(settings, metrics, outside)


def assemble(settings: CloudSettings, metrics: Metrics, outside: Outside) -> Cloud:
    """Every part around what is given, top to bottom."""
    clock, failpoints, database = outside.clock, outside.failpoints, outside.database
    signing_key, provider, words = outside.signing_key, outside.provider, outside.words
    events = EventBus(database, settings.database_url)
    lots = ParkingLots()
    payments = Payments()
    cashier = Cashier(
        database=database,
        provider=provider,
        lots=lots,
        clock=clock,
        metrics=metrics,
        failpoints=failpoints,
        draw=outside.draw,
    )
    documents = Documents(cloud_key=signing_key.public)
    line, hold = CommitLine(documents), CashierHold(cashier)
    coordination = Coordination(
        database=database,
        lots=lots,
        link=line,
        money=hold,
        words=words,
        clock=clock,
        failpoints=failpoints,
        worker=outside.worker,
        new_id=outside.new_id,
    )
    transfers = Transfers(
        lots=lots,
        link=line,
        clock=clock,
        metrics=metrics,
        failpoints=failpoints,
        new_id=outside.new_id,
    )
    promises = KeptPromises(link=line, money=hold)
    reservations = Reservations(commit=coordination, promises=promises)
    commands = GateCommands(
        database=database, words=words, metrics=metrics, clock=clock, new_id=outside.new_id
    )
    gateways = Gateways(
        database=database,
        clock=clock,
        lots=lots,
        keepers=(
            reservations,
            payments,
            CommitFacts(coordination),
            KioskFacts(),
            RiskFacts(),
            TransferFacts(transfers),
            ClockFacts(),
        ),
        documents=documents,
        commit=coordination,
        owners=transfers,
        commands=commands,
        failpoints=failpoints,
        holder=words.key,
        new_code=_new_code,
    )
    links = Links(
        gateways=gateways,
        clock=clock,
        metrics=metrics,
        failpoints=failpoints,
        cloud=settings.name,
        new_nonce=outside.new_nonce,
    )
    words.deliver_to(lambda word: _say(links, word), links.words_missed)
    search = LotSearch(database=database, lines=GatewayLines(), clock=clock)
    changes = BookingChanges(
        database=database, tariffs=documents, money=hold, coordination=coordination, clock=clock
    )
    bookings = BookingService(
        database=database,
        lots=lots,
        search=search,
        tariffs=documents,
        link=line,
        money=hold,
        coordination=coordination,
        promises=promises,
        changes=changes,
        clock=clock,
        key=signing_key,
        new_id=outside.new_id,
    )
    cashier.listener = AuthorisedBookings(database=database, coordination=coordination)
    staff = StaffTokens(settings.staff_tokens)
    console = Console(
        reader=ConsoleReader(database=database, search=search, clock=clock),
        renderer=Renderer(),
        bus=events,
        tokens=staff,
    )
    return Cloud(
        settings=settings,
        clock=clock,
        database=database,
        events=events,
        metrics=metrics,
        failpoints=failpoints,
        signing_key=signing_key,
        staff=staff,
        lots=lots,
        reservations=reservations,
        words=words,
        coordination=coordination,
        bookings=bookings,
        promise_keeper=PromiseKeeper(
            database=database,
            link=line,
            money=hold,
            bookings=bookings,
            rehoming=Rehoming(
                link=line,
                places=OwnPlaces(clock=clock, new_id=outside.new_id),
                effects=CommitEffects(lots=lots, link=line, money=hold, clock=clock),
            ),
            coordination=coordination,
            clock=clock,
        ),
        payments=payments,
        provider=provider,
        cashier=cashier,
        webhooks=Webhooks(
            database=database,
            metrics=metrics,
            secret=settings.stripe_webhook_secret.get_secret_value(),
            unix=time.time,
            looked=cashier.wake,
        ),
        documents=documents,
        gateways=gateways,
        commands=commands,
        silence=SilenceWatch(database=database, lots=lots),
        links=links,
        search=search,
        notifications=Notifications(bus=events, database=database, search=search, staff=staff),
        console=console,
        recounting=Recounting(database=database, lots=lots, clock=clock),
        transfers=transfers,
        audit=TransferAudit(database=database, transfers=transfers, metrics=metrics),
    )


@asynccontextmanager
async def running(cloud: Cloud) -> AsyncIterator[None]:
    """The centre's database connections and tasks, for as long as the block lasts. A task that fails ends the block too."""
    async with cloud.database, asyncio.TaskGroup() as tasks:
        started = [
            tasks.create_task(cloud.events.run(), name="events"),
            tasks.create_task(cloud.recounting.run(), name="recounting"),
            tasks.create_task(cloud.cashier.run(), name="payments"),
            tasks.create_task(cloud.words.run(), name="commit words"),
            tasks.create_task(cloud.coordination.run(), name="coordination"),
            tasks.create_task(cloud.promise_keeper.run(), name="promises"),
            tasks.create_task(cloud.audit.run(), name="audit of owners"),
            tasks.create_task(cloud.commands.run(), name="gate commands"),
            tasks.create_task(cloud.silence.run(), name="silent gateways"),
            tasks.create_task(_tell_of_documents(cloud), name="documents"),
            tasks.create_task(_keep_house(cloud), name="housekeeping"),
        ]
        try:
            yield
        finally:
            await _end(started)
            await cloud.provider.close()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until they are over: Python 3.11's `wait_for`, deep in the pool, can swallow a cancellation that meets its result."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


async def _tell_of_documents(cloud: Cloud) -> None:
    """A tariff was decided, in this process or another: the lot's link looks for it."""
    while True:
        subscription = cloud.events.subscribe(kinds=frozenset({"TariffPublished"}))
        try:
            async for event in subscription:
                cloud.links.documents_added(event.lot)
        except Lagging:
            cloud.links.documents_added(None)


async def _keep_house(cloud: Cloud) -> None:
    """Each hour, drop events that nobody resumes from any more."""
    while True:
        await asyncio.sleep(HOUSEKEEPING_EVERY_S)
        try:
            await cloud.events.forget(days=EVENTS_KEPT_DAYS)
            await cloud.cashier.forget()
        except (OperationalError, PoolTimeout) as error:
            LOG.warning("housekeeping postponed", error=str(error))


def _say(links: Links, word: Word) -> None:
    """What another process, or this one, said at a commit, for a lot's link that may be here."""
    if word.frame is not None:
        links.say(word.lot, word.frame, session=word.session)
    links.documents_added(word.lot)


def _provider(settings: CloudSettings, metrics: Metrics) -> PaymentProvider:
    key = settings.stripe_key.get_secret_value()
    if not key:
        return NoProvider()
    return StripeProvider(
        key=key,
        base=settings.stripe_base,
        count=lambda operation, answer: metrics.payment_answers.labels(operation, answer).inc(),
    )


def _new_code() -> str:
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(12))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"
