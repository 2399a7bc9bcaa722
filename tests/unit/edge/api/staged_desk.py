"""A desk whose lanes show what a test sets, and which writes down what was done at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from edge.api.desk import Answer, LaneUnknown, LaneView, StatusView, StayQuote
from parking.decision import Reason, Refusal
from parking.lot import SpotType


class StagedDesk:
    """Stands in for the agent: `views` and `status_view` are what it tells, `done` what it was asked to do."""

    def __init__(self, views: dict[str, LaneView], status: StatusView) -> None:
        self.views = views
        self.status_view = status
        self.done: list[tuple[object, ...]] = []
        self.answer = Answer(accepted=True, sentence="Taken up.", reason=Reason.GRANTED)
        self.quoted: StayQuote | Refusal = Refusal(reason=Reason.NO_SUCH_STAY)
        self._changed = asyncio.Event()

    def show(self, view: LaneView) -> None:
        self.views[view.lane] = view
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def lanes(self) -> tuple[str, ...]:
        return tuple(self.views)

    def lane_view(self, lane: str) -> LaneView:
        if lane not in self.views:
            raise LaneUnknown(lane)
        return self.views[lane]

    async def watch(self, lane: str) -> AsyncIterator[LaneView]:
        while True:
            changed = self._changed
            yield self.lane_view(lane)
            await changed.wait()

    async def press_button(self, lane: str, spot_type: SpotType | None) -> Answer:
        return self._did("button", lane, spot_type)

    async def present_code(self, lane: str, text: str) -> Answer:
        return self._did("code", lane, text)

    async def present_plate(self, lane: str, plate: str, confidence: float) -> Answer:
        return self._did("plate", lane, plate, confidence)

    async def quote(self, text: str) -> StayQuote | Refusal:
        self._did("quote", text)
        return self.quoted

    async def pay(self, lane: str) -> Answer:
        return self._did("pay", lane)

    async def call_help(self, lane: str) -> Answer:
        return self._did("help", lane)

    async def end_help(self, lane: str) -> Answer:
        return self._did("end_help", lane)

    async def admit_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        return self._did("admit", lane, by, reason)

    async def open_with_reason(self, lane: str, by: str, reason: str) -> Answer:
        return self._did("open", lane, by, reason)

    def status(self) -> StatusView:
        return replace(self.status_view)

    def _did(self, *deed: object) -> Answer:
        if len(deed) > 1 and deed[0] != "quote":
            self.lane_view(str(deed[1]))
        self.done.append(deed)
        return self.answer
