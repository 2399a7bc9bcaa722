"""What signs and spot lamps are to show, sent to them as it changes. Next file: drivers/sign/driver.py.

Theory. A sign shows what may be sold to whoever stands before it, so its picture is the ledger's *sellable now* by type, and the last word on each spot.
A picture goes out at most each `AT_MOST_EVERY_S` and at least each `AT_LEAST_EVERY_S`: the first lets a burst of readings be one picture, the
second tells a sign that we live. Each sign has its own turn, so that one that does not answer keeps none waiting. A lot that may not sell shows
no number that it does not stand by: fenced, its counts are not known; closed for new cars by a full disk, nothing is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog

from drivers.errors import DriverError
from drivers.ports import Command, Done, ShowPlaces
from edge.change import Change, SpotState
from parking.ids import SpotId
from parking.lot import Lot, SpotType
from parking.sellable import SellableNow

LOG = structlog.stdlib.get_logger("edge.sign_pictures")

AT_MOST_EVERY_S = 0.5
AT_LEAST_EVERY_S = 15.0
SHOW_TIMEOUT_S = 10.0
TAKEN: Mapping[str, bool] = {"occupied": True, "free": False}


class PictureLedger(Protocol):
    """What a picture needs of the ledger."""

    @property
    def verdict(self) -> Literal["ok", "fenced"]:
        """Whether this lot may sell."""
        ...

    @property
    def degraded(self) -> str | None:
        """Why nothing can be written, None where all is well."""
        ...

    def counts(self) -> Mapping[SpotType, SellableNow]:
        """*Sellable now* by type."""
        ...

    def spot_states(self) -> Sequence[SpotState]:
        """The last word of every writer on every spot."""
        ...

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back with each change once it is durable; the answer ends it."""
        ...


@dataclass(slots=True, kw_only=True)
class SignPictures:
    """The lot's signs. `signs` names them as they are now, `ask` carries a command to one."""

    lot: Lot
    ledger: PictureLedger
    signs: Callable[[], Sequence[str]]
    ask: Callable[[Command, float], Awaitable[Done]]
    at_most_every_s: float = AT_MOST_EVERY_S
    at_least_every_s: float = AT_LEAST_EVERY_S
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _behind: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Keep the signs right until cancelled."""
        end = self.ledger.subscribe(self._note)
        try:
            while True:
                self._changed.clear()
                if signs := self.signs():
                    free, taken = self._free(), self._taken()
                    for sign in signs:
                        self._send(ShowPlaces(device=sign, free=free, taken=taken))
                await asyncio.sleep(self.at_most_every_s)
                await self._wait()
        finally:
            end()
            for task in tuple(self._under_way.values()):
                task.cancel()

    def _note(self, change: Change) -> None:
        if change.claims or change.stays or change.spot_states:
            self._changed.set()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.at_least_every_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def _send(self, picture: ShowPlaces) -> None:
        """Give a sign its picture, or the next one once it has worked off the last."""
        if picture.device in self._under_way:
            self._behind.add(picture.device)
        else:
            self._under_way[picture.device] = asyncio.get_running_loop().create_task(self._show(picture))

    async def _show(self, picture: ShowPlaces) -> None:
        try:
            await self.ask(picture, SHOW_TIMEOUT_S)
        except DriverError as why_not:
            LOG.info("sign_did_not_follow", sign=picture.device, error=str(why_not))
        finally:
            del self._under_way[picture.device]
            if picture.device in self._behind:
                self._behind.discard(picture.device)
                self._changed.set()

    def _free(self) -> Mapping[str, int | None]:
        counts = self.ledger.counts()
        if self.ledger.verdict == "fenced":
            return {kind.value: None for kind in counts}
        if self.ledger.degraded is not None:
            return {kind.value: 0 for kind in counts}
        return {kind.value: left.count for kind, left in counts.items()}

    def _taken(self) -> Mapping[str, bool | None]:
        """The last word on each spot, by its painted number; the latest of several writers counts."""
        latest: dict[SpotId, SpotState] = {}
        for state in self.ledger.spot_states():
            before = latest.get(state.spot)
            if before is None or before.occurred_at <= state.occurred_at:
                latest[state.spot] = state
        return {
            spot.number: TAKEN.get(latest[spot.id].state) if spot.id in latest else None
            for spot in self.lot.spots
        }
