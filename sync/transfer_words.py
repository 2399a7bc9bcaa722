"""What is told of transfers besides their frames: in the log that goes up, and in the list of documents that goes down. The machine: sync/ownership.py.

| where | kind | body |
| --- | --- | --- |
| log | `transfer_out`, `transfer_in` | {transfer, type, spots}: given up to the cloud, which credits it with the row; or credited, having come from it |
| document | `share` | {wanted: {type: count}}: so many spots of each type the cloud is to own; the lot gives them, debit first, as they come free |
| document | `stranded` | {transfers: [{transfer, type, spots}]}: what an earlier epoch left in flight; nobody sells it until a recount |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parking.ids import SpotId
from parking.lot import SpotType, Tier
from sync.errors import MalformedFrame
from sync.fields import Fields, integer, plain_map, sequence, text, word
from sync.message_pack import pack, unpack
from sync.messages import MAX_TRANSFER_SPOTS
from sync.ownership import TransferRow, TransferState

SHARE = "share"
STRANDED = "stranded"

MOST_STRANDED = 10_000
_ID = text(64, shortest=1)
_COUNT = integer(0, 2**31 - 1)
_SPOTS = sequence(_ID, MAX_TRANSFER_SPOTS, 1)
_TYPE = word(SpotType)


def transfer_fact(row: TransferRow) -> dict[str, object]:
    """The body of a `transfer_out` or `transfer_in`, without its instant."""
    return {"transfer": row.id, "type": str(row.type), "spots": list(row.spots)}


def transfer_from_fact(body: object, path: str, *, to: Tier, epoch: int) -> TransferRow:
    """The transfer that such a body tells, as one that nothing has happened to here yet.

    Raises:
        MalformedFrame: it holds something else, or a spot twice; `field` names it.
    """
    fields = Fields(body, path)
    spots = fields.take("spots", _SPOTS)
    if len(set(spots)) != len(spots):
        raise MalformedFrame(f"{path}.spots", "must not name a spot twice")
    return TransferRow(
        id=fields.take("transfer", _ID),
        epoch=epoch,
        to=to,
        type=fields.take("type", _TYPE),
        spots=tuple(SpotId(spot) for spot in spots),
    )


def share_body(wanted: Mapping[SpotType, int]) -> bytes:
    """The body of a document of kind share."""
    return pack({"wanted": {str(kind): count for kind, count in sorted(wanted.items())}})


def share_from(body: bytes) -> Mapping[SpotType, int]:
    """How many spots of each type the cloud is to own. A type that this version does not know is left out.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    wanted = Fields(unpack(body, SHARE), SHARE).take("wanted", plain_map)
    known = set(SpotType)
    return {
        SpotType(kind): _COUNT(count, f"{SHARE}.wanted.{kind}")
        for kind, count in wanted.items()
        if kind in known
    }


def stranded_body(rows: Iterable[TransferRow]) -> bytes:
    """The body of a document of kind stranded."""
    return pack({"transfers": [transfer_fact(row) | {"epoch": row.epoch} for row in rows]})


def stranded_from(body: bytes) -> tuple[TransferRow, ...]:
    """What an earlier epoch left in flight, as rows that say so.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    return Fields(unpack(body, STRANDED), STRANDED).take(
        "transfers", sequence(_stranded_transfer, MOST_STRANDED)
    )


def _stranded_transfer(value: object, path: str) -> TransferRow:
    told = transfer_from_fact(
        value, path, to=Tier.EDGE, epoch=Fields(value, path).take("epoch", integer(0, 2**31 - 1))
    )
    return TransferRow(
        id=told.id,
        epoch=told.epoch,
        to=told.to,
        type=told.type,
        spots=told.spots,
        state=TransferState.STRANDED,
    )
