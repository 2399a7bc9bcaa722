"""An event loop whose clock jumps to the next timer: days pass in seconds, always in the same order.

Theory. asyncio runs what is ready in the order in which it became ready, and timers by their instant, so a loop is deterministic where nothing from
outside reaches it and no instant is read from outside. This one has a selector that never waits: where production would sleep, the clock moves
on. With `outside` (the seeds on a real PostgreSQL) it waits for sockets while somebody says that an answer is on its way.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

LONGEST_REAL_WAIT_S = 30.0
TURN_S = 1e-6
"""A turn of the loop takes time, as it does in production: who waits for an instant that is a rounding error away would else wait for ever."""


class Stillness(Exception):
    """Nothing is ready and no timer runs: nothing will ever happen again."""


class VirtualTime:
    """Seconds since the beginning of the world."""

    def __init__(self) -> None:
        self.now_s = 0.0


class _Selector(selectors.DefaultSelector):
    """Moves the clock instead of waiting."""

    def __init__(self, time: VirtualTime, outside: Callable[[], bool] | None) -> None:
        super().__init__()
        self._time = time
        self._outside = outside

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._outside is not None:
            ready = super().select(0)
            if ready or timeout == 0:
                return ready
            if self._outside():
                return super().select(LONGEST_REAL_WAIT_S)
        if timeout is None:
            raise Stillness
        self._time.now_s += max(TURN_S, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `outside` answers whether something from outside is awaited now; None: never."""

    def __init__(self, time: VirtualTime, *, outside: Callable[[], bool] | None = None) -> None:
        self._virtual = time
        super().__init__(_Selector(time, outside))

    def time(self) -> float:
        return self._virtual.now_s


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
