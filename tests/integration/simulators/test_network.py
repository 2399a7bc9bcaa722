from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from simulators.network import Direction, Flow, Line

SOON_S = 5.0
NOTHING_S = 0.15


@dataclass(frozen=True, slots=True)
class Rig:
    """An echo at the far end of a line."""

    line: Line
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self, port: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.line.port)
        self.writers.append(writer)
        return reader, writer

    async def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    line = Line("127.0.0.1", server.sockets[0].getsockname()[1])
    await line.start()
    rig = Rig(line)
    yield rig
    await rig.hang_up()
    await line.stop()
    server.close()
    await server.wait_closed()


async def hears(reader: asyncio.StreamReader, expected: bytes) -> bool:
    async with asyncio.timeout(SOON_S):
        return await reader.readexactly(len(expected)) == expected


async def hears_nothing(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(NOTHING_S):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def is_reset(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(SOON_S):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


async def test_a_line_carries_both_ways(rig: Rig) -> None:
    reader, writer = await rig.dial()
    writer.write(b"hello")
    assert await hears(reader, b"hello")
    status = rig.line.status()
    assert (status["up_bytes"], status["down_bytes"]) == (5, 5)


async def test_a_cut_resets_what_is_open_and_refuses_what_dials_until_it_is_restored(rig: Rig) -> None:
    reader, _ = await rig.dial()
    await asyncio.sleep(0)
    rig.line.cut()
    assert await is_reset(reader)
    reader, _ = await rig.dial()
    assert await is_reset(reader)
    rig.line.restore()
    reader, writer = await rig.dial()
    writer.write(b"back")
    assert await hears(reader, b"back")
    assert rig.line.cuts == 1


@pytest.mark.parametrize("direction", list(Direction))
async def test_a_half_open_line_says_nothing_and_loses_nothing(rig: Rig, direction: Direction) -> None:
    reader, writer = await rig.dial()
    rig.line.flow(direction, Flow.HOLD)
    writer.write(b"later")
    assert await hears_nothing(reader)
    rig.line.restore()
    assert await hears(reader, b"later")


@pytest.mark.parametrize("direction", list(Direction))
async def test_swallowed_bytes_never_arrive_and_the_restored_line_is_a_new_one(
    rig: Rig, direction: Direction
) -> None:
    reader, writer = await rig.dial()
    rig.line.flow(direction, Flow.SWALLOW)
    writer.write(b"lost")
    assert await hears_nothing(reader)
    assert rig.line.status()[f"{direction}_swallowed_bytes"] == 4
    rig.line.restore()
    assert await is_reset(reader)


async def test_a_slow_direction_is_late_by_its_delay(rig: Rig) -> None:
    reader, writer = await rig.dial()
    rig.line.delay(Direction.DOWN, 0.2)
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    writer.write(b"slow")
    assert await hears(reader, b"slow")
    assert loop.time() - began_at >= 0.2


async def test_a_line_is_a_process_that_takes_orders(rig: Rig) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators.network", "--to", f"127.0.0.1:{rig.line.port}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(30):
        listening = json.loads(await process.stdout.readline())
        reader, writer = await rig.dial(listening["port"])
        writer.write(b"through two lines")
        assert await hears(reader, b"through two lines")
        answers = []
        for order in (
            '{"do": "cut"}',
            '{"do": "dance"}',
            '{"do": "flow", "direction": "sideways"}',
            "no JSON",
        ):
            process.stdin.write(order.encode() + b"\n")
            answers.append(json.loads(await process.stdout.readline())["event"])
        assert answers == ["done", "refused", "refused", "refused"]
        assert await is_reset(reader)
        process.stdin.write(b'{"do": "end"}\n')
        assert await process.wait() == 0
