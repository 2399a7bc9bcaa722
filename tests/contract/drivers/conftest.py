from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from simulators.broker import Broker
from tests.contract.drivers.ble_rig import BleRig, GattBarrierRig
from tests.contract.drivers.camera_rig import CameraRig
from tests.contract.drivers.mqtt_rigs import LorawanRig, SparkplugRig, ZigbeeRig
from tests.contract.drivers.osdp_rig import OsdpRig
from tests.contract.drivers.relay_rig import RelayRig
from tests.contract.drivers.rigs import BarrierRig, GpioRig, MqttRig, PrinterRig, ReaderRig, Rig, TerminalRig
from tests.contract.drivers.sign_rigs import ModbusSignRig, MqttSignRig, SerialSignRig


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
        "modbus_relays",
        "gpio",
        "ticket_printer",
        "sign_on_serial",
        "sign_on_modbus",
        "sign_at_broker",
        "serial_reader",
        "payment_terminal",
        "osdp_reader",
        "ble",
        "ble_barrier",
        "plate_camera",
        "mqtt",
        "chirpstack",
        "tts",
        "sparkplug",
        "zigbee2mqtt",
    ]
)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    rig: Rig
    match request.param:
        case "modbus_barrier":
            rig = BarrierRig(tmp_path)
        case "ticket_printer":
            rig = PrinterRig(tmp_path)
        case "sign_on_serial":
            rig = SerialSignRig(tmp_path)
        case "sign_on_modbus":
            rig = ModbusSignRig(tmp_path)
        case "sign_at_broker":
            rig = MqttSignRig(request.getfixturevalue("broker"))
        case "modbus_relays":
            rig = RelayRig(tmp_path)
        case "gpio":
            rig = GpioRig(tmp_path)
        case "serial_reader":
            rig = ReaderRig(tmp_path)
        case "payment_terminal":
            rig = TerminalRig(tmp_path)
        case "osdp_reader":
            rig = OsdpRig(tmp_path)
        case "ble" | "ble_barrier":
            rig = BleRig(tmp_path) if request.param == "ble" else GattBarrierRig(tmp_path)
            request.getfixturevalue("monkeypatch").setenv("DBUS_SYSTEM_BUS_ADDRESS", rig.bus.address)
        case "plate_camera":
            rig = CameraRig()
        case "chirpstack" | "tts":
            rig = LorawanRig(request.getfixturevalue("broker"), request.param)
        case "sparkplug":
            rig = SparkplugRig(request.getfixturevalue("broker"))
        case "zigbee2mqtt":
            rig = ZigbeeRig(request.getfixturevalue("broker"))
        case _:
            rig = MqttRig(request.getfixturevalue("broker"))
    rig.bring_back()
    if isinstance(rig, BleRig | GattBarrierRig):
        await rig.there()
    yield rig
    rig.lose()
    if isinstance(rig, BleRig | GattBarrierRig):
        await rig.gone()
    if isinstance(rig, CameraRig):
        await rig.close()
