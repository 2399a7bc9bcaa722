"""One subscriber's WebSocket. Its story ends here: a change, committed, is told within the second.

Theory. Whoever subscribes gets the state of each lot as of one event number, and from then on every later event of that lot, in order,
none twice and none left out. So: want the lot's events first, then read its picture and the number of its newest event in one still
transaction, send it, and skip queued events up to that number. While that is done nothing else is sent. Who comes back with the last
number it saw gets what came after, where we still have it, or a picture.

A reader that does not keep up is not waited for: it is told `lagging` and cut, and comes back with its numbers. Everything is bounded:
requests, lots, what is queued, and the time that one send may take (real seconds).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.websockets import WebSocket, WebSocketDisconnect

from cloud.database import Database
from cloud.errors import BadRequest, CloudError, NotAuthenticated, NotFound, Refused
from cloud.events import Event, EventBus, Lagging
from cloud.named_sql import named_sql
from cloud.notifications.requests import (
    Authenticate,
    Ping,
    Request,
    SubscribeAround,
    SubscribeLot,
    Unsubscribe,
    read_request,
)
from cloud.notifications.updates import TOLD_KINDS, picture, update
from cloud.parking_lots.search import Around, LotSearch
from cloud.staff import StaffTokens

QUERIES = named_sql("cloud")
TOKEN_WITHIN_S = 10.0
SENT_WITHIN_S = 5.0
MOST_LOTS = 200
MOST_REFUSALS = 20
QUEUED_AT_MOST = 500
REPLAYED_AT_MOST = 1_000
POLICY = 1008
TRY_AGAIN_LATER = 1013


class Cut(Exception):
    """The connection ends from our side; `code` is the WebSocket's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Subscriber:
    """Serves one socket."""

    def __init__(
        self,
        socket: WebSocket,
        *,
        bus: EventBus,
        database: Database,
        search: LotSearch,
        staff: StaffTokens,
    ) -> None:
        self._socket = socket
        self._bus = bus
        self._database = database
        self._search = search
        self._staff = staff
        self._told: dict[UUID, int] = {}
        self._sending = asyncio.Lock()
        self._refusals = 0
        self._events = bus.subscribe(lots=frozenset(), kinds=TOLD_KINDS, depth=QUEUED_AT_MOST)

    async def serve(self) -> None:
        """Until either side ends it."""
        try:
            await self._welcome()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._tell())
        except* Cut as cuts:
            await self._close(_first(cuts))
        except* WebSocketDisconnect:
            pass  # the other side has gone; there is nobody to tell
        except* (OperationalError, PoolTimeout):
            await self._close(Cut(TRY_AGAIN_LATER, "the database does not answer"))
        finally:
            self._events.close()

    async def _welcome(self) -> None:
        await self._socket.accept()
        try:
            async with asyncio.timeout(TOKEN_WITHIN_S):
                first = read_request(await self._socket.receive_text())
            if not isinstance(first, Authenticate):
                raise NotAuthenticated("the first message must authenticate", "type", "send authenticate")
            self._staff.name_of(first.token)
        except TimeoutError as error:
            raise Cut(POLICY, "no token came in time") from error
        except KeyError as error:  # a binary message has no text
            raise Cut(POLICY, "text messages only") from error
        except Refused as refused:
            await self._refuse(refused)
            raise Cut(POLICY, "not authenticated") from refused
        await self._send({"type": "authenticated"})

    async def _listen(self) -> None:
        while True:
            try:
                await self._answer(read_request(await self._socket.receive_text()))
            except KeyError as error:
                raise Cut(POLICY, "text messages only") from error
            except Refused as refused:
                self._refusals += 1
                if self._refusals > MOST_REFUSALS:
                    raise Cut(POLICY, "too many refused requests") from refused
                await self._refuse(refused)

    async def _answer(self, request: Request) -> None:
        match request:
            case SubscribeLot():
                await self._add([request.lot], after=request.after)
            case SubscribeAround():
                around = Around(point=request.point, radius_m=request.radius)
                await self._add(await self._search.ids_near(around, MOST_LOTS), after=None)
            case Unsubscribe():
                self._told.pop(request.lot, None)
                self._events.want(frozenset(self._told))
                await self._send({"type": "unsubscribed", "lot": str(request.lot)})
            case Ping():
                await self._send({"type": "pong"})
            case Authenticate():
                raise BadRequest("this was done already", "type", "send subscribe")

    async def _add(self, lots: Sequence[UUID], *, after: int | None) -> None:
        wanted = frozenset((*self._told, *lots))
        if len(wanted) > MOST_LOTS:
            raise BadRequest(
                f"more than {MOST_LOTS} lots", "lot", "open another connection, or a smaller radius"
            )
        async with self._sending:
            self._events.want(wanted)
            try:
                await self._catch_up(lots, after)
            except NotFound:
                self._events.want(frozenset(self._told))
                raise

    async def _catch_up(self, lots: Sequence[UUID], after: int | None) -> None:
        missed = await self._missed(lots[0], after) if after is not None and len(lots) == 1 else None
        names = [str(lot) for lot in lots]
        if missed is not None:
            await self._send_now({"type": "subscribed", "lots": names, "resumed": True})
            self._told[lots[0]] = after or 0
            for event in missed:
                await self._send_event(event)
            return
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(QUERIES["still_picture"])
            newest = await self._bus.newest(connection, lots)
            found = await self._search.read(connection, lots)
        if len(found) < len(lots):
            raise NotFound(f"there is no lot {names[0]}", "lot", "take an id from GET /api/v1/parking-lots")
        await self._send_now({"type": "subscribed", "lots": names, "resumed": False})
        for lot in found:
            self._told[lot.id] = newest.get(lot.id, 0)
            await self._send_now(picture(lot, self._told[lot.id]))

    async def _missed(self, lot: UUID, after: int | None) -> list[Event] | None:
        """What came after; None where we cannot be sure to still have all of it."""
        if not after:
            return None
        events = await self._bus.after(lot, after - 1, limit=REPLAYED_AT_MOST)
        if not events or events[0].n != after or len(events) == REPLAYED_AT_MOST:
            return None
        return events[1:]

    async def _tell(self) -> None:
        try:
            async for event in self._events:
                async with self._sending:
                    await self._send_event(event)
        except Lagging as lagging:
            raise Cut(TRY_AGAIN_LATER, "lagging") from lagging

    async def _send_event(self, event: Event) -> None:
        if event.n <= self._told.get(event.lot, event.n):
            return
        self._told[event.lot] = event.n
        message = update(event)
        if message is not None:
            await self._send_now(message)

    async def _send(self, message: dict[str, object]) -> None:
        async with self._sending:
            await self._send_now(message)

    async def _send_now(self, message: dict[str, object]) -> None:
        try:
            async with asyncio.timeout(SENT_WITHIN_S):
                await self._socket.send_json(message)
        except TimeoutError as error:
            raise Cut(TRY_AGAIN_LATER, "lagging") from error

    async def _refuse(self, refused: CloudError) -> None:
        await self._send(
            {
                "type": "error",
                "title": refused.title,
                "field": getattr(refused, "field", None),
                "problem": str(refused),
                "fix": getattr(refused, "fix", None),
            }
        )

    async def _close(self, cut: Cut) -> None:
        """Say why, as far as it is read, and close."""
        try:
            async with asyncio.timeout(SENT_WITHIN_S):
                if cut.reason == "lagging":
                    seen = {str(lot): n for lot, n in self._told.items()}
                    await self._socket.send_json({"type": "lagging", "after": seen})
                await self._socket.close(cut.code, cut.reason)
        except (TimeoutError, RuntimeError, WebSocketDisconnect):
            return  # it reads nothing any more: the server drops it


def _first(cuts: BaseExceptionGroup[Cut]) -> Cut:
    error: BaseException = cuts
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Cut) else Cut(TRY_AGAIN_LATER, "ended")
