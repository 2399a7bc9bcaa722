"""One OSDP line at work: libosdp stepped on the event loop, and what is known of each reader. Used by drivers/osdp/reader.py.

Theory. libosdp is the panel: it polls, keeps the secure channel and takes no more than a fraction of a millisecond a step, so it is
stepped on the event loop and has no thread. Its bytes go through our own port; a second listener (bus_watch.py) hears them
too, because libosdp tells neither a wrong key nor, in time, a reader that is gone.

    away ──secure channel is up──▶ here ──no answer for silent_ms, or the channel is down──▶ away
    away for retry_ms: the reader is switched off and on in libosdp, which would otherwise wait for five minutes

A reader without a secure channel is not used: what it says is not passed on. A card is told to its driver once, as it is read; OSDP
has no acknowledgement that could wait for our disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import osdp_sys
import structlog
from osdp import Channel, Event, LibFlag, LogLevel, PDInfo

from drivers.errors import CommandRefused, DeviceUnreachable
from drivers.osdp.bus_watch import Answered, BusWatch, Finding, KeyProved, KeyVerdict
from drivers.osdp.cards import card_reading
from drivers.osdp.settings import OsdpSettings
from drivers.osdp.signals import SIGNALS
from drivers.ports import (
    CodeReading,
    Condition,
    ConditionReading,
    MalformedReading,
    ShowSignal,
    Sink,
)
from drivers.serial_port.framing import Broken
from drivers.serial_port.port import SerialPort
from drivers.serial_port.tap import Tap

LOG = structlog.stdlib.get_logger("drivers.osdp")

STEP_S = 0.03
INPUT_BYTES = 4096
CARDS_PER_S = 20
NOISES_PER_S = 5  # a bus beside a motor is never quite clean
COMPLETED = 0


@dataclass(slots=True)
class _Unit:
    """What is known of one reader; instants in the loop's monotonic seconds."""

    name: str
    address: int
    place: int  # its bit in libosdp's masks
    tried_at: float
    heard_at: float
    here: bool | None = None
    conditions: frozenset[Condition] = frozenset()
    to_enable: bool = False
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Line(Channel):  # type: ignore[misc] # libosdp has no types
    """An open line: libosdp's channel to its readers, and what is known of each."""

    def __init__(self, name: str, settings: OsdpSettings, keys: Mapping[int, bytes], sink: Sink) -> None:
        super().__init__()
        self._settings = settings
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._watch = BusWatch(keys)
        self._input = bytearray()
        self._name = name
        self._cards = Tap(name, sink, CARDS_PER_S)
        self._noise = Tap(name, sink, NOISES_PER_S)
        self._findings: list[Finding] = []
        self._presented: list[CodeReading | MalformedReading] = []
        self._timer: asyncio.TimerHandle | None = None
        now = self._loop.time()
        self._due_at = now
        self._units = [
            _Unit(name=name, address=address, place=place, tried_at=now, heard_at=now)
            for place, (name, address) in enumerate(settings.units.items())
        ]
        self._by_address = {unit.address: unit for unit in self._units}
        self._port = SerialPort(settings, self._received)
        self._panel = self._make_panel(keys)

    def _make_panel(self, keys: Mapping[int, bytes]) -> osdp_sys.ControlPanel:
        """Libosdp's own wrapper in Python keeps every event in a queue that nobody empties, so what it wraps is used."""
        osdp_sys.set_loglevel(LogLevel.Emergency)
        readers = []
        for unit in self._units:
            may_be_new = unit.name in self._settings.default_key
            flags = [LibFlag.EnableNotification, *([] if may_be_new else [LibFlag.EnforceSecure])]
            info = PDInfo(unit.address, self, scbk=keys[unit.address], name=unit.name, flags=flags)
            readers.append(info.get())
        panel = osdp_sys.ControlPanel(readers)
        panel.set_event_callback(self._event)
        panel.set_command_completion_callback(self._completed)
        return panel

    async def run(self) -> None:
        """Step libosdp until cancelled, or until the port is lost.

        Raises:
            DeviceUnreachable: the wire is gone.
        """
        self._tick()
        await self._port.lost

    def close(self) -> None:
        """Give the port back; nothing is known of any reader any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._port.close()
        self._cards.close()
        self._noise.close()
        for unit in self._units:
            self._away(unit)

    async def show(self, command: ShowSignal) -> None:
        """Send a signal's commands; returns when the reader has taken them.

        Raises:
            CommandRefused: the reader said no.
            DeviceUnreachable: the reader is away.
        """
        unit = next(unit for unit in self._units if unit.name == command.device)
        if not unit.here:
            raise DeviceUnreachable(f"{unit.name} does not answer")
        answers = []
        for each in SIGNALS[command.signal]:
            if not self._panel.submit_command(unit.place, dict(each)):
                raise CommandRefused(f"libosdp takes no more commands for {unit.name}")
            answers.append(self._loop.create_future())
            unit.waiting.append(answers[-1])
        await asyncio.gather(*answers)

    # What libosdp calls in the middle of a step: it has nobody to hand an error to, so what was heard is told after the step.

    def read(self, max_bytes: int) -> bytes:
        """Hand over what the port brought."""
        taken = bytes(self._input[:max_bytes])
        del self._input[:max_bytes]
        return taken

    def write(self, data: bytes) -> int:
        """Send; where the port is lost, `run` ends by itself."""
        self._findings += self._watch.said(bytes(data))
        try:
            self._port.write(data)
        except DeviceUnreachable:
            return 0
        return len(data)

    def flush(self) -> None:
        """Forget what came and was not read."""
        self._input.clear()

    def _event(self, place: int, event: Mapping[str, object]) -> int:
        unit = self._units[place]
        if event.get("event") == Event.CardRead and unit.here:
            self._presented.append(card_reading(unit.name, event, self._settings.cards_37))
        return 0

    def _completed(self, place: int, _command: Mapping[str, object], status: int) -> None:
        waiting = self._units[place].waiting
        if not waiting:
            return
        answer = waiting.popleft()
        if answer.done():
            return
        if status == COMPLETED:
            answer.set_result(None)
        else:
            answer.set_exception(CommandRefused(f"{self._units[place].name} did not carry it out"))

    # The line itself

    def _received(self, data: bytes) -> None:
        self._input += data
        if len(self._input) > INPUT_BYTES:
            del self._input[:-INPUT_BYTES]
        self._findings += self._watch.heard(data)
        self._step()

    def _tick(self) -> None:
        now = self._loop.time()
        for unit in self._units:  # a pause of our own loop is no silence of a reader
            unit.heard_at += max(0.0, now - self._due_at)
        self._due_at = now + STEP_S
        self._timer = self._loop.call_at(self._due_at, self._tick)
        self._step()

    def _step(self) -> None:
        self._panel.refresh()
        self._tell_what_was_heard()
        now = self._loop.time()
        secure = self._panel.sc_status()
        for unit in self._units:
            answers = now - unit.heard_at < self._patience_s(unit)
            if answers and secure >> unit.place & 1:
                self._here(unit)
            else:
                if not answers and unit.here is None:
                    self._tell_away(unit)
                self._away(unit)
                self._try_again(unit, now)

    def _tell_what_was_heard(self) -> None:
        findings, self._findings = self._findings, []
        self._found(findings)
        cards, self._presented = self._presented, []
        for card in cards:
            self._cards.take(card)

    def _patience_s(self, unit: _Unit) -> float:
        """One that is not here is not polled between two attempts: its silence says nothing until both were in vain."""
        silent_ms, retry_ms = self._settings.silent_ms, self._settings.retry_ms
        return (silent_ms if unit.here else max(silent_ms, 2 * retry_ms)) / 1_000

    def _here(self, unit: _Unit) -> None:
        if unit.here:
            return
        unit.here = True
        unit.conditions = frozenset()
        LOG.info("reader_here", reader=unit.name)
        self._sink.deliver(ConditionReading(device=unit.name, conditions=frozenset()))

    def _away(self, unit: _Unit) -> None:
        while unit.waiting:
            answer = unit.waiting.popleft()
            if not answer.done():
                answer.set_exception(DeviceUnreachable(f"{unit.name} does not answer"))
        if unit.here:
            unit.tried_at = self._loop.time() - self._settings.retry_ms / 1_000
            self._tell_away(unit)

    def _tell_away(self, unit: _Unit) -> None:
        unit.here = False
        unit.conditions = frozenset()
        LOG.warning("reader_away", reader=unit.name)
        self._sink.deliver(ConditionReading(device=unit.name, conditions=None))

    def _try_again(self, unit: _Unit, now: float) -> None:
        if unit.to_enable:
            unit.to_enable = not self._panel.enable_pd(unit.place)
        elif now - unit.tried_at >= self._settings.retry_ms / 1_000:
            unit.tried_at = now
            unit.to_enable = bool(self._panel.disable_pd(unit.place))

    def _found(self, findings: list[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, Broken):
                self._noise.take(
                    MalformedReading(
                        device=self._name, field=finding.field, problem=finding.problem, raw=finding.raw
                    )
                )
                continue
            unit = self._by_address.get(finding.address)
            if unit is None:
                continue
            if isinstance(finding, Answered):
                unit.heard_at = self._loop.time()
                self._sink.alive()
            elif isinstance(finding, KeyProved):
                self._proved(unit, finding.verdict)

    def _proved(self, unit: _Unit, verdict: KeyVerdict) -> None:
        wrong = verdict is not KeyVerdict.RIGHT
        if verdict is KeyVerdict.FACTORY and unit.name in self._settings.default_key:
            LOG.warning("reader_gets_its_key", reader=unit.name)
            return
        conditions = frozenset({Condition.WRONG_KEY}) if wrong else frozenset()
        if conditions == unit.conditions:
            return
        unit.conditions = conditions
        if wrong:
            LOG.error("reader_has_another_key", reader=unit.name, problem=verdict.value)
            self._sink.deliver(ConditionReading(device=unit.name, conditions=conditions))
            self._sink.deliver(
                MalformedReading(device=unit.name, field="key", problem=verdict.value, raw=b"")
            )
