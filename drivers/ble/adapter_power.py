"""Switches a Bluetooth adapter off and on, which clears what BlueZ believes of its discovery. bleak cannot do it, its bus can.

Source: org.bluez.Adapter1 (property Powered) and org.freedesktop.DBus.ObjectManager, BlueZ doc/.
"""

from __future__ import annotations

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

BLUEZ = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"


async def switch_off_and_on(adapter: str | None) -> None:
    """Switch `adapter` ("hci0"; None: the first one) off and on.

    Raises:
        DBusError: BlueZ refuses, or there is no adapter.
        OSError: there is no bus.
    """
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await bus.connect()
        path = f"/org/bluez/{adapter}" if adapter is not None else await _first(bus)
        for powered in (False, True):
            value = Variant("b", powered)
            body = [ADAPTER, "Powered", value]
            await _call(
                bus, Message(path=path, interface=PROPERTIES, member="Set", signature="ssv", body=body)
            )
    finally:
        bus.disconnect()


async def _first(bus: MessageBus) -> str:
    answer = await _call(bus, Message(path="/", interface=OBJECTS, member="GetManagedObjects"))
    paths = sorted(path for path, interfaces in answer.body[0].items() if ADAPTER in interfaces)
    if not paths:
        raise DBusError("org.bluez.Error.NotReady", "there is no Bluetooth adapter")
    return str(paths[0])


async def _call(bus: MessageBus, question: Message) -> Message:
    question.destination = BLUEZ
    answer = await bus.call(question)
    if answer is None:
        raise DBusError("org.freedesktop.DBus.Error.NoReply", f"{question.member} was not answered")
    if answer.message_type is MessageType.ERROR:
        raise DBusError(answer.error_name or "", f"{question.member}: {answer.body}")
    return answer
