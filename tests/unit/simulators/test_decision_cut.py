from __future__ import annotations

import asyncio

import pytest

from simulators.decision_cut import DecisionCut
from simulators.network import Direction, Line
from sync.codec import encode
from sync.messages import Decision, DocumentAck, PageAck

DECIDED = encode(Decision(epoch=1, session=1, reservation="r-1", revision=1, outcome="aborted"))
HARMLESS = [
    encode(PageAck(epoch=1, session=1, seq=7, hash=bytes(32))),
    encode(DocumentAck(epoch=1, session=1, n=3)),
]


async def exchanged(cut: DecisionCut, *, armed: bool, down: list[bytes]) -> bytes:
    """What of `down` arrives at who dialled."""
    sent_all = asyncio.Event()

    async def centre(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for frame in down:
            writer.write(frame)
            await writer.drain()
            await asyncio.sleep(0.05)  # each by itself, as the link sends them
        sent_all.set()
        writer.close()

    server = await asyncio.start_server(centre, "127.0.0.1", 0)
    line = Line("127.0.0.1", server.sockets[0].getsockname()[1], filters=cut.filters)
    await line.start()
    if armed:
        cut.arm(line)
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    await sent_all.wait()
    arrived = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await line.stop()
    server.close()
    return arrived


async def test_the_decision_and_all_behind_it_are_lost_and_what_came_before_is_not() -> None:
    cut = DecisionCut()
    arrived = await exchanged(cut, armed=True, down=[*HARMLESS, DECIDED, HARMLESS[0]])
    assert arrived == b"".join(HARMLESS)
    assert await cut.struck(0.0)


async def test_unarmed_everything_passes() -> None:
    cut = DecisionCut()
    down = [*HARMLESS, DECIDED, HARMLESS[0]]
    assert await exchanged(cut, armed=False, down=down) == b"".join(down)
    assert not await cut.struck(0.0)


@pytest.mark.parametrize("frame", HARMLESS)
async def test_nothing_else_strikes(frame: bytes) -> None:
    cut = DecisionCut()
    assert cut.filters()[Direction.DOWN](frame) == frame
    assert not await cut.struck(0.01)
