"""One OSDP packet: what its bytes say, whoever sent it. Sans-IO.

    SOM 53 │ address, bit 7: a reply │ length, low byte first │ control │ security block? │ code │ data │ MAC? │ CRC or checksum

Length counts from SOM to the last check byte. Control: bits 0 and 1 sequence, bit 2 CRC instead of checksum, bit 3 a
security block follows. Source: SIA OSDP 2.1.7, 5.9 (packet format), annex D (secure channel).
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass
from enum import StrEnum

from drivers.errors import MalformedInput

SOM = 0x53
MARK = 0xFF  # a driver may send it before SOM to settle the line; no part of the packet
REPLY_BIT = 0x80
BROADCAST = 0x7F
HEADER_BYTES = 5
SHORTEST_BYTES = 7
LONGEST_BYTES = 1440
MAC_BYTES = 4
CRC_START = 0x1D0F
SECURITY_TYPES = range(0x11, 0x19)  # SCS_11 to SCS_18
SIGNED_TYPES = range(0x15, 0x19)
ENCRYPTED_TYPES = (0x17, 0x18)


class Check(StrEnum):
    """How a packet is guarded."""

    CRC = "crc"
    CHECKSUM = "checksum"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityBlock:
    """What is said of the secure channel: SCS_`type` and its own bytes."""

    type: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet whose check was right. `data` is as it came, encrypted where the security block says so.

    `signed` are the bytes that a MAC covers, `mac` the four bytes of it that are sent; empty where there is none.
    """

    is_reply: bool
    address: int
    sequence: int
    check: Check
    security: SecurityBlock | None
    code: int
    data: bytes
    mac: bytes
    signed: bytes

    @property
    def is_encrypted(self) -> bool:
        """Whether `data` can be read with the session's key only."""
        return self.security is not None and self.security.type in ENCRYPTED_TYPES and bool(self.data)


def decode_packet(raw: bytes) -> Packet:
    """Decode a whole packet, without mark bytes before it and without anything behind it.

    Raises:
        MalformedInput: naming what is wrong.
    """
    length = declared_length(raw)
    if len(raw) != length:
        problem = "shorter than its length field" if len(raw) < length else "longer than its length field"
        raise MalformedInput("length", f"{problem}: {len(raw)} bytes, {length} declared")
    control = raw[4]
    check = Check.CRC if control & 0x04 else Check.CHECKSUM
    body_ends = length - _verify(raw, check)
    security = _security(raw, body_ends) if control & 0x08 else None
    code_at = HEADER_BYTES + (0 if security is None else 2 + len(security.data))
    is_signed = security is not None and security.type in SIGNED_TYPES
    data_ends = body_ends - (MAC_BYTES if is_signed else 0)
    if code_at >= data_ends:
        raise MalformedInput("code", "the packet ends before its command or reply code")
    return Packet(
        is_reply=bool(raw[1] & REPLY_BIT),
        address=raw[1] & ~REPLY_BIT,
        sequence=control & 0x03,
        check=check,
        security=security,
        code=raw[code_at],
        data=raw[code_at + 1 : data_ends],
        mac=raw[data_ends:body_ends],
        signed=raw[:data_ends] if is_signed else b"",
    )


def declared_length(raw: bytes) -> int:
    """Return the length that a packet's beginning declares.

    Raises:
        MalformedInput: no packet begins so.
    """
    if not raw or raw[0] != SOM:
        raise MalformedInput("SOM", "no SOM 0x53")
    if len(raw) < HEADER_BYTES - 1:
        raise MalformedInput("length", f"shorter than its length field: {len(raw)} bytes")
    length = int.from_bytes(raw[2:4], "little")
    if length > LONGEST_BYTES:
        raise MalformedInput("length", f"length {length} exceeds the packet")
    if length < SHORTEST_BYTES:
        raise MalformedInput("length", f"{length} bytes are no packet, {SHORTEST_BYTES} is the shortest")
    return length


def _verify(raw: bytes, check: Check) -> int:
    """Return how many check bytes there are."""
    if check is Check.CRC:
        computed, received = crc_hqx(raw[:-2], CRC_START), int.from_bytes(raw[-2:], "little")
        if computed != received:
            raise MalformedInput("check", f"CRC mismatch: {received:04x} received, {computed:04x} computed")
        return 2
    computed, received = -sum(raw[:-1]) & 0xFF, raw[-1]
    if computed != received:
        raise MalformedInput("check", f"checksum mismatch: {received:02x} received, {computed:02x} computed")
    return 1


def _security(raw: bytes, body_ends: int) -> SecurityBlock:
    length = raw[HEADER_BYTES]
    if not 2 <= length <= body_ends - HEADER_BYTES:
        raise MalformedInput("security block", f"its length {length} does not fit the packet")
    kind = raw[HEADER_BYTES + 1]
    if kind not in SECURITY_TYPES:
        raise MalformedInput("security block", f"security block type 0x{kind:02x} is not known")
    return SecurityBlock(type=kind, data=raw[HEADER_BYTES + 2 : HEADER_BYTES + length])
