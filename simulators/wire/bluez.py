"""BlueZ without a radio: the part of its D-Bus interface that bleak speaks to, on a private bus of our own.

`PrivateBus` is a dbus-daemon; whoever should meet it is given its address as DBUS_SYSTEM_BUS_ADDRESS. `BluezWire` is bluetoothd: one
adapter, and a device for each address that advertised. Its fault is the real one: a StopDiscovery that fails leaves it believing
that it scans, so that every later StartDiscovery succeeds and no radio listens, until the adapter is switched off and on.

Signals go out one by one: several hundred in one go end the connection of dbus-fast. Source: BlueZ, doc/org.bluez.Adapter.rst and
doc/org.bluez.Device.rst.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

Properties = dict[str, Variant]
Signal = Callable[[str, str, Properties], None]  # a path's interface has new values

ADAPTER_PATH = "/org/bluez/hci0"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
BASE_UUID = "-0000-1000-8000-00805f9b34fb"
STOP_S = 5.0
ADVERTISING_S = 0.1
BUS_CONF = """\
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """A dbus-daemon in a folder (short: a socket's path has at most 107 bytes)."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "bus"
        self._conf = folder / "bus.conf"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What DBUS_SYSTEM_BUS_ADDRESS must say."""
        return f"unix:path={self._socket}"

    def start(self) -> None:
        """Start the daemon; it listens when this returns."""
        self._socket.unlink(missing_ok=True)
        self._conf.write_text(BUS_CONF.format(socket=self._socket), encoding="utf-8")
        command = [
            "dbus-daemon",
            f"--config-file={self._conf}",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if self._process.stdout is None or not self._process.stdout.readline():
            raise RuntimeError("dbus-daemon did not start")

    def stop(self) -> None:
        """End the daemon: every connection breaks."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=STOP_S)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


class Peripheral:
    """What was received of one address: org.bluez.Device1. One that can be connected says more in a class of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.connected = False
        self.rssi = -60
        self.manufacturer: Mapping[int, bytes] = {}
        self.service_data: Mapping[int, bytes] = {}

    @property
    def path(self) -> str:
        """Where the device is on the bus."""
        return f"{ADAPTER_PATH}/dev_{self.address.replace(':', '_')}"

    def received(self) -> Properties:
        """What changes with each advertisement."""
        manufacturer = {company: Variant("ay", data) for company, data in self.manufacturer.items()}
        service_data = {
            f"0000{uuid:04x}{BASE_UUID}": Variant("ay", data) for uuid, data in self.service_data.items()
        }
        return {
            "RSSI": Variant("n", self.rssi),
            "ManufacturerData": Variant("a{qv}", manufacturer),
            "ServiceData": Variant("a{sv}", service_data),
        }

    def all(self) -> Properties:
        """Everything that is known of it."""
        return {
            "Adapter": Variant("o", ADAPTER_PATH),
            "Address": Variant("s", self.address),
            "AddressType": Variant("s", "public"),
            "Alias": Variant("s", self.address.replace(":", "-")),
            "Connected": Variant("b", self.connected),
            "ServicesResolved": Variant("b", self.connected),
            "UUIDs": Variant("as", []),
            **self.received(),
        }

    def objects(self) -> dict[str, dict[str, Properties]]:
        """What is below it on the bus."""
        return {}

    def call(self, message: Message, signal: Signal) -> Message | None:  # noqa: ARG002 - what one that can be connected needs
        """Answer a method call on it; None: it is none of its own."""
        return None

    def hang_up(self) -> None:
        """The connection ends, where there is one."""


class BluezWire:
    """bluetoothd with one adapter, hci0.

    `listening` is set while the radio hears; what is advertised while it does not is lost, as on the air. `stop_fails`: so many
    of the next StopDiscovery fail; `is_broken`: nothing helps. `in_reach` can be connected, and is found by every discovery. `starts` and `power_cycles` count what the product did.
    """

    def __init__(self, bus: PrivateBus, *, in_reach: Sequence[Peripheral] = ()) -> None:
        self.powered = True
        self.believes_to_scan = False
        self.stop_fails = 0
        self.deaf_until_power = False
        self.starts = 0
        self.stops = 0
        self.power_cycles = 0
        self.is_broken = False
        self.listening = asyncio.Event()
        self._private = bus
        self._bus: MessageBus | None = None
        self._in_reach = in_reach
        self._devices: dict[str, Peripheral] = {}

    async def start(self) -> None:
        """Own org.bluez on the bus."""
        self._bus = await MessageBus(bus_address=self._private.address).connect()
        self._devices.clear()
        self.believes_to_scan = False
        self.listening.clear()
        self._bus.add_message_handler(self._called)
        await self._bus.request_name("org.bluez")

    def hang_up(self) -> None:
        """Leave the bus, as a bluetoothd that died."""
        for peripheral in self._in_reach:
            peripheral.hang_up()
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    def advertise(
        self,
        address: str,
        *,
        service_data: Mapping[int, bytes] | None = None,
        manufacturer: Mapping[int, bytes] | None = None,
        rssi: int = -60,
    ) -> bool:
        """Send an advertisement; False where nobody listened."""
        if self._bus is None or not self.listening.is_set():
            return False
        device = self._devices.get(address)
        is_new = device is None
        if device is None:
            device = self._devices[address] = Peripheral(address)
        device.rssi = rssi
        device.manufacturer = manufacturer or {}
        device.service_data = service_data or {}
        if is_new:
            self._added(device.path, {DEVICE: device.all()})
        else:
            self._changed(device.path, DEVICE, device.received())
        return True

    def power(self, *, on: bool) -> None:
        """The adapter is switched: off, all that is believed of a discovery is forgotten."""
        if self.powered and not on:
            self.power_cycles += 1
            self.deaf_until_power = False
            self.believes_to_scan = False
            self.listening.clear()
        self.powered = on

    def start_discovery(self) -> None:
        """Scan, unless it is believed that this goes on already."""
        self.starts += 1
        if not self.powered:
            raise Refused("org.bluez.Error.NotReady")
        self.believes_to_scan = True
        if not self.deaf_until_power and not self.is_broken:
            self.listening.set()
            self._air()

    def stop_discovery(self) -> None:
        """Stop scanning, or fail to and be deaf from now on."""
        self.stops += 1
        self.listening.clear()
        if self.stop_fails:
            self.stop_fails -= 1
            self.deaf_until_power = True
            raise Refused("org.bluez.Error.Failed")
        self.believes_to_scan = False

    def go_deaf(self) -> None:
        """The radio hears nothing any more, and nothing says so."""
        self.listening.clear()

    # The bus

    def _called(self, message: Message) -> Message | None:
        """Answer a method call; None: it is for nobody here."""
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        try:
            return self._answer(message)
        except Refused as refused:
            return Message.new_error(message, refused.name, refused.words)

    def _answer(self, message: Message) -> Message | None:
        match message.interface, message.member:
            case "org.freedesktop.DBus.ObjectManager", "GetManagedObjects":
                return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
            case "org.freedesktop.DBus.Properties", "Set" if message.body[1] == "Powered":
                self.power(on=message.body[2].value)
            case "org.bluez.Adapter1", "StartDiscovery":
                self.start_discovery()
            case "org.bluez.Adapter1", "StopDiscovery":
                self.stop_discovery()
            case "org.bluez.Adapter1", "SetDiscoveryFilter":
                pass
            case _:
                return self._of_a_device(message)
        return Message.new_method_return(message)

    def _of_a_device(self, message: Message) -> Message | None:
        path = message.path or ""
        device = next((each for each in self._devices.values() if path.startswith(each.path)), None)
        return None if device is None else device.call(message, self._changed)

    def _objects(self) -> dict[str, dict[str, Properties]]:
        adapter = {
            "Address": Variant("s", "00:1A:7D:DA:71:13"),
            "Powered": Variant("b", self.powered),
            "Discovering": Variant("b", self.believes_to_scan),
            "Roles": Variant("as", ["central", "peripheral"]),
        }
        found: dict[str, dict[str, Properties]] = {ADAPTER_PATH: {ADAPTER: adapter}}
        for device in self._devices.values():
            found |= {device.path: {DEVICE: device.all()}, **device.objects()}
        return found

    def _air(self) -> None:
        """Whatever is in reach advertises, again and again, while somebody listens."""
        if self._bus is None or not self.listening.is_set() or not self._in_reach:
            return
        for peripheral in self._in_reach:
            self._found(peripheral)
        asyncio.get_running_loop().call_later(ADVERTISING_S, self._air)

    def _found(self, peripheral: Peripheral) -> None:
        """Tell a device that can be connected, with what is below it, or that it was heard again."""
        if peripheral.address in self._devices:
            self._changed(peripheral.path, DEVICE, peripheral.received())
            return
        self._devices[peripheral.address] = peripheral
        for path, interfaces in {peripheral.path: {DEVICE: peripheral.all()}, **peripheral.objects()}.items():
            self._added(path, interfaces)

    def _added(self, path: str, interfaces: Mapping[str, Properties]) -> None:
        self._send(Message.new_signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces]))

    def _changed(self, path: str, interface: str, values: Properties) -> None:
        body = [interface, values, []]
        self._send(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body))

    def _send(self, signal: Message) -> None:
        if self._bus is not None:
            self._bus.send(signal)


class Refused(Exception):
    """BlueZ says no, by the name of one of its errors."""

    def __init__(self, name: str, words: str = "Operation failed") -> None:
        super().__init__(name)
        self.name = name
        self.words = words
