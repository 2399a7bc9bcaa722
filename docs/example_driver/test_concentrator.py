"""The concentrator's lines, and the driver at a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from acme_lotgate.concentrator import make
from acme_lotgate.lines import read_line
from drivers.errors import CommandRefused, DeviceUnreachable, DriverMisconfigured, MalformedInput
from drivers.ports import MalformedReading, Move, MoveArm, Reading, SpotReading


class Ears:
    """A sink in the test's hand: it hears readings, and says when they are durable."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[Reading, asyncio.Future[None]]] = asyncio.Queue()

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard.put_nowait((reading, durable))
        return durable

    def alive(self) -> None:
        return None


@asynccontextmanager
async def concentrator() -> AsyncIterator[
    tuple[int, asyncio.Queue[asyncio.StreamWriter], asyncio.Queue[bytes]]
]:
    """The device: its port, the wires that were opened to it, and what it was told."""
    wires: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wires.put_nowait(writer)
        async for line in reader:
            told.put_nowait(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], wires, told


@pytest.mark.parametrize(
    ("line", "occupied", "lost"),
    [(b"17 4021 TAKEN", True, False), (b"17 4021 FREE", False, False), (b"17 4021 LOST", None, True)],
)
def test_a_line_says_whether_a_spot_is_taken(line: bytes, occupied: bool | None, lost: bool) -> None:
    assert read_line(line) == SpotReading(device="17", occupied=occupied, key="4021", lost=lost)


@pytest.mark.parametrize("line", [b"", b"17 TAKEN", b"17 4021 taken", b"17 4021 TAKEN ", b"\xff" * 9])
def test_another_line_is_refused_by_name(line: bytes) -> None:
    with pytest.raises(MalformedInput, match="SENSOR NUMBER STATE"):
        read_line(line)


async def test_the_concentrator_is_acknowledged_once_the_reading_is_durable_and_rubbish_disturbs_nothing() -> (
    None
):
    ears = Ears()
    async with concentrator() as (port, wires, told):
        at_work = asyncio.create_task(make("level-1", {"host": "127.0.0.1", "port": port}).run(ears))
        wire = await wires.get()
        wire.write(b"rubbish\n17 4021 TAKEN\n")
        malformed, kept = await ears.heard.get()
        assert isinstance(malformed, MalformedReading)
        kept.set_result(None)
        reading, durable = await ears.heard.get()
        assert reading == SpotReading(device="17", occupied=True, key="4021")
        assert told.empty()
        durable.set_result(None)
        assert await told.get() == b"ACK 4021\n"
        wire.close()
        with pytest.raises(DeviceUnreachable, match="hung up"):
            await at_work


async def test_what_it_cannot_do_is_refused() -> None:
    driver = make("level-1", {"host": "127.0.0.1"})
    with pytest.raises(CommandRefused, match="level-1 cannot do"):
        await driver.command(MoveArm(device="gate", move=Move.OPEN), timeout_s=1)


def test_a_wrong_setting_is_told_with_its_fix() -> None:
    with pytest.raises(DriverMisconfigured, match=r"port: .*its TCP port"):
        make("level-1", {"host": "127.0.0.1", "port": 0})
