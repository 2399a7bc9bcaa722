from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from tests.contract.drivers.osdp_rig import OsdpRig
from tests.contract.drivers.rigs import BarrierRig, GpioRig, MqttRig, PrinterRig, ReaderRig, Rig, TerminalRig


@pytest.fixture
def broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        yield broker
        broker.stop()


@pytest.fixture(
    params=[
        "modbus_barrier",
        "gpio",
        "ticket_printer",
        "serial_reader",
        "payment_terminal",
        "osdp_reader",
        "mqtt",
    ]
)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig: Rig
    match request.param:
        case "modbus_barrier":
            rig = BarrierRig(tmp_path)
        case "ticket_printer":
            rig = PrinterRig(tmp_path)
        case "gpio":
            rig = GpioRig(tmp_path)
        case "serial_reader":
            rig = ReaderRig(tmp_path)
        case "payment_terminal":
            rig = TerminalRig(tmp_path)
        case "osdp_reader":
            rig = OsdpRig(tmp_path)
        case _:
            rig = MqttRig(request.getfixturevalue("broker"))
    rig.bring_back()
    yield rig
    rig.lose()
