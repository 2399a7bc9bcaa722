"""`WS /ws`: subscribers, as many as we can serve. Next in its story: socket."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from cloud.database import Database
from cloud.events import EventBus
from cloud.notifications.socket import TRY_AGAIN_LATER, Subscriber
from cloud.parking_lots.search import LotSearch
from cloud.staff import StaffTokens

router = APIRouter(tags=["notifications"])
MOST_SUBSCRIBERS = 1_000


class Notifications:
    """Serves subscribers and bounds their number."""

    def __init__(self, *, bus: EventBus, database: Database, search: LotSearch, staff: StaffTokens) -> None:
        self._bus = bus
        self._database = database
        self._search = search
        self._staff = staff
        self.open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Until either side ends it."""
        if self.open >= MOST_SUBSCRIBERS:
            await socket.close(TRY_AGAIN_LATER, "too many subscribers")
            return
        self.open += 1
        try:
            await Subscriber(
                socket, bus=self._bus, database=self._database, search=self._search, staff=self._staff
            ).serve()
        finally:
            self.open -= 1


@router.websocket("/ws")
@router.websocket("/api/v1/ws")
async def subscribe(socket: WebSocket) -> None:
    """Availability as it changes; see cloud/notifications/requests.py for what may be said."""
    notifications: Notifications = socket.app.state.cloud.notifications
    await notifications.serve(socket)
