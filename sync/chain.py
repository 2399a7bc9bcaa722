"""The log as a chain of hashes. Next in its story: sync/outbox.

A row's bytes are one MessagePack map: "e" epoch, "q" sequence, "b" boot id, "m" microseconds since that boot, "k" kind, "body" the
fact. They are stored, hashed and sent as they are and never packed again, so that no difference between two packers can break the
chain. hash(n) = SHA-256(hash(n-1) ‖ bytes(n)); hash(0) is made from gateway and epoch, so that logs of two lots or of two epochs never
continue each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync.errors import LocalError, MalformedFrame
from sync.fields import Fields, integer, plain_map, text
from sync.message_pack import pack, unpack
from sync.messages import MAX_ROW_BYTES, LogRow

HASH_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One fact with its place in the log. `kind` is plain text: an unknown one is a fact too. `since_boot_us` is real microseconds."""

    epoch: int
    seq: int
    boot: str
    since_boot_us: int
    kind: str
    body: Mapping[str, object]


def pack_envelope(envelope: Envelope) -> bytes:
    """The bytes of a row, to be stored, hashed and sent.

    Raises:
        LocalError: the body holds what MessagePack cannot carry, or is longer than MAX_ROW_BYTES.
    """
    row = {
        "e": envelope.epoch,
        "q": envelope.seq,
        "b": envelope.boot,
        "m": envelope.since_boot_us,
        "k": str(envelope.kind),
        "body": envelope.body,
    }
    try:
        packed = pack(row)
    except (TypeError, ValueError, OverflowError) as error:
        raise LocalError(f"event {envelope.seq} {envelope.kind} cannot be packed: {error}") from error
    if len(packed) > MAX_ROW_BYTES:
        raise LocalError(
            f"event {envelope.seq} {envelope.kind} has {len(packed)} bytes; a row has at most {MAX_ROW_BYTES}"
        )
    return packed


def unpack_envelope(data: bytes) -> Envelope:
    """A row's bytes as a fact.

    Raises:
        MalformedFrame: they are not one, `field` says where.
    """
    fields = Fields(unpack(data, "row"), "row")
    return Envelope(
        epoch=fields.take("e", integer()),
        seq=fields.take("q", integer(1)),
        boot=fields.take("b", text(64)),
        since_boot_us=fields.take("m", integer()),
        kind=fields.take("k", text(64, shortest=1)),
        body=fields.take("body", plain_map),
    )


def genesis(gateway: str, epoch: int) -> bytes:
    """hash(0) of the log of `gateway` in `epoch`."""
    return hashlib.sha256(b"lotgate log 1\x00" + pack([gateway, epoch])).digest()


def next_hash(previous: bytes, row: bytes) -> bytes:
    """The hash of a row's bytes that follow the row whose hash is `previous`."""
    return hashlib.sha256(previous + row).digest()


def verify(previous: bytes, rows: Iterable[LogRow]) -> bytes:
    """Walk rows that follow the row whose hash is `previous`; the last row's hash.

    Raises:
        MalformedFrame: a row whose hash is not that of its bytes, or whose sequence is not the next; `field` names the row.
    """
    expected_seq: int | None = None
    for row in rows:
        if expected_seq is not None and row.seq != expected_seq:
            raise MalformedFrame(f"log[{row.seq}]", f"follows a gap: expected {expected_seq}")
        if next_hash(previous, row.body) != row.hash:
            raise MalformedFrame(f"log[{row.seq}]", "its hash is not that of its bytes")
        previous = row.hash
        expected_seq = row.seq + 1
    return previous
