"""BTHome v2: what a sensor advertises as service data of UUID FCD2, plain or encrypted. Sans-IO.

    info byte │ address? │ object, object, …             info: bit 0 encrypted, bit 1 address follows, bits 5 to 7 version
    info byte │ address? │ ciphertext │ counter (4) │ MIC (4)

An object that nobody knows ends the reading of its message, since its length is not known either: what stood before it counts.
AES-CCM with a nonce of address, UUID, info byte and counter. Source: bthome.io/format and bthome.io/encryption (v2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from drivers.ble.bthome_objects import ANSWERS, BUTTON, DIMMER, PRESSES, QUANTITIES, RAW, TEXT, TURNS
from drivers.errors import MalformedInput

SERVICE = 0xFCD2
UUID_ON_AIR = b"\xd2\xfc"
VERSION = 2
COUNTER_BYTES = 4
MIC_BYTES = 4
KEY_BYTES = 16
ADDRESS_BYTES = 6
LONGEST_BYTES = 1650  # Bluetooth 5, extended advertising


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A button was pressed or a knob turned."""

    key: str
    type: str
    properties: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BTHome:
    """One message. `problem` says why a part or all of it could not be read; what could be is there all the same.

    `counter` is the message's own number where it was encrypted and could be decrypted.
    """

    encrypted: bool
    decrypted: bool = False
    counter: int | None = None
    sensors: Mapping[str, int | float | str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    binary: Mapping[str, bool] = field(default_factory=dict)
    events: Sequence[Event] = ()
    problem: MalformedInput | None = None

    def as_json(self) -> dict[str, object]:
        """The message as `lotgate decode` prints it."""
        return {
            "sensors": dict(self.sensors),
            "units": dict(self.units),
            "binary": dict(self.binary),
            "events": [
                {"key": event.key, "type": event.type, "properties": event.properties}
                for event in self.events
            ],
            "encrypted": self.encrypted,
            "decrypted": self.decrypted,
            "problem": None if self.problem is None else str(self.problem),
        }


def read_bthome(data: bytes, *, address: bytes = b"", key: bytes | None = None) -> BTHome:
    """Read the service data of one advertisement.

    `address` are the six bytes of the sender as printed; an address in the message itself comes before it. Raises nothing.
    """
    if not data:
        return BTHome(encrypted=False, problem=MalformedInput("info", "the message is empty"))
    if len(data) > LONGEST_BYTES:
        problem = MalformedInput("length", f"{len(data)} bytes, an advertisement has at most {LONGEST_BYTES}")
        return BTHome(encrypted=bool(data[0] & 0x01), problem=problem)
    info, body = data[0], data[1:]
    encrypted = bool(info & 0x01)
    if info >> 5 != VERSION:
        return BTHome(encrypted=encrypted, problem=MalformedInput("version", f"{info >> 5} is not {VERSION}"))
    if info & 0x02:
        if len(body) < ADDRESS_BYTES:
            return BTHome(encrypted=encrypted, problem=MalformedInput("address", "it is cut off"))
        address, body = body[ADDRESS_BYTES - 1 :: -1], body[ADDRESS_BYTES:]
    if not encrypted:
        return _objects(body, BTHome(encrypted=False))
    try:
        plain, counter = _decrypted(info, body, address, key)
    except MalformedInput as wrong:
        return BTHome(encrypted=True, problem=wrong)
    return _objects(plain, BTHome(encrypted=True, decrypted=True, counter=counter))


def _decrypted(info: int, body: bytes, address: bytes, key: bytes | None) -> tuple[bytes, int]:
    if key is None:
        raise MalformedInput("key", "the message is encrypted and no key is known")
    if len(key) != KEY_BYTES:
        raise MalformedInput("key", f"a key has {KEY_BYTES} bytes, not {len(key)}")
    if len(address) != ADDRESS_BYTES:
        raise MalformedInput("address", "the sender's address is needed to decrypt")
    if len(body) <= COUNTER_BYTES + MIC_BYTES:
        raise MalformedInput("length", f"{len(body)} bytes cannot hold data, counter and MIC")
    cipher, mic = body[: -COUNTER_BYTES - MIC_BYTES], body[-MIC_BYTES:]
    counter = body[-COUNTER_BYTES - MIC_BYTES : -MIC_BYTES]
    nonce = address + UUID_ON_AIR + bytes([info]) + counter
    try:
        plain = AESCCM(key, tag_length=MIC_BYTES).decrypt(nonce, cipher + mic, None)
    except InvalidTag:
        raise MalformedInput("MIC", "it was not made with this key and address") from None
    return plain, int.from_bytes(counter, "little")


@dataclass(frozen=True, slots=True)
class _Object:
    """One object as it stands in a message: what sort of thing, its name, what it says (None: nothing happened)."""

    sort: str
    name: str
    value: int | float | str | Event | None = None
    unit: str | None = None


def _objects(body: bytes, begun: BTHome) -> BTHome:
    found: list[_Object] = []
    problem: MalformedInput | None = None
    at = 0
    try:
        while at < len(body):
            one, at = _object(body, at)
            found.append(one)
    except MalformedInput as wrong:
        problem = wrong
    return _gathered(found, begun, problem)


def _object(body: bytes, at: int) -> tuple[_Object, int]:
    number = body[at]
    at += 1
    if (quantity := QUANTITIES.get(number)) is not None:
        data = _take(body, at, quantity.size, quantity.name)
        return _Object("sensor", quantity.name, quantity.value(data), quantity.unit), at + quantity.size
    if (answer := ANSWERS.get(number)) is not None:
        return _Object("binary", answer, _take(body, at, 1, answer)[0]), at + 1
    if number in {TEXT, RAW}:
        name = "text" if number == TEXT else "raw"
        length = _take(body, at, 1, name)[0]
        return _Object("sensor", name, _text(_take(body, at + 1, length, name), number)), at + 1 + length
    if number == BUTTON:
        return _event("button", PRESSES, _take(body, at, 1, "button")), at + 1
    if number == DIMMER:
        return _event("dimmer", TURNS, _take(body, at, 2, "dimmer")), at + 2
    raise MalformedInput("object", f"0x{number:02x} is not known")


def _take(body: bytes, at: int, size: int, name: str) -> bytes:
    data = body[at : at + size]
    if len(data) < size:
        raise MalformedInput(name, f"{size} bytes expected, {len(data)} found")
    return data


def _text(data: bytes, number: int) -> str:
    if number == RAW:
        return data.hex()
    try:
        return data.decode()
    except UnicodeDecodeError as wrong:
        raise MalformedInput("text", f"not UTF-8 at byte {wrong.start}") from wrong


def _event(name: str, types: Mapping[int, str | None], data: bytes) -> _Object:
    said = types.get(data[0], "")
    if said == "":
        raise MalformedInput(name, f"event 0x{data[0]:02x} is not known")
    if said is None:
        return _Object("event", name)
    return _Object(
        "event", name, Event(key=name, type=said, properties={"steps": data[1]} if data[1:] else None)
    )


def _gathered(found: Sequence[_Object], begun: BTHome, problem: MalformedInput | None) -> BTHome:
    """Name the objects: those that come more than once get a number."""
    how_many = Counter((one.sort, one.name) for one in found)
    seen: Counter[tuple[str, str]] = Counter()
    sensors: dict[str, int | float | str] = {}
    units: dict[str, str] = {}
    binary: dict[str, bool] = {}
    events: list[Event] = []
    for one in found:
        seen[one.sort, one.name] += 1
        several = how_many[one.sort, one.name] > 1
        name = f"{one.name}_{seen[one.sort, one.name]}" if several else one.name
        if isinstance(one.value, Event):
            events.append(Event(key=name, type=one.value.type, properties=one.value.properties))
        elif one.sort == "binary":
            binary[name] = bool(one.value)
        elif one.value is not None:
            sensors[name] = one.value
            if one.unit is not None:
                units[name] = one.unit
    return BTHome(
        encrypted=begun.encrypted,
        decrypted=begun.decrypted,
        counter=begun.counter,
        sensors=sensors,
        units=units,
        binary=binary,
        events=tuple(events),
        problem=problem,
    )
