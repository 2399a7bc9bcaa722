"""An event loop whose clock jumps to the next timer: days pass in seconds, always in the same order.

Theory. asyncio runs what is ready in the order in which it became ready, and timers by their instant, so a loop is deterministic where nothing from
outside reaches it and no instant is read from outside. This one never waits: where production would sleep, the clock moves on. With `outside` (the seeds on a real PostgreSQL) it waits for sockets while somebody says that an answer is on its way.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")
LONGEST_REAL_WAIT_S = 30.0
TURN_S = 1e-6
"""A turn of the loop takes time, as it does in production: who waits for an instant that is a rounding error away would else wait for ever."""


class Stillness(Exception):
    """Nothing is ready and no timer runs: nothing will ever happen again."""


class VirtualTime:
    """Seconds since the beginning of the world."""

    def __init__(self) -> None:
        self.now_s = 0.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `outside` answers whether something from outside is awaited now; None: never.

    asyncio's own loop, its callbacks, timers and tasks, with a turn written for a day of a hundred thousand of them: what is ready in the order in
    which it became so, then the timers by instant and age. Nothing here may be called from another thread.
    """

    def __init__(self, time: VirtualTime, *, outside: Callable[[], bool] | None = None) -> None:
        self._virtual = time
        self._outside = outside
        self._sockets = selectors.DefaultSelector()
        self._soon: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._age = count()
        super().__init__(self._sockets)

    def time(self) -> float:
        return self._virtual.now_s

    def get_debug(self) -> bool:
        return False

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._virtual.now_s + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._age), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its instant comes."""

    def _asyncgen_firstiter_hook(self, generator: object) -> None:
        """Nobody closes the generators of a world that is over."""

    def _add_callback(self, handle: asyncio.Handle) -> None:
        """A socket became ready."""
        if not handle.cancelled():
            self._soon.append(handle)

    def _run_once(self) -> None:
        """One turn; where production would sleep, the clock moves on."""
        soon, timers = self._soon, self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if self._outside is not None:
            self._look_outside(self._outside)
        if soon:
            self._virtual.now_s += TURN_S
        elif timers:
            self._virtual.now_s = max(timers[0][0], self._virtual.now_s + TURN_S)
        else:
            raise Stillness
        now_s = self._virtual.now_s
        while timers and timers[0][0] <= now_s:
            handle = heappop(timers)[2]
            if not handle.cancelled():
                soon.append(handle)
        for _ in range(len(soon)):
            ready = soon.popleft()
            if not ready.cancelled():
                ready._run()

    def _look_outside(self, is_awaited: Callable[[], bool]) -> None:
        ready = self._sockets.select(0)
        if not ready and not self._soon and is_awaited():
            ready = self._sockets.select(LONGEST_REAL_WAIT_S)
        self._process_events(ready)  # type: ignore[attr-defined]  # asyncio's own: hands each event to its reader


class TierClock:
    """The truth, and the centre's clock: civil time from `start_at`."""

    def __init__(self, time: VirtualTime, start_at: datetime) -> None:
        self._time = time
        self._start_at = start_at

    def now(self) -> datetime:
        return self._start_at + timedelta(seconds=round(self._time.now_s, 6))

    def monotonic(self) -> float:
        return self._time.now_s

    def real_s(self, civil: timedelta) -> float:
        return civil.total_seconds()

    @property
    def known(self) -> bool:
        return True

    def knew(self, _at: datetime) -> bool:
        return True

    def dark_since(self, _at: datetime) -> datetime | None:
        return None

    def lower_bound(self) -> datetime:
        return self.now()

    def released_before(self) -> datetime:
        return self.now()


class RawClock:
    """A machine's civil clock, which a hand, a flat battery or a bad time server sets: `offset` from the truth, in steps of a microsecond."""

    def __init__(self, truth: TierClock) -> None:
        self._truth = truth
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return self._truth.now() + self.offset

    def monotonic(self) -> float:
        return self._truth.monotonic()

    def real_s(self, civil: timedelta) -> float:
        return civil.total_seconds()


Told = Callable[[str, BaseException | None], None]


def run_virtually(
    main: Any, time: VirtualTime, told: Told, *, outside: Callable[[], bool] | None = None
) -> Any:
    """Run a coroutine to its end in a loop of its own; every other task is cancelled then. `told` hears of errors that nobody took."""
    loop = VirtualLoop(time, outside=outside)
    loop.set_exception_handler(lambda _, context: told(str(context["message"]), context.get("exception")))
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.set_event_loop(None)
        loop.close()


class Killed(BaseException):
    """What a process of the simulation hears at the instant of its death: no handler of the product catches it."""
