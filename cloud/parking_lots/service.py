"""Lots as they are built, what their sensors see, and what may be sold of them now. Next in its story: cloud/events.

Three different things are kept here and never mixed: the layout (from the lot's own lot.toml), the sensors' last word on each spot,
and the counts of what the ledger may sell. The counts follow the lot's claims and stays set-based, in the transaction that changes
those; `holds_until` says when they change by themselves. What the gateway reports of its own ledger is shown while it knows of
more of the log than has been applied here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from cloud.events import NewEvent, publish
from cloud.facts import Origin
from cloud.named_sql import named_sql
from parking.lot import Lot, OpeningHours
from sync.instants import from_us
from sync.messages import CountRow, SpotStateRow

QUERIES = named_sql("cloud.parking_lots")
DEFAULT_REGION = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class LotCounts:
    """What may be sold of one type now, true until `holds_until`; `is_reported` where it is the gateway's own word."""

    type: str
    owner: str
    total: int
    sellable: int
    holds_until: datetime | None
    as_of_seq: int
    is_reported: bool

    def as_json(self) -> dict[str, object]:
        """The same as plain JSON."""
        holds_until = None if self.holds_until is None else self.holds_until.isoformat()
        return {
            "type": self.type,
            "owner": self.owner,
            "total": self.total,
            "sellable": self.sellable,
            "holds_until": holds_until,
        }


class ParkingLots:
    """Keeps lots, spots and counts. Every method works inside the caller's transaction, which holds the lot's row."""

    async def lock(self, connection: AsyncConnection[DictRow], region: str, lot: UUID) -> bool:
        """Hold the lot's row until the transaction ends; whether there is such a lot."""
        cursor = await connection.execute(QUERIES["lot_lock"], {"region": region, "lot": lot})
        return await cursor.fetchone() is not None

    async def region_of(self, connection: AsyncConnection[DictRow], lot: UUID) -> str | None:
        """The lot's region; None where there is no such lot."""
        row = await (await connection.execute(QUERIES["lot_region"], {"lot": lot})).fetchone()
        return None if row is None else str(row["region"])

    async def announce(self, connection: AsyncConnection[DictRow], lot: UUID) -> str:
        """Make room for a lot whose layout is still to come; its region."""
        region = await self.region_of(connection, lot)
        if region is not None:
            return region
        await connection.execute(
            QUERIES["lot_announce"], {"region": DEFAULT_REGION, "lot": lot, "name": f"Lot {lot}"}
        )
        return DEFAULT_REGION

    async def lay_out(
        self, connection: AsyncConnection[DictRow], origin: Origin, lot: Lot, layout_hash: bytes
    ) -> None:
        """Keep the lot as its lot.toml describes it."""
        scope = {"region": origin.region, "lot": origin.lot}
        levels = {zone.id: zone.level for zone in lot.zones}
        await connection.execute(QUERIES["lot_lay_out"], {**scope, **_lot_columns(lot), "hash": layout_hash})
        await connection.execute(
            QUERIES["zones_lay_out"],
            {
                **scope,
                "id": [zone.id for zone in lot.zones],
                "level": [zone.level for zone in lot.zones],
                "kind": [str(zone.kind) for zone in lot.zones],
                "enforced_by": [
                    None if zone.enforced_by is None else str(zone.enforced_by) for zone in lot.zones
                ],
            },
        )
        await connection.execute(
            QUERIES["spots_lay_out"],
            {
                **scope,
                "id": [spot.id for spot in lot.spots],
                "zone_id": [spot.zone for spot in lot.spots],
                "number": [spot.number for spot in lot.spots],
                "type": [str(spot.type) for spot in lot.spots],
                "level": [levels[spot.zone] for spot in lot.spots],
            },
        )
        await publish(connection, [NewEvent(lot=origin.lot, kind="LotLaidOut", body={"name": lot.name})])

    async def see(
        self,
        connection: AsyncConnection[DictRow],
        origin: Origin,
        spots: Sequence[SpotStateRow],
        now: datetime,
    ) -> None:
        """Keep what the sensors say; an older word of the same spot changes nothing."""
        columns: dict[str, list[object]] = {
            "id": [row.spot for row in spots],
            "n": [row.n for row in spots],
            "state": [row.state for row in spots],
            "source": [row.source for row in spots],
            "occurred_at": [from_us(row.occurred_us) for row in spots],
            "confidence": [row.confidence_1e4 for row in spots],
        }
        scope = {"region": origin.region, "lot": origin.lot, "epoch": origin.epoch, "now": now}
        rows = await (await connection.execute(QUERIES["spots_see"], {**scope, **columns})).fetchall()
        changed = [_spot_json(row) for row in rows if row["state"] != row["old_state"]]
        if changed:
            body: dict[str, object] = {"spots": changed}
            await publish(connection, [NewEvent(lot=origin.lot, kind="SpotAvailabilityChanged", body=body)])

    async def report(
        self, connection: AsyncConnection[DictRow], origin: Origin, counts: Sequence[CountRow], as_of_seq: int
    ) -> None:
        """Keep the gateway's own counts as of its log row `as_of_seq`, and publish what is shown where that changed."""
        before = await self.counts(connection, origin.lot)
        columns: dict[str, list[object]] = {
            "type": [row.type for row in counts],
            "total": [row.total for row in counts],
            "sellable": [row.sellable for row in counts],
            "holds_until": [
                None if row.holds_until_us is None else from_us(row.holds_until_us) for row in counts
            ],
        }
        scope = {"lot": origin.lot, "as_of_seq": as_of_seq}
        await connection.execute(QUERIES["counts_report"], {**scope, **columns})
        await self._publish_counts(connection, origin.lot, before)

    async def recount(
        self, connection: AsyncConnection[DictRow], region: str, lot: UUID, *, as_of_seq: int, now: datetime
    ) -> None:
        """Compute what may be sold at `now` from claims and stays, and publish what is shown where that changed."""
        before = await self.counts(connection, lot)
        scope = {"region": region, "lot": lot, "as_of_seq": as_of_seq, "now": now}
        await connection.execute(QUERIES["counts_recompute"], scope)
        await self._publish_counts(connection, lot, before)

    async def counts(self, connection: AsyncConnection[DictRow], lot: UUID) -> tuple[LotCounts, ...]:
        """What may be sold now, by type and owner."""
        rows = await (await connection.execute(QUERIES["counts_shown"], {"lot": lot})).fetchall()
        return tuple(LotCounts(**row) for row in rows)

    async def recount_due(self, connection: AsyncConnection[DictRow], now: datetime) -> list[DictRow]:
        """The lots (region, lot, as_of_seq) whose counts do not hold any more at `now`."""
        return await (await connection.execute(QUERIES["counts_due"], {"now": now})).fetchall()

    async def next_due_at(self, connection: AsyncConnection[DictRow]) -> datetime | None:
        """The civil instant at which some lot's counts hold no longer."""
        row = await (await connection.execute(QUERIES["counts_next_due"])).fetchone()
        return None if row is None else row["due_at"]

    async def _publish_counts(
        self, connection: AsyncConnection[DictRow], lot: UUID, before: tuple[LotCounts, ...]
    ) -> None:
        after = await self.counts(connection, lot)
        if [counts.as_json() for counts in after] == [counts.as_json() for counts in before]:
            return
        body: dict[str, object] = {"counts": [counts.as_json() for counts in after]}
        await publish(connection, [NewEvent(lot=lot, kind="SpotAvailabilityChanged", body=body)])


def _lot_columns(lot: Lot) -> dict[str, object]:
    policy = lot.policy
    return {
        "name": lot.name,
        "address": lot.address,
        "timezone": lot.timezone.key,
        "currency": lot.currency,
        "latitude": lot.latitude,
        "longitude": lot.longitude,
        "total_spots": len(lot.spots),
        "lanes": Jsonb([{"id": lane.id, "kind": str(lane.kind)} for lane in lot.lanes]),
        "operating_hours": None if lot.opening_hours is None else Jsonb(_hours_json(lot.opening_hours)),
        "policy": Jsonb(
            {
                "assumed_stay_s": int(policy.assumed_stay.total_seconds()),
                "extension_step_s": int(policy.extension_step.total_seconds()),
                "turnover_buffer_s": int(policy.turnover_buffer.total_seconds()),
                "early_arrival_s": int(policy.early_arrival.total_seconds()),
                "exit_grace_s": int(policy.exit_grace.total_seconds()),
                "spare_spots": {str(type_): count for type_, count in policy.spare_spots.items()},
            }
        ),
    }


def _hours_json(hours: OpeningHours) -> dict[str, list[str]]:
    return {
        str(weekday): [f"{opens:%H:%M}", f"{closes:%H:%M}"]
        for weekday, (opens, closes) in sorted(hours.by_weekday.items())
    }


def _spot_json(row: DictRow) -> dict[str, object]:
    return {
        "id": str(row["id"]),
        "number": row["number"],
        "level": row["level"],
        "type": row["type"],
        "state": row["state"],
        "occurred_at": row["occurred_at"].isoformat(),
        "confidence_1e4": row["confidence_1e4"],
    }
