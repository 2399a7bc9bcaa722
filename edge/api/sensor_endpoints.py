"""Telling a sensor something, by the people on site. The order goes to the driver that hears the sensor (drivers/mqtt/network_server.py)."""

from __future__ import annotations

from typing import Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.ports import Command, Done, TellSensor
from edge.api.bodies import SensorOrderBody
from edge.api.devices import Devices, Role
from edge.api.problems import Problem

PATH = "/api/v1/drivers/{driver}/sensors/{sensor}"
ANSWER_WITHIN_S = 10.0
LOG = structlog.stdlib.get_logger("edge.api.sensors")


class Sensors(Protocol):
    """Whoever has the sensors' drivers."""

    async def ask(self, device: str, command: Command, timeout_s: float) -> Done:
        """Carry a command to the driver `device`.

        Raises:
            DriverError: as `drivers.ports.Driver.command`.
        """
        ...


def sensor_endpoints(sensors: Sensors, devices: Devices) -> APIRouter:
    """The route of a sensor under its driver, for staff."""
    router = APIRouter()

    @router.post(PATH)
    async def tell(driver: str, sensor: str, request: Request, body: SensorOrderBody) -> JSONResponse:
        asking = devices.asking(request, Role.STAFF)
        command = TellSensor(device=sensor, order=body.order, seconds=body.seconds)
        LOG.info("sensor_told", driver=driver, sensor=sensor, order=str(body.order), by=asking.name)
        try:
            await sensors.ask(driver, command, ANSWER_WITHIN_S)
        except CommandUnanswered:
            # Most sensors listen only after they have spoken: the network server keeps the order until then.
            return JSONResponse({"state": "sent"}, status_code=202)
        except CommandRefused as refused:
            fix = "See docs/drivers.md for what can be told to which sensor."
            raise Problem(409, "refused", f"{refused}.", field="order", fix=fix) from refused
        except DeviceUnreachable as unheard:
            fix = "Name the driver of lot.toml that hears the sensor, and wait for the sensor's next word."
            raise Problem(404, "not_heard", f"{unheard}.", field="sensor", fix=fix) from unheard
        return JSONResponse({"state": "done"})

    return router
