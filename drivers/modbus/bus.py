"""One RS-485 bus: a request, its answer, and nothing else on the wire in between.

Frames and PDUs are pymodbus's, the turn-taking is ours: pymodbus's client shares one time-out between opening the port and
waiting for an answer, logs a packet dump for each answer that does not come, and reconnects on its own, beside the
supervisor. Modbus RTU has no transaction number, so an answer is taken only from the unit and for the function that were
asked; anything else on the line is late or foreign and is passed over. Source: MODBUS over Serial Line V1.02, 2.4 and 2.5.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.modbus.frames import FrameCutter
from drivers.serial_port.port import LineSettings, SerialPort

SHORT_EXCHANGE = 8 + 8  # characters of a request and an answer of ours
BITS_PER_CHARACTER = 11
ERROR_BIT = 0x80
EXCEPTION_NAMES = {
    1: "it does not know this function",
    2: "it has no such address",
    3: "it does not accept this value",
    4: "it failed to do it",
    5: "it needs more time",
    6: "it is busy",
}


def silence_s(baud: int) -> float:
    """Return the silence between two frames: 3.5 characters, and 1.75 ms above 19,200 baud (2.5.1.1)."""
    return 0.00175 if baud > 19_200 else 3.5 * BITS_PER_CHARACTER / baud


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to speak."""

    _transact: Callable[[ModbusPDU, float], Awaitable[ModbusPDU]]

    async def ask(self, request: ModbusPDU, *, within_s: float) -> ModbusPDU:
        """Send a request once and return its answer.

        `within_s` is what the unit may take between the end of the request and the beginning of its answer; the time that
        the bytes take on the wire is added here.

        Raises:
            CommandRefused: the unit answered with an exception.
            CommandUnanswered: nothing came in time.
            DeviceUnreachable: the wire is gone.
        """
        return await self._transact(request, within_s)


class Bus:
    """An open bus. Transactions take turns in the order in which they were asked for."""

    def __init__(self, line: LineSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._wire_s = SHORT_EXCHANGE * BITS_PER_CHARACTER / line.baud
        self._silence_s = silence_s(line.baud)
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._cutter = FrameCutter()
        self._turn = asyncio.Lock()
        self._asked: tuple[int, int] | None = None
        self._answer: asyncio.Future[ModbusPDU] | None = None
        self._quiet_at = self._loop.time()
        self._port = SerialPort(line, self._received)
        self.lost = self._port.lost
        self.lost.add_done_callback(self._line_lost)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    async def ask(self, request: ModbusPDU, *, within_s: float) -> ModbusPDU:
        """Take a turn for one request and return its answer, see `Turn.ask`."""
        async with self.turn() as turn:
            return await turn.ask(request, within_s=within_s)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Have the bus for a few transactions that belong together; others wait."""
        async with self._turn:
            yield Turn(self._transact)

    async def _transact(self, request: ModbusPDU, within_s: float) -> ModbusPDU:
        await self._be_quiet()
        self._cutter.clear()
        self._asked = (request.dev_id, request.function_code)
        answer: asyncio.Future[ModbusPDU] = self._loop.create_future()
        self._answer = answer
        try:
            self._port.write(self._framer.buildFrame(request))
            async with asyncio.timeout(within_s + self._wire_s):
                response = await answer
        except TimeoutError:
            if answer.cancelled():
                raise CommandUnanswered(f"unit {request.dev_id} said nothing for {within_s:.3f} s") from None
            response = answer.result()  # it came in time, it was this loop that looked late
        finally:
            self._asked = None
            self._quiet_at = self._loop.time() + self._silence_s
        if isinstance(response, ExceptionResponse):
            why = EXCEPTION_NAMES.get(response.exception_code, f"exception {response.exception_code}")
            raise CommandRefused(f"unit {request.dev_id} refused: {why}")
        return response

    async def _be_quiet(self) -> None:
        left_s = self._quiet_at - self._loop.time()
        if left_s > 0:
            await asyncio.sleep(left_s)

    def _received(self, data: bytes) -> None:
        for pdu in self._cutter.feed(data):  # one read may bring a late answer and the one that was asked for
            answer = self._answer
            if answer is None or answer.done() or self._asked is None:
                return
            if (pdu.dev_id, pdu.function_code & ~ERROR_BIT) == self._asked:
                answer.set_result(pdu)

    def _line_lost(self, lost: asyncio.Future[None]) -> None:
        why = lost.exception()
        if why is not None and self._answer is not None and not self._answer.done():
            self._answer.set_exception(why)
            self._answer.exception()  # whoever waits has it; nobody waiting is no error
