"""Plate cameras that push to the agent's own HTTP port. Story "walk-in by plate", next file: edge/translation.py.

The agent's API is the one listener (docs/adr): it hands each request's body to the driver of the camera that sent it, and answers the camera
once everything in it is durable. A camera that is not answered sends again; the same event again is the same reading, by its key.

There is no wire to lose here. Where the camera sends signs of life, `heartbeat_s` says how often at least: a camera that is silent for longer
is unreachable, and shown so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, Field

from drivers.camera.sighting import Sighting
from drivers.camera.understanding import Understood, names, understand
from drivers.errors import CommandRefused, DeviceUnreachable, MalformedInput
from drivers.ports import Command, Done, Driver, MalformedReading, PlateReading, Push, Sink
from drivers.settings import DriverSettings, read_settings

AT_ONCE_BYTES = 64 * 1024
COMES_BACK_S = 3.0  # longer than the longest wait before a local driver is started again


def _known(name: str) -> str:
    if name not in names():
        raise ValueError(f"{name!r} is no camera's format")
    return name


class CameraSettings(DriverSettings):
    """The table of a plate camera."""

    format: Annotated[str, AfterValidator(_known)] = Field(
        description=f"what the camera sends: one of {', '.join(names())}"
    )
    least_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="a share from 0 to 1; a plate that is less sure counts as not read",
    )
    directions: tuple[str, ...] = Field(
        default=(),
        description='the camera\'s own words for the way that counts, such as ["forward"]; left out, every way does',
    )
    country: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{2}(-[A-Z]{2,3})?$",
        description='whose plates they are where the camera does not say, such as "GB"',
    )
    heartbeat_s: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="seconds within which the camera says at least that it lives; leave out where it does not",
    )


class PlateCamera:
    """The driver of one camera; readings carry the driver's name as their device."""

    def __init__(self, name: str, settings: CameraSettings) -> None:
        self._name = name
        self._settings = settings
        self._sink: Sink | None = None
        self._at_work = asyncio.Event()
        self._heard = asyncio.Event()

    async def run(self, sink: Sink) -> None:
        """Take pushes until cancelled, see `Driver.run`."""
        self._sink = sink
        self._at_work.set()
        try:
            while True:
                self._heard.clear()
                async with asyncio.timeout(self._settings.heartbeat_s):
                    await self._heard.wait()
        except TimeoutError as silent:
            raise DeviceUnreachable(
                f"the camera said nothing for {self._settings.heartbeat_s:g} s"
            ) from silent
        finally:
            self._at_work.clear()
            self._sink = None

    async def push(self, push: Push) -> None:
        """Take what the camera sent, see `PushedDriver.push`."""
        sink = await self._sink_at_work()
        try:
            understood = await self._understood(push)
        except MalformedInput as wrong:
            await sink.deliver(self._malformed(wrong))
            raise
        sink.alive()
        self._heard.set()
        readings = [self._reading(one) for one in understood.sightings if self._counts(one)]
        for durable in [sink.deliver(reading) for reading in readings]:
            await durable

    async def command(self, command: Command, *, timeout_s: float) -> Done:  # noqa: ARG002 - the port's signature
        """Refuse: a camera takes no commands."""
        raise CommandRefused(f"a camera cannot do {command}")

    async def _understood(self, push: Push) -> Understood:
        """What a body says; one with pictures takes a small computer a tenth of a second, which is not the lanes' time."""
        if len(push.body) <= AT_ONCE_BYTES:
            return understand(self._settings.format, push.content_type, push.body)
        return await asyncio.to_thread(understand, self._settings.format, push.content_type, push.body)

    async def _sink_at_work(self) -> Sink:
        """The sink, once the driver is at work: its supervisor may just be starting it again."""
        try:
            async with asyncio.timeout(COMES_BACK_S):
                while self._sink is None:
                    await self._at_work.wait()
        except TimeoutError as stopped:
            raise DeviceUnreachable(f"{self._name} is not at work") from stopped
        return self._sink

    def _counts(self, seen: Sighting) -> bool:
        """Whether a sighting is a reading: a vehicle told for the first time, on the way that counts, whose plate is sure enough."""
        if seen.plate is None or not seen.new:
            return False
        if self._settings.directions and seen.direction not in self._settings.directions:
            return False
        return seen.certainty is None or seen.certainty >= self._settings.least_confidence

    def _reading(self, seen: Sighting) -> PlateReading:
        return PlateReading(
            device=self._name,
            plate=seen.written or "",
            confidence=seen.certainty,
            key=_key(seen),
            country=seen.country or self._settings.country,
        )

    def _malformed(self, wrong: MalformedInput) -> MalformedReading:
        """Nothing of the body is kept: a plate or a face may be in it."""
        return MalformedReading(device=self._name, field=wrong.field, problem=wrong.problem, raw=b"")


def _key(seen: Sighting) -> str | None:
    """Names the event: by the camera's own number of it, else by its time; None where it has neither, for then two events look alike."""
    event = seen.event_id or seen.time or (seen.occurred_at.isoformat() if seen.occurred_at else None)
    if event is None:
        return None
    return sha256(f"{event}|{seen.camera}|{seen.plate}".encode()).hexdigest()[:32]


def make(name: str, settings: Mapping[str, object]) -> Driver:
    """Make the driver of one camera, see `DriverFactory`."""
    return PlateCamera(name, read_settings(CameraSettings, settings))
