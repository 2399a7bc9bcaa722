"""Claims, stays and conflicts as the lots tell them. Next in its story: cloud/events.

A fact always applies. A claim is a full row with its version: the highest version of each is kept, all rows of a page are taken off
their spots before any is put on, and one whose spot is promised to another is kept with `clashing = true`, outside the constraint,
with a row in `conflicts`. Where what was in its way goes, it comes under the constraint again and the conflict is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import structlog
from psycopg import AsyncConnection
from psycopg.errors import ExclusionViolation
from psycopg.rows import DictRow

from cloud.events import NewEvent, publish
from cloud.facts import Fact, Origin, Read, require_uuid
from cloud.json_text import json_text
from cloud.named_sql import named_sql
from cloud.reservations.kept_promises import KeptPromises
from cloud.reservations.ports import Errand
from parking.claims import Claim
from parking.stays import Stay
from sync.errors import MalformedFrame
from sync.events import EventKind
from sync.rows import claim_from_row, stay_from_row

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)

STAY_KINDS = frozenset(
    {EventKind.STAY_ADMITTED, EventKind.STAY_ENTERED, EventKind.STAY_LEFT, EventKind.STAY_VOIDED}
)
TOLD_OF_STAYS = {EventKind.STAY_ENTERED: "StayOpened", EventKind.STAY_LEFT: "StayClosed"}

Kept = Claim | Stay | str
"""A claim, a stay, or the JSON of a conflict that the gateway found."""

V = TypeVar("V", Claim, Stay)


class UndecidedHolds(Protocol):
    """The coordinator, where a fact meets what it holds undecided."""

    async def met_by_facts(
        self, connection: AsyncConnection[DictRow], origin: Origin, reservations: Sequence[str]
    ) -> Sequence[Errand]:
        """Abort those of `reservations` that are undecided and release their holds. What is to be paid back is found by itself."""
        ...


class Reservations:
    """Keeps claims, stays and conflicts."""

    kinds: frozenset[str] = STAY_KINDS | {EventKind.CLAIM_CHANGED, EventKind.CONFLICT_FOUND}

    def __init__(self, *, commit: UndecidedHolds, promises: KeptPromises) -> None:
        self._commit = commit
        self._promises = promises

    def read(self, fact: Fact) -> Kept:
        """The claim, stay or conflict that `fact` carries.

        Raises:
            MalformedFrame: its body is not what its kind says.
        """
        if fact.kind == EventKind.CLAIM_CHANGED:
            claim = claim_from_row(_part(fact, "claim"))
            require_uuid(claim.id, "claim.id")
            if claim.spot is not None:
                require_uuid(claim.spot, "claim.spot")
            return claim
        if fact.kind == EventKind.CONFLICT_FOUND:
            return json_text(fact.body, "body")
        stay = stay_from_row(_part(fact, "stay"))
        require_uuid(stay.id, "stay.id")
        if stay.claim is not None:
            require_uuid(stay.claim, "stay.claim")
        return stay

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[Kept]]
    ) -> None:
        """Keep them, inside the caller's transaction.

        Raises:
            psycopg.DataError, psycopg.IntegrityError: one cannot be stored as what it says it is.
        """
        claims = _newest(read.row for read in facts if isinstance(read.row, Claim))
        if claims:
            await self._apply_claims(connection, origin, claims)
        stays = _newest(read.row for read in facts if isinstance(read.row, Stay))
        if stays:
            await connection.execute(
                QUERIES["stays_apply"], {**_origin(origin), **_stay_columns(list(stays.values()))}
            )
        reported = [read.row for read in facts if isinstance(read.row, str)]
        if reported:
            await connection.execute(QUERIES["conflicts_report"], {**_origin(origin), "detail": reported})
            LOG.error("conflict reported by the gateway", lot=str(origin.lot), count=len(reported))
        await publish(connection, [event for read in facts if (event := _event(origin, read)) is not None])
        instants = [read.fact.occurred_at for read in facts if read.fact.occurred_at is not None]
        await self._promises.told(
            connection,
            origin,
            claims=list(claims.values()),
            stays=list(stays.values()),
            until=max(instants, default=None),
        )

    async def _apply_claims(
        self, connection: AsyncConnection[DictRow], origin: Origin, claims: Mapping[str, Claim]
    ) -> None:
        scope = {**_origin(origin), "ids": list(claims)}
        rows = await (await connection.execute(QUERIES["claims_known"], scope)).fetchall()
        known = {str(row["id"]): row for row in rows}
        newer = [
            claim
            for id_, claim in claims.items()
            if id_ not in known or known[id_]["version"] < claim.version
        ]
        if not newer:
            return
        created = {id_: row["created_at"] for id_, row in known.items()}
        if created:
            await connection.execute(
                QUERIES["claims_take_off"], {**scope, "ids": [c.id for c in newer if c.id in known]}
            )
        put_on = await self._put_on(connection, origin, newer, created)
        refused = [replace(claim, clashing=True) for claim in newer if claim.id not in put_on]
        if refused and await self._give_way(connection, origin, refused):
            again = [replace(claim, clashing=False) for claim in refused]
            put_on |= await self._put_on(connection, origin, again, created)
            refused = [claim for claim in refused if claim.id not in put_on]
        if refused:
            await self._put_on(connection, origin, refused, created)
        clashing = [claim.id for claim in (*newer, *refused) if claim.clashing]
        if clashing:
            await self._record_conflicts(connection, origin, clashing)
        await self._settle(connection, origin)

    async def _give_way(
        self, connection: AsyncConnection[DictRow], origin: Origin, met: Sequence[Claim]
    ) -> bool:
        """Undecided holds on places of our own that facts have taken are aborted in this transaction; whether there were any."""
        columns = _claim_columns(met)
        scope = {name: columns[name] for name in ("spot_id", "starts_at", "ends_at")}
        cursor = await connection.execute(QUERIES["undecided_in_the_way"], {"region": origin.region, **scope})
        holders = [str(row["holder_id"]) for row in await cursor.fetchall()]
        if holders:
            await self._commit.met_by_facts(connection, origin, holders)
        return bool(holders)

    async def _put_on(
        self,
        connection: AsyncConnection[DictRow],
        origin: Origin,
        claims: Sequence[Claim],
        created: Mapping[str, object],
    ) -> frozenset[str]:
        columns = {**_claim_columns(claims), "created_at": [created.get(claim.id) for claim in claims]}
        cursor = await connection.execute(QUERIES["claims_put_on"], {**_origin(origin), **columns})
        return frozenset(str(row["id"]) for row in await cursor.fetchall())

    async def _record_conflicts(
        self, connection: AsyncConnection[DictRow], origin: Origin, claims: Sequence[str]
    ) -> None:
        cursor = await connection.execute(
            QUERIES["conflicts_record"], {**_origin(origin), "ids": list(claims)}
        )
        found = [{name: str(value) for name, value in row.items()} for row in await cursor.fetchall()]
        for pair in found:
            LOG.error("conflict recorded", lot=str(origin.lot), gateway=origin.gateway, **pair)
        await publish(
            connection, [NewEvent(lot=origin.lot, kind="ConflictFound", body=pair) for pair in found]
        )

    async def _settle(self, connection: AsyncConnection[DictRow], origin: Origin) -> None:
        rows = await (await connection.execute(QUERIES["claims_clashing"], _origin(origin))).fetchall()
        for row in rows:
            try:
                async with connection.transaction():
                    await connection.execute(QUERIES["claim_settle"], {**_origin(origin), "id": row["id"]})
            except ExclusionViolation:
                # A sale that was not committed yet has just taken the place: it goes on clashing.
                LOG.info("claim still clashes", claim=str(row["id"]))
        await connection.execute(QUERIES["conflicts_settle"], _origin(origin))


def _part(fact: Fact, name: str) -> object:
    if name not in fact.body:
        raise MalformedFrame(f"body.{name}", "is missing")
    return fact.body[name]


def _newest(rows: Iterable[V]) -> dict[str, V]:
    """The highest version of each row, in the order in which they first came."""
    newest: dict[str, V] = {}
    for row in rows:
        if row.id not in newest or newest[row.id].version < row.version:
            newest[row.id] = row
    return newest


def _origin(origin: Origin) -> dict[str, object]:
    return {"region": origin.region, "lot": origin.lot, "gateway": origin.gateway, "epoch": origin.epoch}


def _event(origin: Origin, read: Read[Kept]) -> NewEvent | None:
    stay, kind = read.row, TOLD_OF_STAYS.get(EventKind(read.fact.kind))
    if kind is None or not isinstance(stay, Stay):
        return None
    at = read.fact.occurred_at
    body = {
        "stay": stay.id,
        "type": str(stay.type),
        "lane": stay.lane,
        "at": None if at is None else at.isoformat(),
    }
    return NewEvent(lot=origin.lot, kind=kind, body=body)


def _claim_columns(claims: Sequence[Claim]) -> dict[str, list[object]]:
    return {
        "id": [claim.id for claim in claims],
        "spot_id": [claim.spot for claim in claims],
        "type": [str(claim.type) for claim in claims],
        "starts_at": [claim.window.starts_at for claim in claims],
        "ends_at": [claim.window.ends_at for claim in claims],
        "kind": [str(claim.kind) for claim in claims],
        "holder_kind": [claim.holder_kind for claim in claims],
        "holder_id": [claim.holder_id for claim in claims],
        "state": [str(claim.state) for claim in claims],
        "sold_by": [str(claim.sold_by) for claim in claims],
        "epoch": [claim.epoch for claim in claims],
        "revision": [claim.revision for claim in claims],
        "version": [claim.version for claim in claims],
        "clashing": [claim.clashing for claim in claims],
    }


def _stay_columns(stays: Sequence[Stay]) -> dict[str, list[object]]:
    return {
        "id": [stay.id for stay in stays],
        "credential_kind": [str(stay.credential.kind) for stay in stays],
        "credential_subject": [stay.credential.subject for stay in stays],
        "type": [str(stay.type) for stay in stays],
        "state": [str(stay.state) for stay in stays],
        "lane": [stay.lane for stay in stays],
        "admitted_at": [stay.admitted_at for stay in stays],
        "entered_at": [stay.entered_at for stay in stays],
        "left_at": [stay.left_at for stay in stays],
        "claim_id": [stay.claim for stay in stays],
        "over_count": [stay.over_count for stay in stays],
        "tariff_version": [stay.tariff_version for stay in stays],
        "factor_1e4": [stay.factor_1e4 for stay in stays],
        "paid_until": [stay.paid_until for stay in stays],
        "version": [stay.version for stay in stays],
    }
