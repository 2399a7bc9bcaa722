"""Whether lanes, drivers and devices of a lot's TOML fit together. Faults go to `refuse`: where, the problem, the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.lot_file import LotFile

OUR_KINDS = frozenset(
    {
        "ble",
        "ble_barrier",
        "gpio",
        "modbus_barrier",
        "modbus_relays",
        "mqtt",
        "osdp_reader",
        "payment_terminal",
        "plate_camera",
        "serial_reader",
        "sign",
        "ticket_printer",
    }
)
Refuse = Callable[[tuple[str | int, ...], str, str], None]


def check_lanes(file: LotFile, refuse: Refuse) -> None:
    """Each lane has its own id and barrier, and its devices exist."""
    at: dict[str, str] = {}
    devices, all_known = _devices_of(file)
    for index, lane in enumerate(file.lanes):
        if lane.id in [other.id for other in file.lanes[:index]]:
            refuse(("lanes", index, "id"), f"{lane.id!r} stands twice.", "give each lane its own id.")
        for key in ("barrier", "reader", "terminal", "printer"):
            device = getattr(lane, key)
            if device is None:
                continue
            if all_known and device not in devices:
                names = ", ".join(sorted(devices)) or "none"
                problem = f"no driver has a device {device!r}."
                refuse(("lanes", index, key), problem, f"use one of: {names}.")
            if key == "barrier" and device in at:
                problem = f"{device!r} is the barrier of lane {at[device]} already."
                refuse(("lanes", index, key), problem, "each lane has its own barrier.")
        at.setdefault(lane.barrier, lane.id)


def check_devices(file: LotFile, refuse: Refuse) -> None:
    """Each device has its own name and token, and stands at a lane that exists."""
    lanes = {lane.id for lane in file.lanes}
    for index, device in enumerate(file.devices):
        others = file.devices[:index]
        if device.name in [other.name for other in others]:
            refuse(("devices", index, "name"), f"{device.name!r} stands twice.", "give each its own name.")
        if device.token_sha256 in [other.token_sha256 for other in others]:
            refuse(("devices", index, "token_sha256"), "two devices share it.", "give each its own token.")
        if device.lane is not None and device.lane not in lanes:
            fix = f"use one of: {', '.join(sorted(lanes))}."
            refuse(("devices", index, "lane"), f"there is no lane {device.lane!r}.", fix)


def check_cameras(file: LotFile, refuse: Refuse) -> None:
    """Each plate camera is a device too, by the name of its driver: that says its token and its lane."""
    cameras = {device.name for device in file.devices if device.role == "camera"}
    for name, driver in file.drivers.items():
        if driver.kind == "plate_camera" and name not in cameras:
            problem = f"no device is called {name!r}: nobody would know the camera, nor its lane."
            fix = f'add [[devices]] with name = "{name}", role = "camera", its lane and its token_sha256.'
            refuse(("drivers", name, "kind"), problem, fix)


def _devices_of(file: LotFile) -> tuple[frozenset[str], bool]:
    """The device ids that our own drivers have, and whether these are all: another's driver names its devices as it likes."""
    names: set[str] = set()
    for name, table in file.drivers.items():
        units = table.own.get("units")
        names |= set(units) if isinstance(units, Mapping) else {name}
    return frozenset(names), all(table.kind in OUR_KINDS for table in file.drivers.values())
