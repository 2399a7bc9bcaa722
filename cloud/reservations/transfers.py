"""Spots that change hands, on the cloud's side: debit first, then say it; credit with the log's page. Next in its story: sync/ownership.py, then cloud/gateways/link.

Theory. Every method works inside a transaction of the caller that holds the lot's row, so that no sale takes a spot that is being given away. What is
given is in flight in that commit and is said at it (`commit_words`), again on each session of the epoch, and once more whenever the lot asks, until its
log tells `transfer_in`. What a lot gives is credited with the row of its log that tells it, which is applied once. The cloud owns a share of each
type: it puts the number into the lot's list of documents, and the lot gives; what it owns beyond it, it gives back.

A new epoch begins with every spot the lot's, but those in flight: they are stranded, and the new gateway's first documents name them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.facts import Origin
from cloud.named_sql import named_sql
from cloud.observability import Metrics
from cloud.parking_lots.service import ParkingLots
from cloud.reservations.commit_words import Word, say
from cloud.reservations.ports import LotLink
from parking.clock import Clock
from parking.ids import SpotId
from parking.lot import InFlight, Owner, SpotType, Tier
from sync.failpoints import Failpoints
from sync.messages import Transfer, TransferRequest
from sync.ownership import (
    DEFAULT_SHARE_1E4,
    MOST_AT_ONCE,
    OwnerChange,
    TransferEvent,
    TransferRow,
    TransferState,
    cloud_share,
    message,
    none_to_give,
    owed,
    step,
)
from sync.transaction import NoReason
from sync.transfer_words import SHARE, STRANDED, share_body, stranded_body

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

BEFORE_COMMIT = "cloud.transfer.before_commit"
AFTER_COMMIT = "cloud.transfer.after_commit"


class Transfers:
    """Gives and credits. `new_id` makes transfers' ids."""

    def __init__(
        self,
        *,
        lots: ParkingLots,
        link: LotLink,
        clock: Clock,
        metrics: Metrics,
        failpoints: Failpoints,
        new_id: Callable[[], UUID],
    ) -> None:
        self._lots = lots
        self._link = link
        self._clock = clock
        self._metrics = metrics
        self._failpoints = failpoints
        self._new_id = new_id

    # What the lot's link brings

    async def asked(
        self, connection: AsyncConnection[DictRow], origin: Origin, applied_seq: int, request: TransferRequest
    ) -> None:
        """The lot asks for spots: what can be given is given, and what is on its way already is said again after it.

        Raises:
            MalformedFrame: it asks for a type that nobody knows.
        """
        on_their_way = await self.in_flight(connection, origin)
        answered = next((row for row, name in on_their_way if name == request.request), None)
        given = answered
        if answered is None and request.type in set(SpotType):
            kind = SpotType(request.type)
            given = await self._give(connection, origin, kind, request.count, request=request.request)
            if given is not None:
                await self._recount(connection, origin, applied_seq)
        again = [row for row, _ in on_their_way if row != given and row.type == request.type]
        for row in ([] if given is None else [given]) + again:
            await self._say(connection, origin, message(row, request=request.request))
        if given is None and not again:
            none = none_to_give(request, transfer=str(self._new_id()), reason=str(NoReason.FULL))
            await self._say(connection, origin, none)
        self._failpoints.hit(BEFORE_COMMIT)

    def asked_is_committed(self) -> None:
        """The transaction of `asked` is over."""
        self._failpoints.hit(AFTER_COMMIT)

    async def in_flight(
        self, connection: AsyncConnection[DictRow], origin: Origin
    ) -> Sequence[tuple[TransferRow, str]]:
        """What is on its way to the lot in this epoch, the oldest first, each with the question that it answers."""
        scope = {"lot": origin.lot, "epoch": origin.epoch}
        rows = await (await connection.execute(QUERIES["transfers_in_flight"], scope)).fetchall()
        return [(_transfer(row), row["request"]) for row in rows]

    async def to_say_again(self, connection: AsyncConnection[DictRow], origin: Origin) -> Sequence[Transfer]:
        """What is said on a new session of the epoch."""
        said = []
        for row, request in await self.in_flight(connection, origin):
            _, _, send = step(row, TransferEvent.SESSION_OPENED, side=Tier.CLOUD)
            if send:
                said.append(message(row, request=request))
        return said

    # What the lot's log tells

    async def credit(self, connection: AsyncConnection[DictRow], origin: Origin, told: TransferRow) -> None:
        """The log tells that a transfer was given or credited there. A fact: what does not fit it is written down, and it applies."""
        known = (await self._known(connection, origin, [told.id])).get(told.id)
        if told.to is Tier.CLOUD:
            if known is None:
                await self._take(connection, origin, told, TransferEvent.ARRIVED)
            return
        if known is None or known.to is not Tier.EDGE or known.spots != told.spots:
            await self.broken(connection, origin, f"the lot credited {told.id}, which was not sent so")
        else:
            await self._take(connection, origin, known, TransferEvent.CREDIT_SEEN)

    # The share

    async def wish(self, connection: AsyncConnection[DictRow], origin: Origin) -> None:
        """Tell the lot how many spots of each type the cloud is to own, where that is news; give back what is beyond it."""
        scope = {"region": origin.region, "lot": origin.lot}
        rows = await (await connection.execute(QUERIES["shares_of_lot"], scope)).fetchall()
        wanted = {SpotType(row["type"]): _wanted(row) for row in rows}
        body = share_body(wanted)
        known = await self._link.last_document(connection, origin.gateway, SHARE)
        if body != known and (known is not None or any(wanted.values())):
            await self._link.add_document(connection, origin.gateway, SHARE, body)
            await say(connection, Word(lot=origin.lot, reservation=self._new_id()))
        for row in rows:
            beyond = -owed(
                row["total"],
                cloud_owned=row["cloud_owned"],
                to_cloud=0,
                to_edge=row["in_flight"],
                wanted=wanted[SpotType(row["type"])],
            )
            given = await self._give(connection, origin, SpotType(row["type"]), beyond)
            if given is not None:
                await self._say(connection, origin, message(given))

    async def set_share(
        self, connection: AsyncConnection[DictRow], origin: Origin, kind: SpotType, share_1e4: int
    ) -> None:
        """From now on the cloud is to own this much of the lot's spots of `kind`, in 1/10,000."""
        columns = {"lot": origin.lot, "type": str(kind), "share_1e4": share_1e4}
        await connection.execute(QUERIES["share_set"], columns)
        await self.wish(connection, origin)

    # Epochs

    async def epoch_begins(self, connection: AsyncConnection[DictRow], origin: Origin) -> None:
        """A new gateway has the lot: what the old one had not credited is stranded, the rest is the lot's again."""
        scope = {"region": origin.region, "lot": origin.lot, "epoch": origin.epoch}
        await connection.execute(QUERIES["transfers_strand"], scope)
        await connection.execute(QUERIES["owners_to_the_lot"], scope)
        rows = await (await connection.execute(QUERIES["transfers_stranded"], scope)).fetchall()
        if rows:
            stranded = stranded_body(_transfer(row) for row in rows)
            await self._link.add_document(connection, origin.gateway, STRANDED, stranded)
            LOG.error("rights stranded", lot=str(origin.lot), transfers=len(rows), epoch=origin.epoch)
        await self.wish(connection, origin)
        await self._recount(connection, origin, 0)

    # Pieces

    async def _give(
        self,
        connection: AsyncConnection[DictRow],
        origin: Origin,
        kind: SpotType,
        count: int,
        *,
        request: str = "",
    ) -> TransferRow | None:
        """Debit at most `count` spots that nothing is promised of; None where there is none."""
        scope = {"region": origin.region, "lot": origin.lot, "type": str(kind)}
        limit = min(count, MOST_AT_ONCE)
        if limit < 1:
            return None
        by = {"gateway": origin.gateway, "epoch": origin.epoch}
        (log,) = await (await connection.execute(QUERIES["log_has_passed"], by)).fetchall()
        columns = {**scope, "limit": limit, "passed": log["passed"]}
        rows = await (await connection.execute(QUERIES["spots_to_give"], columns)).fetchall()
        if not rows:
            return None
        spots = tuple(SpotId(str(row["id"])) for row in rows)
        row = TransferRow(id=str(self._new_id()), epoch=origin.epoch, to=Tier.EDGE, type=kind, spots=spots)
        return await self._take(connection, origin, row, TransferEvent.GIVEN, request=request)

    async def _take(
        self,
        connection: AsyncConnection[DictRow],
        origin: Origin,
        row: TransferRow,
        event: TransferEvent,
        *,
        request: str = "",
    ) -> TransferRow:
        """One step of a transfer: its row and its spots' owners. Late or repeated news changes nothing."""
        after, owners, _ = step(row, event, side=Tier.CLOUD)
        if after == row:
            return row
        for change in owners:
            await self._hand_over(connection, origin, row, change)
        columns = {
            "id": after.id,
            "region": origin.region,
            "lot": origin.lot,
            "gateway": origin.gateway,
            "epoch": after.epoch,
            "to_tier": str(after.to),
            "type": str(after.type),
            "spots": list(after.spots),
            "state": str(after.state),
            "request": request,
        }
        await connection.execute(QUERIES["transfer_put"], columns)
        LOG.info("transfer", id=after.id, state=str(after.state), to=str(after.to), spots=len(after.spots))
        return after

    async def _hand_over(
        self, connection: AsyncConnection[DictRow], origin: Origin, row: TransferRow, change: OwnerChange
    ) -> None:
        """Our half of the sum, at this commit: every spot of the transfer was where it should be, or is no spot of the lot any more."""
        was: Owner = row.sender if row.state is TransferState.NONE else InFlight(transfer=row.id)
        columns = {
            "region": origin.region,
            "lot": origin.lot,
            "spots": list(change.spots),
            "owner": _owner(change.owner),
            "in_transfer": _transfer_of(change.owner),
            "was": _owner(was),
            "was_in": _transfer_of(was),
        }
        moved = await (await connection.execute(QUERIES["owner_set"], columns)).fetchall()
        if len(moved) == len(change.spots):
            return
        here = await (await connection.execute(QUERIES["spots_here"], columns)).fetchall()
        astray = {str(row["id"]) for row in here} - {str(row["id"]) for row in moved}
        for spot in sorted(astray):
            await self.broken(connection, origin, f"{row.id} moves {spot}, which was not {_owner(was)}")

    async def broken(self, connection: AsyncConnection[DictRow], origin: Origin, problem: str) -> None:
        """The owners do not add up: counted, and on record for a person."""
        columns = {"region": origin.region, "lot": origin.lot, "problem": problem}
        if await (await connection.execute(QUERIES["ownership_broken"], columns)).fetchone() is not None:
            self._metrics.ownership_broken.inc()
            LOG.error("ownership broken", lot=str(origin.lot), gateway=origin.gateway, problem=problem)

    async def _known(
        self, connection: AsyncConnection[DictRow], origin: Origin, ids: Sequence[str]
    ) -> Mapping[str, TransferRow]:
        scope = {"lot": origin.lot, "ids": list(ids)}
        rows = await (await connection.execute(QUERIES["transfers_known"], scope)).fetchall()
        return {str(row["id"]): _transfer(row) for row in rows}

    async def _say(self, connection: AsyncConnection[DictRow], origin: Origin, frame: Transfer) -> None:
        await say(connection, Word(lot=origin.lot, reservation=self._new_id(), frame=frame))

    async def _recount(self, connection: AsyncConnection[DictRow], origin: Origin, as_of_seq: int) -> None:
        await self._lots.recount(
            connection, origin.region, origin.lot, as_of_seq=as_of_seq, now=self._clock.now()
        )


def _wanted(row: DictRow) -> int:
    share_1e4 = DEFAULT_SHARE_1E4 if row["share_1e4"] is None else row["share_1e4"]
    return cloud_share(row["total"], share_1e4=share_1e4)


def _owner(owner: Owner) -> str:
    return "in_flight" if isinstance(owner, InFlight) else str(owner)


def _transfer_of(owner: Owner) -> str | None:
    return owner.transfer if isinstance(owner, InFlight) else None


def _transfer(row: DictRow) -> TransferRow:
    return TransferRow(
        id=str(row["id"]),
        epoch=row["epoch"],
        to=Tier(row["to_tier"]),
        type=SpotType(row["type"]),
        spots=tuple(SpotId(str(spot)) for spot in row["spots"]),
        state=TransferState(row["state"]),
    )
