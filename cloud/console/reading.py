"""Gathers what a page shows, in one still picture of the database. Asks the services; owns no table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.console import drawing, words
from cloud.console.doubts import OVERDUE_S, doubt_line, doubt_tasks
from cloud.console.gates import command_line, form_key
from cloud.console.tasks import pressing, tasks
from cloud.console.views import (
    Age,
    Bar,
    Dot,
    Frame,
    GatewayLine,
    GatewaysView,
    LaneLine,
    LogLine,
    LotLineView,
    LotPageView,
    LotsView,
    MapView,
    OverviewView,
    Pin,
    SpotLine,
    StayLine,
)
from cloud.database import Database
from cloud.errors import NotFound
from cloud.gateways.commands import latest_commands
from cloud.gateways.reading import GatewayState, fleet, latest_facts, refusals
from cloud.named_sql import named_sql
from cloud.parking_lots.search import EVERY_RADIUS_M, Around, FoundLot, LotSearch, Slice, Sort
from cloud.payments.reading import takings
from cloud.reservations.reading import (
    Occupancy,
    longest_stays,
    occupancy_of,
    open_conflicts,
    overdue_doubts,
    owned_by_type,
    stay_figures,
    transactions_of,
)
from parking.clock import Clock

QUERIES = named_sql("cloud")
LOG_ROWS, LOG_READ = 14, 60
STAYS_SHOWN = 6
DOUBTS_SHOWN = 20
SPOTS_AT_MOST = 2_000
LOTS_A_PAGE = 25
NOBODY = Occupancy(inside=0, blocked=0)
SURE = ((9_500, 4, "sure"), (7_500, 3, "likely"), (5_000, 2, "unsure"), (1, 1, "doubtful"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What all pages stand on."""

    connection: AsyncConnection[DictRow]
    lots: Sequence[FoundLot]
    fleet: Mapping[UUID, GatewayState]
    frame: Frame
    now: datetime
    now_real: datetime


class ConsoleReader:
    """Reads pages' views."""

    def __init__(self, *, database: Database, search: LotSearch, clock: Clock) -> None:
        self._database = database
        self._search = search
        self._clock = clock

    async def overview(self, staff: str) -> OverviewView:
        """The first page."""
        async with self._ground(staff) as ground:
            ids = [lot.id for lot in ground.lots]
            since = ground.now - timedelta(hours=24)
            occupied = await occupancy_of(ground.connection, ids, ground.now)
            lines = [
                self._line(lot, ground.fleet.get(lot.id), occupied.get(lot.id, NOBODY)) for lot in ground.lots
            ]
            known_lots, known_spots = await self._search.known(ground.connection)
            figures = await stay_figures(ground.connection, ids, since)
            taken = await takings(ground.connection, ids, since)
            refused = await refusals(ground.connection, ids, since)
        return OverviewView(
            frame=ground.frame,
            lots=tuple(sorted(lines, key=_least_room_first)),
            spots_ours=sum(lot.total for lot in ground.lots),
            known_lots=known_lots,
            known_spots=known_spots,
            map=await self._map(lines),
            figures=figures,
            takings=tuple(taken),
            refused=refused,
            since=since,
        )

    async def lot(
        self, lot: UUID, staff: str, *, level: str | None, as_table: bool, problem: str = ""
    ) -> LotPageView:
        """A lot's page; `problem` says why what was asked of it was not done.

        Raises:
            NotFound: there is no such lot.
        """
        async with self._ground(staff) as ground:
            found = await self._search.read(ground.connection, [lot])
            if not found:
                raise NotFound(f"there is no lot {lot}", "lot", "go back to the overview")
            occupied = await occupancy_of(ground.connection, [lot], ground.now)
            gateway = ground.fleet.get(lot)
            facts = await latest_facts(ground.connection, gateway, LOG_READ) if gateway else []
            stays = await longest_stays(ground.connection, lot, STAYS_SHOWN)
            doubts = await transactions_of(ground.connection, lot, DOUBTS_SHOWN)
            commands = await latest_commands(ground.connection, gateway.id) if gateway else []
            owned = await owned_by_type(ground.connection, lot)
        spots, _ = await self._search.spots_of(lot, Slice(per_page=SPOTS_AT_MOST))
        structure = await self._search.structure(lot)
        zone = ZoneInfo(found[0].timezone)
        levels = tuple(dict.fromkeys(spot["level"] for spot in spots))
        chosen = level if level is not None and level in levels else next(iter(levels), "")
        here = [spot for spot in spots if spot["level"] == chosen]
        told = [fact for fact in facts if fact.kind not in words.QUIET][:LOG_ROWS]
        return LotPageView(
            frame=ground.frame,
            line=self._line(found[0], gateway, occupied.get(lot, NOBODY)),
            gateway=gateway,
            levels=levels,
            level=chosen,
            plan=drawing.plan_of(here),
            spots=tuple(_spot(spot, zone) for spot in here) if as_table else (),
            as_table=as_table,
            sensed=_sensed(spots),
            lanes=tuple(_lane(lane, gateway) for lane in (structure or {"lanes": []})["lanes"]),
            log=tuple(
                LogLine(
                    at=None if fact.occurred_at is None else fact.occurred_at.astimezone(zone),
                    said=words.sentence(fact, found[0].currency),
                )
                for fact in told
            ),
            stays=tuple(_stay(stay, ground.now, zone) for stay in stays),
            doubts=tuple(doubt_line(doubt, zone) for doubt in doubts),
            commands=tuple(command_line(command, ground.now_real) for command in commands),
            command_key=form_key(lot, commands),
            problem=problem,
            owned=owned,
        )

    async def gateways(self, staff: str) -> GatewaysView:
        """The fleet."""
        async with self._ground(staff) as ground:
            zones = {lot.id: lot.timezone for lot in ground.lots}
            lines = tuple(
                GatewayLine(
                    gateway=gateway,
                    tag=words.gateway_tag(gateway),
                    age=self._age(gateway, zones.get(gateway.lot, "UTC")),
                )
                for gateway in ground.fleet.values()
            )
        return GatewaysView(
            frame=ground.frame, lines=lines, on_line=sum(line.gateway.connected for line in lines)
        )

    async def lots(self, staff: str, *, text: str, page: int) -> LotsView:
        """A page of all lots whose name or address holds `text`."""
        which = Slice(page=page, per_page=LOTS_A_PAGE)
        found, total = await self._search.named(text, which)
        async with self._ground(staff) as ground:
            ours = [lot.id for lot in found if lot.is_ours]
            occupied = await occupancy_of(ground.connection, ours, ground.now)
        lines = [self._line(lot, ground.fleet.get(lot.id), occupied.get(lot.id, NOBODY)) for lot in found]
        return LotsView(
            frame=ground.frame,
            lines=tuple(lines),
            text=text,
            page=page,
            total=total,
            has_next=page * LOTS_A_PAGE < total,
        )

    @asynccontextmanager
    async def _ground(self, staff: str) -> AsyncIterator[_Ground]:
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["still_picture"])
            row = await (await connection.execute(QUERIES["real_now"])).fetchone()
            now = self._clock.now()
            now_real = now if row is None else row["now"]
            gateways = await fleet(connection, now_real)
            lots = await self._search.ours(connection)
            todo = tasks(gateways, lots, await open_conflicts(connection))
            overdue = await overdue_doubts(connection, OVERDUE_S)
            todo += doubt_tasks(overdue, {lot.id: lot for lot in lots})
            yield _Ground(
                connection=connection,
                lots=lots,
                fleet={gateway.lot: gateway for gateway in gateways},
                frame=Frame(tasks=tuple(sorted(todo, key=pressing)), now=now, staff=staff),
                now=now,
                now_real=now_real,
            )

    def _age(self, gateway: GatewayState | None, timezone: str) -> Age:
        if gateway is None or gateway.age_s is None:
            return Age.of(None, None)
        civil_s = gateway.age_s / self._clock.real_s(timedelta(seconds=1))
        as_of = self._clock.now() - timedelta(seconds=min(civil_s, 3.0e9))
        return Age.of(gateway.age_s, as_of.astimezone(ZoneInfo(timezone)))

    def _line(self, lot: FoundLot, gateway: GatewayState | None, occupied: Occupancy) -> LotLineView:
        free = lot.sellable
        busy = lot.total - (free or 0)
        blocked = min(occupied.blocked, busy)
        inside = min(occupied.inside, busy - blocked)
        kept = busy - blocked - inside
        tag = words.Tag(state=words.OFF, word="No live data", icon="off")
        return LotLineView(
            lot=lot,
            tag=tag if gateway is None else words.gateway_tag(gateway),
            age=self._age(gateway, lot.timezone),
            bar=None if free is None else _bar(lot.total, inside, kept, blocked, free),
            inside=occupied.inside,
            kept=kept,
            blocked=blocked,
        )

    async def _map(self, lines: Sequence[LotLineView]) -> MapView | None:
        placed = [(line, line.lot.point) for line in lines if line.lot.point is not None]
        if not placed:
            return None
        projection = drawing.Projection.around([point for _, point in placed])
        around = Around(point=projection.middle, radius_m=min(projection.radius_m, EVERY_RADIUS_M))
        near, _ = await self._search.near(around, Slice(per_page=200), Sort.DISTANCE)
        dots = [(lot.name, projection.place(lot.point)) for lot in near if lot.point and not lot.is_ours]
        pins = []
        for line, point in placed:
            x, y = projection.place(point)
            share = 0.0 if line.bar is None else line.bar.taken + line.bar.kept + line.bar.blocked
            pins.append(Pin(x=x, y=y, line=line, taken_width=round(50 * share / 100, 1)))
        ruler_m = projection.ruler_m
        return MapView(
            pins=tuple(sorted(pins, key=lambda pin: pin.y)),
            dots=tuple(Dot(x=x, y=y, name=name) for name, (x, y) in dots if drawing.on_map(x, y)),
            ruler_text=f"{ruler_m} m" if ruler_m < 1_000 else f"{ruler_m // 1_000} km",
            ruler_width=round(ruler_m / projection.m_per_unit, 1),
            grid_step=round(ruler_m / projection.m_per_unit, 1),
        )


def _least_room_first(line: LotLineView) -> tuple[bool, int, str]:
    free = line.lot.sellable
    return (free is not None, free or 0, line.lot.name)


def _bar(total: int, inside: int, kept: int, blocked: int, free: int) -> Bar:
    whole = max(1, total)
    label = f"{inside} taken, {kept} kept, {blocked} out of use, {free} free of {total}"
    return Bar(
        taken=round(100 * inside / whole, 1),
        kept=round(100 * kept / whole, 1),
        blocked=round(100 * blocked / whole, 1),
        label=label,
    )


def _sensed(spots: Sequence[DictRow]) -> Mapping[str, int]:
    sensed = dict.fromkeys(("taken", "free", "doubtful", "silent"), 0)
    for spot in spots:
        sensed[drawing.spot_state(spot)] += 1
    return sensed


def _lane(lane: Mapping[str, str], gateway: GatewayState | None) -> LaneLine:
    heard = gateway is not None and gateway.connected
    phase = gateway.lanes.get(lane["id"], "") if gateway is not None else ""
    state, word, icon, arm, text = words.phase_of(phase)
    if not heard:
        state, icon = words.OFF, "cut"
        word, text = "Not heard", f"Last known: {word.lower()}." if phase else "Nothing is known of it yet."
    return LaneLine(
        id=lane["id"],
        name=words.lane_name(lane["id"]),
        kind=lane["kind"],
        tag=words.Tag(state=state, word=word, icon=icon),
        arm=arm,
        text=text,
    )


def _stay(stay: DictRow, now: datetime, zone: ZoneInfo) -> StayLine:
    return StayLine(
        short=str(stay["id"])[:8],
        type=words.type_name(stay["type"]),
        by=stay["credential_kind"],
        came_at=stay["admitted_at"].astimezone(zone),
        so_far=words.duration((now - stay["admitted_at"]).total_seconds()),
        over_count=stay["over_count"],
    )


def _spot(spot: DictRow, zone: ZoneInfo) -> SpotLine:
    state = drawing.spot_state(spot)
    at = spot["last_updated"]
    bars, sure = next(
        ((bars, word) for least, bars, word in SURE if spot["confidence_1e4"] >= least), (0, "nothing heard")
    )
    says = {"occupied": "taken", "free": "free"}.get(spot["state"], "nothing yet")
    return SpotLine(
        number=spot["number"],
        type=words.type_name(spot["type"]),
        says=says,
        state=state,
        bars=0 if state == "silent" else bars,
        sure="nothing heard" if state == "silent" else sure,
        at=None if at is None else at.astimezone(zone),
    )
