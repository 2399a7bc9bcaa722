"""What others may know of the fleet: its state, and the newest of what each log tells, read only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from cloud.gateways.hearing import Hearing, hearing_of
from cloud.named_sql import named_sql
from sync.chain import unpack_envelope
from sync.errors import MalformedFrame

QUERIES = named_sql("cloud.gateways")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """One gateway: `age_s` is real seconds since it was last heard, `lanes` its lanes' phases by id."""

    id: str
    lot: UUID
    lot_name: str
    epoch: int
    session: int
    state: str
    state_reason: str
    session_open: bool
    age_s: float | None
    acknowledged_seq: int
    last_seq: int
    backlog: int
    unexplained: int
    events_applied: int
    events_quarantined: int
    documents_waiting: int
    lanes: Mapping[str, str]
    software: str | None
    clock_quality: str | None

    @property
    def hearing(self) -> Hearing:
        """How it is heard."""
        return hearing_of(self.age_s, session_open=self.session_open)

    @property
    def connected(self) -> bool:
        """Whether it is heard now: an open socket alone says nothing."""
        return self.hearing is Hearing.UP


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFact:
    """A row of a log as it reads: `kind` is empty where it could not be understood. `occurred_at` is civil."""

    seq: int
    kind: str
    occurred_at: datetime | None
    body: Mapping[str, object] = field(default_factory=dict)


async def fleet(connection: AsyncConnection[DictRow], now_real: datetime) -> list[GatewayState]:
    """Every gateway in charge of a lot, by the lot's name; `now_real` is the database's time."""
    rows = await (await connection.execute(QUERIES["gateways_list"], {"lot": None})).fetchall()
    return [_gateway(row, now_real) for row in rows if row["state"] != "replaced"]


async def heard_how(connection: AsyncConnection[DictRow]) -> Mapping[Hearing, int]:
    """How many gateways that are well are heard how."""
    rows = await (await connection.execute(QUERIES["gateways_ages"])).fetchall()
    return Counter(hearing_of(row["age_s"], session_open=row["session_open"]) for row in rows)


async def latest_facts(
    connection: AsyncConnection[DictRow], gateway: GatewayState, limit: int
) -> list[ToldFact]:
    """The newest rows of a gateway's log, newest first."""
    scope = {"gateway": gateway.id, "epoch": gateway.epoch, "limit": limit}
    rows = await (await connection.execute(QUERIES["facts_latest"], scope)).fetchall()
    return [_fact(row) for row in rows]


async def refusals(connection: AsyncConnection[DictRow], lots: Sequence[UUID], since: datetime) -> int:
    """How often a lane of `lots` refused somebody since the civil instant `since`."""
    scope = {"lots": list(lots), "since": since}
    row = await (await connection.execute(QUERIES["refusals_since"], scope)).fetchone()
    return 0 if row is None else int(row["count"])


def _gateway(row: DictRow, now_real: datetime) -> GatewayState:
    heard_at = row["last_heard_at"]
    return GatewayState(
        id=row["id"],
        lot=row["lot_id"],
        lot_name=row["lot_name"],
        epoch=row["epoch"],
        session=row["session"],
        state=row["state"],
        state_reason=row["state_reason"],
        session_open=row["session_open"],
        age_s=None if heard_at is None else max(0.0, (now_real - heard_at).total_seconds()),
        acknowledged_seq=row["acknowledged_seq"],
        last_seq=row["last_seq"],
        backlog=row["backlog"],
        unexplained=row["unexplained"],
        events_applied=row["events_applied"],
        events_quarantined=row["events_quarantined"],
        documents_waiting=row["documents_waiting"],
        lanes=row["lane_states"],
        software=row["software"],
        clock_quality=row["clock_quality"],
    )


def _fact(row: DictRow) -> ToldFact:
    try:
        envelope = unpack_envelope(bytes(row["body"]))
    except MalformedFrame:
        return ToldFact(seq=row["seq"], kind="", occurred_at=row["occurred_at"])
    kind = "" if row["outcome"] == "quarantined" else envelope.kind
    return ToldFact(seq=row["seq"], kind=kind, occurred_at=row["occurred_at"], body=envelope.body)
