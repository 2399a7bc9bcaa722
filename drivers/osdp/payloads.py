"""What the data of an OSDP command or reply says, in the words of `lotgate decode --format osdp`. Sans-IO.

A code that has a name and no reader here is told by its name alone. Source: SIA OSDP 2.1.7, 6 (commands), 7 (replies).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.errors import MalformedInput
from drivers.osdp.packet import BROADCAST, Packet
from drivers.wiegand import LAYOUTS, read_wiegand

Said = Mapping[str, object]

COMMANDS: Mapping[int, str] = {
    0x60: "POLL",
    0x61: "ID",
    0x62: "CAP",
    0x64: "LSTAT",
    0x65: "ISTAT",
    0x66: "OSTAT",
    0x67: "RSTAT",
    0x68: "OUT",
    0x69: "LED",
    0x6A: "BUZ",
    0x6B: "TEXT",
    0x6E: "COMSET",
    0x73: "BIOREAD",
    0x74: "BIOMATCH",
    0x75: "KEYSET",
    0x76: "CHLNG",
    0x77: "SCRYPT",
    0x7B: "ACURXSIZE",
    0x7C: "FILETRANSFER",
    0x80: "MFG",
    0xA1: "XWR",
    0xA2: "ABORT",
    0xA3: "PIVDATA",
    0xA4: "GENAUTH",
    0xA5: "CRAUTH",
    0xA7: "KEEPACTIVE",
}
REPLIES: Mapping[int, str] = {
    0x40: "ACK",
    0x41: "NAK",
    0x45: "PDID",
    0x46: "PDCAP",
    0x48: "LSTATR",
    0x49: "ISTATR",
    0x4A: "OSTATR",
    0x4B: "RSTATR",
    0x50: "RAW",
    0x51: "FMT",
    0x53: "KEYPAD",
    0x54: "COM",
    0x57: "BIOREADR",
    0x58: "BIOMATCHR",
    0x76: "CCRYPT",
    0x78: "RMAC_I",
    0x79: "BUSY",
    0x7A: "FTSTAT",
    0x80: "PIVDATAR",
    0x81: "GENAUTHR",
    0x82: "CRAUTHR",
    0x83: "MFGSTATR",
    0x84: "MFGERRR",
    0x90: "MFGREP",
    0xB1: "XRD",
}
NAK_REASONS: Mapping[int, str] = {
    1: "bad check",
    2: "bad command length",
    3: "unknown command",
    4: "unexpected sequence",
    5: "security block not supported",
    6: "security conditions not met",
    7: "biometry not supported",
    8: "biometric format not supported",
    9: "unable to process",
}
TEMPORARY = ("temp_on", "temp_off", "temp_on_color", "temp_off_color")
PERMANENT = ("perm_control", "perm_on", "perm_off", "perm_on_color", "perm_off_color")
WIEGAND_FORMATS = (0, 1)  # unspecified, P/data/P


def name_of(packet: Packet) -> str | None:
    """The name of a packet's code; None where the standard has none."""
    return (REPLIES if packet.is_reply else COMMANDS).get(packet.code)


def as_json(packet: Packet, plain: bytes | None = None) -> dict[str, object]:
    """The packet in the words of `lotgate decode`; `plain` is its data where it was decrypted.

    Raises:
        MalformedInput: the data is not what the code promises.
    """
    said: dict[str, object] = {
        "dir": "reply" if packet.is_reply else "command",
        "address": packet.address,
        "sequence": packet.sequence,
        "check": packet.check.value,
    }
    if packet.address == BROADCAST and not packet.is_reply:
        said["broadcast"] = True
    if packet.security is not None:
        said["scb"] = {"type": packet.security.type, "data": packet.security.data.hex()}
    said |= {"code": packet.code, "name": name_of(packet)}
    if packet.mac:
        said["mac"] = packet.mac.hex()
    if packet.is_encrypted and plain is None:
        return {**said, "encrypted": packet.data.hex()}
    data = packet.data if plain is None else plain
    if plain is not None:
        said["plain_data"] = plain.hex()
    read = READERS.get((packet.is_reply, packet.code))
    return {**said, "payload": read(data)} if read is not None else said


def raw_card(reader: int, card_format: int, bits: int, data: bytes) -> dict[str, object]:
    """A card as its reader saw it: left-aligned bits, the most significant first."""
    if len(data) != (bits + 7) // 8:
        raise MalformedInput("data", f"{bits} bits need {(bits + 7) // 8} bytes, {len(data)} found")
    said: dict[str, object] = {"reader": reader, "format": card_format, "bits": bits, "data": data.hex()}
    if bits in LAYOUTS and card_format in WIEGAND_FORMATS:
        try:
            card = read_wiegand(int.from_bytes(data, "big") >> (-bits % 8), bits)
            said["wiegand"] = {"facility": card.facility, "card": card.card, "parity_ok": True}
        except MalformedInput:
            said["wiegand"] = {"parity_ok": False}
    return said


def _need(data: bytes, length: int, name: str) -> None:
    if len(data) < length:
        raise MalformedInput(name, f"{length} bytes of data expected, {len(data)} found")


def _fields(name: str, *fields: str) -> Callable[[bytes], Said]:
    """A reader of data that is one byte a field."""

    def read(data: bytes) -> Said:
        _need(data, len(fields), name)
        return dict(zip(fields, data, strict=False))

    return read


def _nak(data: bytes) -> Said:
    _need(data, 1, "NAK")
    return {"reason": data[0], "reason_name": NAK_REASONS.get(data[0], "unknown")}


def _comset(data: bytes) -> Said:
    _need(data, 5, "COMSET")
    return {"new_address": data[0], "baud": int.from_bytes(data[1:5], "little")}


def _out(data: bytes) -> Said:
    _need(data, 4, "OUT")
    return {"output": data[0], "control": data[1], "timer": int.from_bytes(data[2:4], "little")}


def _led(data: bytes) -> Said:
    _need(data, 14, "LED")
    said = {"reader": data[0], "led": data[1], "temp_control": data[2]}
    if data[2]:
        said |= dict(zip(TEMPORARY, data[3:7], strict=True))
        said["timer"] = int.from_bytes(data[7:9], "little")
    return said | dict(zip(PERMANENT, data[9:14], strict=True))


def _chlng(data: bytes) -> Said:
    _need(data, 8, "CHLNG")
    return {"cp_random": data[:8].hex()}


def _ccrypt(data: bytes) -> Said:
    _need(data, 32, "CCRYPT")
    return {"cuid": data[:8].hex(), "pd_random": data[8:16].hex(), "pd_cryptogram": data[16:32].hex()}


def _scrypt(data: bytes) -> Said:
    _need(data, 16, "SCRYPT")
    return {"cp_cryptogram": data[:16].hex()}


def _rmac_i(data: bytes) -> Said:
    _need(data, 16, "RMAC_I")
    return {"rmac_i": data[:16].hex()}


def _pdid(data: bytes) -> Said:
    _need(data, 12, "PDID")
    return {
        "vendor": data[:3].hex(),
        "model": data[3],
        "version": data[4],
        "serial": int.from_bytes(data[5:9], "little"),
        "firmware": ".".join(str(part) for part in data[9:12]),
    }


def _raw(data: bytes) -> Said:
    _need(data, 4, "RAW")
    return raw_card(data[0], data[1], int.from_bytes(data[2:4], "little"), data[4:])


READERS: Mapping[tuple[bool, int], Callable[[bytes], Said]] = {
    (False, 0x68): _out,
    (False, 0x69): _led,
    (False, 0x6A): _fields("BUZ", "reader", "tone", "on", "off", "count"),
    (False, 0x6E): _comset,
    (False, 0x76): _chlng,
    (False, 0x77): _scrypt,
    (True, 0x41): _nak,
    (True, 0x45): _pdid,
    (True, 0x48): _fields("LSTATR", "tamper", "power"),
    (True, 0x50): _raw,
    (True, 0x54): _comset,
    (True, 0x76): _ccrypt,
    (True, 0x78): _rmac_i,
}
