"""What the advertisements of the lot's own devices say, one after another. Sans-IO.

Theory. Of all that is on the air only devices that the settings name are listened to. A device repeats its advertisement many
times: the same content is told once, and again each `again_s`, so that "still so" is fresh. An encrypted message counts upwards:
one with a counter that is not above the last is a recording that somebody plays again, and is refused; so is a plain message of a
device that has a key, which anybody could send. A device that was not heard for `lost_s` is told as lost, once.

After a restart of the agent the first message sets the counter: a recording played in that moment is believed until the
device itself speaks next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.ble.beacons import APPLE, IBEACON, Advertisement, read_beacon, read_ibeacon
from drivers.ble.bthome import SERVICE, BTHome, read_bthome
from drivers.ble.vendor_data import VendorLayout
from drivers.errors import MalformedInput
from drivers.ports import MalformedReading, SpotReading

MOST_RAW_BYTES = 4096
TERMS = {
    "temperature": "temperature_c",
    "battery": "battery_pct",
    "voltage": "battery_v",
    "humidity": "humidity_pct",
}
LOW_BATTERY = {"battery": "battery_low"}


class Speech(StrEnum):
    """How a device talks."""

    BTHOME = "bthome"
    IBEACON = "ibeacon"
    EDDYSTONE = "eddystone"
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A device of this lot. `address` are its six bytes; an iBeacon is known by `beacon`, its "uuid/major/minor", instead.

    `occupied_by` names the term that says whether the spot is taken, `inverted` turns it round.
    """

    name: str
    speech: Speech
    address: bytes | None = None
    beacon: str | None = None
    key: bytes | None = None
    layout: VendorLayout | None = None
    occupied_by: str = "occupancy"
    inverted: bool = False
    counter_may_restart: bool = False


@dataclass(slots=True)
class _Known:
    """What is known of a device now."""

    device: KnownDevice
    heard_at: float
    content: bytes | None = None
    refused: bytes | None = None
    told_at: float = 0.0
    counter: int | None = None
    lost: bool = False


@dataclass(slots=True)
class Sightings:
    """Follows the lot's devices. Instants are monotonic seconds; `ignored` counts advertisements of strangers."""

    devices: Sequence[KnownDevice]
    lost_s: float
    again_s: float
    began_at: float
    ignored: int = 0
    _by_address: dict[bytes, _Known] = field(default_factory=dict)
    _by_beacon: dict[str, _Known] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for device in self.devices:
            known = _Known(device=device, heard_at=self.began_at)
            if device.address is not None:
                self._by_address[device.address] = known
            if device.beacon is not None:
                self._by_beacon[device.beacon] = known

    def take(
        self, address: bytes, seen: Advertisement, now: float, *, rssi_dbm: int | None = None
    ) -> SpotReading | MalformedReading | None:
        """Take an advertisement; the answer is what is new in it."""
        known = self._by_address.get(address) or self._by_beacon.get(_beacon(seen))
        if known is None:
            self.ignored += 1
            return None
        content = _content(known.device, seen)
        if content is None:
            return None  # a scan response, or another of its frames
        if content == known.content and not known.lost and now - known.told_at < self.again_s:
            known.heard_at = now
            return None
        try:
            terms = _understood(known, seen, content, address)
        except MalformedInput as wrong:
            return _refused(known, content, wrong)
        known.content, known.told_at, known.heard_at, known.lost = content, now, now, False
        return _reading(known.device, terms, rssi_dbm)

    def lost(self, now: float) -> list[SpotReading]:
        """The devices that were not heard for too long, each once."""
        gone = [
            known
            for known in (*self._by_address.values(), *self._by_beacon.values())
            if not known.lost and now - known.heard_at >= self.lost_s
        ]
        for known in gone:
            known.lost = True
        return [SpotReading(device=known.device.name, occupied=None, lost=True) for known in gone]

    def pause(self, seconds: float) -> None:
        """Nothing could be heard for so long: that is no silence of any device."""
        for known in (*self._by_address.values(), *self._by_beacon.values()):
            known.heard_at += seconds


def _refused(known: _Known, content: bytes, wrong: MalformedInput) -> MalformedReading | None:
    """Tell what could not be believed, once; it proves no life."""
    if content == known.refused:
        return None
    known.refused = content
    return MalformedReading(
        device=known.device.name, field=wrong.field, problem=wrong.problem, raw=content[:MOST_RAW_BYTES]
    )


def _beacon(seen: Advertisement) -> str:
    """Who an iBeacon says that it is; empty where it is none."""
    apple = seen.manufacturer.get(APPLE)
    if apple is None or apple[:2] != IBEACON:
        return ""
    try:
        said = read_ibeacon(apple)
    except MalformedInput:
        return ""
    return f"{said['uuid']}/{said['major']}/{said['minor']}"


def _content(device: KnownDevice, seen: Advertisement) -> bytes | None:
    """The part of an advertisement in which a device speaks; None where this one has none."""
    match device.speech:
        case Speech.BTHOME:
            return seen.service_data.get(SERVICE)
        case Speech.EDDYSTONE:
            return seen.service_data.get(0xFEAA)
        case Speech.IBEACON:
            return seen.manufacturer.get(APPLE)
        case Speech.VENDOR:
            return None if device.layout is None else seen.manufacturer.get(device.layout.company)


def _understood(known: _Known, seen: Advertisement, content: bytes, address: bytes) -> Mapping[str, object]:
    """The message in the words of all vendors."""
    if known.device.speech is Speech.BTHOME:
        return _bthome(known, content, address)
    if known.device.layout is not None:
        return known.device.layout.read(content)
    beacon = read_beacon(seen)
    battery_mv = beacon.pop("battery_mv", None)
    if isinstance(battery_mv, int):
        beacon["battery_v"] = battery_mv / 1000
    return {name: value for name, value in beacon.items() if value is not None}


def _bthome(known: _Known, content: bytes, address: bytes) -> Mapping[str, object]:
    device = known.device
    message = read_bthome(content, address=device.address or address, key=device.key)
    if device.key is not None and not message.encrypted:
        raise MalformedInput("encryption", "the device has a key and this message was sent without it")
    if message.problem is not None and not message.sensors and not message.binary:
        raise message.problem
    _count(known, message, content)
    answers = {LOW_BATTERY.get(name, name): value for name, value in message.binary.items()}
    return {**answers, **message.sensors}


def _count(known: _Known, message: BTHome, content: bytes) -> None:
    """Believe an encrypted message only where its counter went on, or where it is the last one said again."""
    if message.counter is None:
        return
    went_on = known.counter is None or message.counter > known.counter or content == known.content
    if not went_on and not known.device.counter_may_restart:
        problem = f"it went from {known.counter} back to {message.counter}: an old message, played again"
        raise MalformedInput("counter", problem)
    known.counter = message.counter


def _reading(device: KnownDevice, terms: Mapping[str, object], rssi_dbm: int | None) -> SpotReading:
    answer = terms.get(device.occupied_by)
    occupied = None if answer is None else bool(answer) is not device.inverted
    attributes: dict[str, object] = {
        TERMS.get(name, name): value for name, value in terms.items() if name != device.occupied_by
    }
    if rssi_dbm is not None:
        attributes["rssi_dbm"] = rssi_dbm
    return SpotReading(device=device.name, occupied=occupied, attributes=attributes)
