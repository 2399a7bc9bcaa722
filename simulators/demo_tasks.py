"""How the demo does one thing while others go on, and what blocks in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

_T = TypeVar("_T")


async def doing_while(doing: Coroutine[object, object, _T], *watching: Coroutine[object, object, None]) -> _T:
    """Do something while others go on for ever; whichever of them fails first ends it."""
    main = asyncio.ensure_future(doing)
    others = [asyncio.ensure_future(each) for each in watching]
    try:
        await asyncio.wait({main, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (main, *others):
            each.cancel()
        await asyncio.gather(main, *others, return_exceptions=True)
    for each in others:
        if not each.cancelled():
            each.result()
    return main.result()


async def in_thread(work: Callable[[], _T]) -> _T:
    """Work in a thread to its end, also where the demo is to end meanwhile: a server that is starting is stopped once it is up."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise
