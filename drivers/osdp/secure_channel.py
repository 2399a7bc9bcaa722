"""The secure channel of OSDP as a listener who has the key understands it. Sans-IO.

Both ends derive three session keys from the base key (SCBK) and eight random bytes of the panel, prove to each other that
they have them (two cryptograms), and from then on sign every packet: each MAC chains on the last one of the other
direction, so that nothing can be left out, repeated or put in between. Data is encrypted where the security block is
SCS_17 or SCS_18. Source: SIA OSDP 2.1.7, annex D; its example keys stand in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from drivers.errors import MalformedInput
from drivers.osdp.packet import MAC_BYTES, Packet

BLOCK = 16
DEFAULT_KEY = bytes(range(0x30, 0x40))  # SCBK-D: printed in the standard, so it proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKeys:
    """The keys of one session."""

    s_enc: bytes
    s_mac1: bytes
    s_mac2: bytes

    @classmethod
    def derive(cls, scbk: bytes, cp_random: bytes) -> SessionKeys:
        """Derive them from the base key and the panel's eight random bytes (D.4.1)."""
        enc, mac1, mac2 = (
            _encrypt(scbk, tag + cp_random[:6] + bytes(8)) for tag in (b"\x01\x82", b"\x01\x01", b"\x01\x02")
        )
        return cls(s_enc=enc, s_mac1=mac1, s_mac2=mac2)

    def pd_cryptogram(self, cp_random: bytes, pd_random: bytes) -> bytes:
        """What a reader with this key answers to a challenge."""
        return _encrypt(self.s_enc, cp_random + pd_random)

    def cp_cryptogram(self, cp_random: bytes, pd_random: bytes) -> bytes:
        """What a panel with this key answers."""
        return _encrypt(self.s_enc, pd_random + cp_random)

    def first_reply_mac(self, cp_cryptogram: bytes) -> bytes:
        """RMAC-I: what the first command's MAC chains on."""
        return _encrypt(self.s_mac2, _encrypt(self.s_mac1, cp_cryptogram))

    def mac(self, signed: bytes, chained_on: bytes) -> bytes:
        """The whole MAC of a packet; its first four bytes are sent (D.5)."""
        padded = signed if len(signed) % BLOCK == 0 else _padded(signed)
        *blocks, last = (padded[at : at + BLOCK] for at in range(0, len(padded), BLOCK))
        value = chained_on
        for block in blocks:
            value = _encrypt(self.s_mac1, _xor(block, value))
        return _encrypt(self.s_mac2, _xor(last, value))

    def decrypt(self, data: bytes, chained_on: bytes) -> bytes:
        """The data of an encrypted packet without its padding.

        Raises:
            MalformedInput: it is not whole blocks, or its padding is wrong.
        """
        if len(data) % BLOCK:
            raise MalformedInput("data", f"{len(data)} bytes are not whole blocks of {BLOCK}")
        decryptor = Cipher(AES(self.s_enc), CBC(_complement(chained_on))).decryptor()
        plain = (decryptor.update(data) + decryptor.finalize()).rstrip(b"\x00")
        if not plain.endswith(b"\x80"):
            raise MalformedInput("data", "its padding is wrong")
        return plain[:-1]


def diversified(master_key: bytes, cuid: bytes) -> bytes:
    """The base key of the reader with this unique id, where a site derives its keys from one master key (D.3.1)."""
    return _encrypt(master_key, cuid[:8] + _complement(cuid[:8]))


class Conversation:
    """Follows what panel and one reader say to each other; `scbk` is the key they should have."""

    def __init__(self, scbk: bytes) -> None:
        self._scbk = scbk
        self._cp_random = b""
        self._pd_random = b""
        self._keys: SessionKeys | None = None
        self._last_mac: dict[bool, bytes] = {}  # by is_reply

    def hear(self, packet: Packet) -> bytes:
        """Take the next packet of either side and return its data in the clear.

        Raises:
            MalformedInput: a cryptogram or a MAC is wrong, or the session began before the first packet that was heard.
        """
        match packet.is_reply, packet.code:
            case False, 0x76 if packet.security is not None:
                self._challenge(packet)
            case True, 0x76 if packet.security is not None:
                self._reader_proves(packet)
            case False, 0x77 if packet.security is not None:
                self._panel_proves(packet)
            case True, 0x78 if packet.security is not None:
                self._expect("rmac_i", packet.data[:16], self._last_mac.get(True, b""))
            case _ if packet.mac:
                return self._signed(packet)
            case _:
                pass
        return packet.data

    def _challenge(self, packet: Packet) -> None:
        self._cp_random = _exactly(packet.data, 8, "CHLNG")
        scbk = DEFAULT_KEY if packet.security is not None and packet.security.data == b"\x00" else self._scbk
        self._keys = SessionKeys.derive(scbk, self._cp_random)

    def _reader_proves(self, packet: Packet) -> None:
        data = _exactly(packet.data, 32, "CCRYPT")
        self._pd_random = data[8:16]
        expected = self._session().pd_cryptogram(self._cp_random, self._pd_random)
        self._expect("pd_cryptogram", data[16:32], expected)

    def _panel_proves(self, packet: Packet) -> None:
        data = _exactly(packet.data, 16, "SCRYPT")
        self._expect("cp_cryptogram", data, self._session().cp_cryptogram(self._cp_random, self._pd_random))
        self._last_mac = {True: self._session().first_reply_mac(data)}

    def _signed(self, packet: Packet) -> bytes:
        keys, chained_on = self._session(), self._last_mac.get(not packet.is_reply)
        if chained_on is None:
            raise MalformedInput("MAC", "the session began before the first packet here")
        mac = keys.mac(packet.signed, chained_on)
        if mac[:MAC_BYTES] != packet.mac:
            raise MalformedInput("MAC", "CRC right, MAC wrong: drop and restart the secure channel")
        self._last_mac[packet.is_reply] = mac
        return keys.decrypt(packet.data, chained_on) if packet.is_encrypted else packet.data

    def _session(self) -> SessionKeys:
        if self._keys is None:
            raise MalformedInput("session", "no challenge was heard before this packet")
        return self._keys

    @staticmethod
    def _expect(field: str, received: bytes, expected: bytes) -> None:
        if received != expected:
            raise MalformedInput(field, "it was not made with this key")


def _exactly(data: bytes, length: int, name: str) -> bytes:
    if len(data) != length:
        raise MalformedInput(name, f"{length} bytes of data expected, {len(data)} found")
    return data


def _encrypt(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - one block: what the standard derives keys with
    return encryptor.update(block) + encryptor.finalize()


def _padded(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _complement(data: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in data)
