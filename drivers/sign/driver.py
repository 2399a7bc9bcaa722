"""Full/free signs and spot lamps: outputs that follow a picture of the lot. The picture comes from edge/sign_pictures.py.

Theory. The edge hands over a whole picture whenever something changed, and again now and then; the driver holds the last one and what the sign
shows, and sends what differs, one output after the other. A new line knows nothing of what is shown, so everything goes out again; an output that
was refused or not answered counts as not shown and is sent again at the next look. A picture older than `stale_after_s` counts for nothing: then
outputs show that nothing is known, or stay as they are, as the settings say. Where a sign can be asked what it
shows, a difference (it was without power) is put right.

A wire is one of three (serial text, Modbus, MQTT) behind `SignWire`; nothing else differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal, Protocol, Union

from pydantic import Field, create_model

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.ports import Command, Condition, ConditionReading, Done, Driver, ShowPlaces, Sink
from drivers.settings import DriverSettings, read_settings
from drivers.sign.outputs import NOTHING_KNOWN, OutputSettings, Picture, Shown
from drivers.sign.over_modbus import ModbusSignSettings, modbus_sign
from drivers.sign.over_mqtt import MqttSignSettings, mqtt_sign
from drivers.sign.over_serial import SerialSignSettings, serial_sign
from drivers.sign.settings import SignSettings


class SignWire(Protocol):
    """An open wire to a sign."""

    lost: asyncio.Future[None]

    async def show(self, at: str, value: Shown) -> None:
        """Let an output show a value.

        Raises:
            CommandRefused: the sign said no.
            CommandUnanswered: it said nothing.
            DeviceUnreachable: the wire is gone.
        """
        ...

    async def shows(self, at: str, value: Shown) -> bool:
        """Whether the output still shows the value; True where the sign cannot be asked.

        Raises:
            CommandRefused, CommandUnanswered, DeviceUnreachable: as `show`.
        """
        ...


LOST = "the wire was lost"
OpenWire = Callable[[str, Sink], AbstractAsyncContextManager[SignWire]]


class Sign:
    """The driver of one sign; commands name the driver as their device."""

    def __init__(self, name: str, settings: SignSettings, open_wire: OpenWire) -> None:
        self._name = name
        self._settings = settings
        self._open_wire = open_wire
        self._picture = NOTHING_KNOWN
        self._picture_at: float | None = None
        self._changed = asyncio.Event()
        self._open = False
        self._waiting: list[asyncio.Future[str]] = []

    async def run(self, sink: Sink) -> None:
        """Show the picture until cancelled, see `Driver.run`."""
        async with self._open_wire(self._name, sink) as wire:
            face = _Face(self._name, self._settings.outputs, wire, sink)
            self._open = True
            try:
                while not wire.lost.done():
                    self._changed.clear()
                    waiting, self._waiting = self._waiting, []
                    try:
                        await face.follow(self._current())
                    finally:
                        _answer(waiting, face.complaint)
                    if not await self._changed_in_time(wire):
                        await face.look()
                wire.lost.result()
            finally:
                self._open = False
                _answer(self._waiting, LOST)
                face.close()

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Take a picture and let the sign follow, see `Driver.command` and `ShowPlaces`."""
        if not isinstance(command, ShowPlaces) or command.device != self._name:
            raise CommandRefused(f"{self._name} cannot do {command}")
        loop = asyncio.get_running_loop()
        self._picture = Picture(free=dict(command.free), taken=dict(command.taken))
        self._picture_at = loop.time()
        self._changed.set()
        if not self._open:
            raise DeviceUnreachable(f"the wire to {self._name} is not open; the picture is shown when it is")
        answer: asyncio.Future[str] = loop.create_future()
        self._waiting.append(answer)
        try:
            async with asyncio.timeout(timeout_s):
                complaint = await answer
        except TimeoutError:
            raise CommandUnanswered(f"{self._name} did not follow within {timeout_s} s") from None
        if complaint == LOST:
            raise DeviceUnreachable(
                f"the wire to {self._name} was lost; the picture is shown when it is back"
            )
        if complaint:
            raise CommandRefused(complaint)
        return Done()

    def _current(self) -> Picture | None:
        """The picture to be shown now; None: leave everything as it is."""
        now = asyncio.get_running_loop().time()
        if self._picture_at is not None and now - self._picture_at < self._settings.stale_after_s:
            return self._picture
        return None if self._settings.when_stale == "keep" else NOTHING_KNOWN

    async def _changed_in_time(self, wire: SignWire) -> bool:
        """Wait for a new picture, for the present one to become stale, for the time to look, or for the loss of the wire."""
        now, wait_s = asyncio.get_running_loop().time(), self._settings.check_every_s
        if self._picture_at is not None and self._picture_at + self._settings.stale_after_s > now:
            wait_s = min(wait_s, self._picture_at + self._settings.stale_after_s - now)
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            ends: set[asyncio.Future[Any]] = {changed, wire.lost}
            await asyncio.wait(ends, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        return self._changed.is_set() or wire.lost.done()


class _Face:
    """What one open sign shows; `complaint` says what it did not take, empty where it took everything."""

    def __init__(self, name: str, outputs: tuple[OutputSettings, ...], wire: SignWire, sink: Sink) -> None:
        self._name = name
        self._outputs = outputs
        self._wire = wire
        self._sink = sink
        self._shown: dict[str, Shown] = {}
        self._refused: dict[str, str] = {}
        self._told: frozenset[Condition] | None = None

    @property
    def complaint(self) -> str:
        return "; ".join(f"{at}: {why}" for at, why in self._refused.items())

    async def follow(self, picture: Picture | None) -> None:
        """Send what differs from a picture."""
        for output in self._outputs if picture is not None else ():
            value = output.value(picture or NOTHING_KNOWN)
            if output.at in self._shown and self._shown[output.at] == value:
                continue
            self._shown.pop(output.at, None)
            try:
                await self._wire.show(output.at, value)
            except (CommandRefused, CommandUnanswered) as wrong:
                self._refused[output.at] = str(wrong)
            else:
                self._refused.pop(output.at, None)
                self._shown[output.at] = value
        self._tell()

    async def look(self) -> None:
        """Forget what the sign does not show any more: it goes out again at once."""
        for at, value in tuple(self._shown.items()):
            try:
                still = await self._wire.shows(at, value)
            except (CommandRefused, CommandUnanswered) as wrong:
                self._refused[at] = str(wrong)
                still = False
            if not still:
                self._shown.pop(at)
        self._tell()

    def close(self) -> None:
        """The wire is gone: how the sign is, is not known."""
        if self._told is not None:
            self._sink.deliver(ConditionReading(device=self._name, conditions=None))

    def _tell(self) -> None:
        conditions = frozenset({Condition.FAULT} if self._refused else ())
        if conditions != self._told:
            self._told = conditions
            self._sink.deliver(ConditionReading(device=self._name, conditions=conditions))


def _answer(waiting: list[asyncio.Future[str]], complaint: str) -> None:
    for each in waiting:
        if not each.done():
            each.set_result(complaint)
    waiting.clear()


WIRES: Mapping[str, type[SignSettings]] = {
    "serial": SerialSignSettings,
    "modbus": ModbusSignSettings,
    "mqtt": MqttSignSettings,
}


def _any_sign() -> type[DriverSettings]:
    """Every key that a sign's table may have, for an editor and for a misspelt one; what belongs together is each wire's own business."""
    annotations: dict[str, tuple[object, ...]] = {}
    described: dict[str, Any] = {}
    for model in WIRES.values():
        for name, field in model.model_fields.items():
            annotations[name] = (*annotations.get(name, ()), field.annotation)
            described[name] = Field(default=None, description=field.description)
    fields: dict[str, Any] = {
        name: (Union[(*annotations[name], None)], described[name]) for name in annotations
    }
    over = Field(description='"serial", "modbus" or "mqtt"')
    fields["over"] = (Literal["serial", "modbus", "mqtt"], over)
    return create_model("AnySign", __base__=DriverSettings, **fields)


ANY_SIGN = _any_sign()


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one sign, see `DriverFactory`: the key `over` says on which wire it hangs."""
    read_settings(ANY_SIGN, settings)
    match settings["over"]:
        case "serial":
            serial = read_settings(SerialSignSettings, settings)
            return Sign(name, serial, partial(serial_sign, serial))
        case "modbus":
            modbus = read_settings(ModbusSignSettings, settings)
            return Sign(name, modbus, partial(modbus_sign, modbus))
        case _:
            mqtt = read_settings(MqttSignSettings, settings)
            return Sign(name, mqtt, partial(mqtt_sign, mqtt))
