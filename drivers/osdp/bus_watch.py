"""Listens to both sides of a bus beside libosdp, which tells neither a wrong key nor a silent reader in time. Sans-IO.

libosdp says of a reader only whether it is on line: with a wrong key it is simply off line for five minutes, and one that
was unplugged stays on line for eight seconds. The bytes tell more: who answered, and whether the answer to a
challenge was made with the key that we have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from drivers.osdp.framing import PacketFramer
from drivers.osdp.packet import Packet
from drivers.osdp.secure_channel import DEFAULT_KEY, SessionKeys
from drivers.serial_port.framing import Broken

UNSET_KEY = bytes(16)  # readers built on libosdp answer with it until they are given a key
CHALLENGE = 0x76
CRYPTOGRAM = 0x76
NAK = 0x41


class KeyVerdict(StrEnum):
    """What a reader's answer to a challenge proved; the value is the sentence that a person reads."""

    RIGHT = "the reader has our key"
    FACTORY = "the reader was given no key yet; name it in default_key to give it ours"
    WRONG = "the reader has another key than ours"
    REFUSED = "the reader refuses a secure channel"


@dataclass(frozen=True, slots=True)
class Answered:
    """The reader at this address sent a whole packet."""

    address: int


@dataclass(frozen=True, slots=True)
class KeyProved:
    """The reader at this address answered our challenge."""

    address: int
    verdict: KeyVerdict


Finding = Answered | KeyProved | Broken


class BusWatch:
    """Follows one bus; `keys` are the readers' own by their addresses."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._keys = keys
        self._ours = PacketFramer()
        self._theirs = PacketFramer()
        self._challenged: dict[
            int, bytes
        ] = {}  # the random bytes of a challenge made with the reader's own key

    def said(self, data: bytes) -> list[Finding]:
        """We sent something, so whatever was still to come of an answer will not come."""
        self._ours.quiet()
        for packet in self._ours.feed(data):
            if isinstance(packet, Packet):
                self._challenged.pop(packet.address, None)
                if (
                    packet.code == CHALLENGE
                    and packet.security is not None
                    and packet.security.data != b"\x00"
                ):
                    self._challenged[packet.address] = packet.data
        return [found for found in self._theirs.quiet() if isinstance(found, Broken)]

    def heard(self, data: bytes) -> list[Finding]:
        """A reader, or noise, sent something."""
        findings: list[Finding] = []
        for found in self._theirs.feed(data):
            if isinstance(found, Broken):
                findings.append(found)
            elif found.is_reply:
                findings += [Answered(found.address), *self._proved(found)]
        return findings

    def _proved(self, packet: Packet) -> list[Finding]:
        cp_random = self._challenged.pop(packet.address, None)
        key = self._keys.get(packet.address)
        if cp_random is None or key is None:
            return []
        if packet.code == NAK:
            return [KeyProved(packet.address, KeyVerdict.REFUSED)]
        if packet.code != CRYPTOGRAM or len(packet.data) != 32:
            return []
        return [KeyProved(packet.address, _verdict(key, cp_random, packet.data))]


def _verdict(key: bytes, cp_random: bytes, answer: bytes) -> KeyVerdict:
    pd_random, cryptogram = answer[8:16], answer[16:]
    verdicts = {key: KeyVerdict.RIGHT, DEFAULT_KEY: KeyVerdict.FACTORY, UNSET_KEY: KeyVerdict.FACTORY}
    for candidate, verdict in verdicts.items():
        if SessionKeys.derive(candidate, cp_random).pd_cryptogram(cp_random, pd_random) == cryptogram:
            return verdict
    return KeyVerdict.WRONG
