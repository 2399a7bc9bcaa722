"""The fleet: enrolment, sessions, the log's application, documents going down. Next in its story: cloud/gateways/page.

Every transaction that applies something for a gateway holds that gateway's row and compares epoch, session and state first: a
newer session, another epoch or a quarantine makes it fail with `SessionReplaced`, and nothing of it happens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from cloud.database import Database
from cloud.errors import CodeNotValid, NotFound, SessionReplaced
from cloud.events import NewEvent, publish
from cloud.facts import Origin
from cloud.gateways.documents import Documents
from cloud.gateways.hearing import Hearing, hearing_of
from cloud.gateways.page import Keeper, PageTaker
from cloud.gateways.parties import CommandsParty, CommitParty, OwnersParty
from cloud.named_sql import named_sql
from cloud.parking_lots.service import ParkingLots
from parking.clock import Clock
from parking.lot import SpotType
from parking.tariff import Tariff
from sync.chain import genesis
from sync.failpoints import Failpoints
from sync.inbox import InboxRow
from sync.incarnation import GatewayRecord
from sync.layout import lot_from_layout
from sync.messages import CommandResult, FromParticipant, Hello, States, Transfer, TransferRequest, Vote

QUERIES = named_sql("cloud.gateways")
CLOUD_QUERIES = named_sql("cloud")
LOG = structlog.get_logger(__name__)

CODE_VALID_H = 24
VOTE_ARRIVED = "cloud.link.vote_arrived"
VOTE_TAKEN = "cloud.link.vote_taken"
PAGE_BEFORE_COMMIT = "cloud.page.before_commit"
PAGE_AFTER_COMMIT = "cloud.page.after_commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a new gateway is told."""

    gateway: str
    lot: UUID
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A gateway as it is on record: what the session judges by, and whose lot it is."""

    record: GatewayRecord
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """The one writer: a gateway's session in its epoch."""

    origin: Origin
    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How far the log is applied. `forked_at`: this row is held with another hash, and nothing was applied."""

    seq: int
    hash: bytes
    new: int = 0
    quarantined: int = 0
    forked_at: int | None = None


class Gateways:
    """Keeps the fleet. `holder` is the key of the lock that this process holds while it lives; 0: none."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        lots: ParkingLots,
        keepers: Sequence[Keeper],
        documents: Documents,
        commit: CommitParty,
        owners: OwnersParty,
        commands: CommandsParty,
        failpoints: Failpoints,
        holder: int,
        new_code: Callable[[], str],
    ) -> None:
        self._database = database
        self._clock = clock
        self._lots = lots
        self._pages = PageTaker(keepers)
        self._documents = documents
        self._commit = commit
        self._owners = owners
        self._commands = commands
        self._failpoints = failpoints
        self._holder = holder
        self._new_code = new_code

    # Enrolment

    async def invite(self, lot: UUID) -> str:
        """A one-time code with which one gateway can enrol for `lot` within a day."""
        code = self._new_code()
        async with self._database.connection() as connection, connection.transaction():
            region = await self._lots.announce(connection, lot)
            await connection.execute(
                QUERIES["code_keep"],
                {"code_hash": _code_hash(code), "region": region, "lot": lot, "hours": CODE_VALID_H},
            )
        return code

    async def enrol(self, code: str, public_key: bytes) -> Enrolment:
        """A gateway joins with the key it made, as the next epoch of its lot; the same key again gets the same answer.

        Raises:
            CodeNotValid: the code is unknown, expired, or served another key.
        """
        async with self._database.connection() as connection, connection.transaction():
            scope = {"code_hash": _code_hash(code)}
            found = await (await connection.execute(QUERIES["code_find"], scope)).fetchone()
            if found is None:
                raise CodeNotValid(
                    "this code is unknown or expired", "code", "ask for a new one: gateways invite"
                )
            if found["gateway_id"] is not None:
                return await self._enrolled_before(connection, found["gateway_id"], public_key)
            lot, region = found["lot_id"], found["region"]
            await self._lots.lock(connection, region, lot)
            row = await (await connection.execute(QUERIES["epoch_next"], {"lot": lot})).fetchone()
            epoch = 1 if row is None else int(row["epoch"])
            gateway = f"gw-{str(lot)[:13]}-{epoch}"
            reason = f"replaced by {gateway}"
            await connection.execute(QUERIES["gateways_replace"], {"lot": lot, "reason": reason})
            await connection.execute(
                QUERIES["gateway_enrol"],
                {
                    "gateway": gateway,
                    "region": region,
                    "lot": lot,
                    "public_key": public_key,
                    "epoch": epoch,
                    "hash": genesis(gateway, epoch),
                },
            )
            await connection.execute(QUERIES["code_use"], {**scope, "gateway": gateway})
            await self._documents.first_of(connection, gateway=gateway, lot=lot, public_key=public_key)
            origin = Origin(region=region, lot=lot, gateway=gateway, epoch=epoch)
            await self._owners.epoch_begins(connection, origin)
            await publish(connection, [_state_event(lot, gateway, "enrolled")])
        LOG.info("gateway enrolled", gateway=gateway, lot=str(lot), epoch=epoch)
        return Enrolment(gateway=gateway, lot=lot, epoch=epoch)

    async def _enrolled_before(
        self, connection: AsyncConnection[DictRow], gateway: str, public_key: bytes
    ) -> Enrolment:
        row = await self._row(connection, gateway, 0)
        if row is None or bytes(row["public_key"]) != public_key:
            raise CodeNotValid("this code was used already", "code", "ask for a new one: gateways invite")
        return Enrolment(gateway=gateway, lot=row["lot_id"], epoch=row["epoch"])

    # Sessions

    async def identify(self, hello: Hello) -> Known | None:
        """What is on record of the gateway that says hello; None where it is unknown."""
        async with self._database.connection() as connection:
            row = await self._row(connection, hello.gateway, hello.acknowledged_seq)
        if row is None:
            return None
        standing = row["state"] != "ok"
        record = GatewayRecord(
            gateway=row["id"],
            public_key=bytes(row["public_key"]),
            epoch=row["epoch"],
            acknowledged_seq=row["acknowledged_seq"],
            acknowledged_hash=bytes(row["acknowledged_hash"]),
            hash_at_hello=None if row["hash_at_hello"] is None else bytes(row["hash_at_hello"]),
            layout_hash=bytes(row["layout_hash"] or b""),
            quarantined=(row["state_reason"] or row["state"]) if standing else "",
        )
        origin = Origin(region=row["region"], lot=row["lot_id"], gateway=row["id"], epoch=row["epoch"])
        return Known(record=record, origin=origin)

    async def begin(self, known: Known, hello: Hello, verdict: str, reason: str) -> SessionKey:
        """The gateway's next session, which replaces the older one.

        A fencing verdict about this very epoch stays until a person lifts it; one about another epoch is about the caller alone.
        """
        origin = known.origin
        async with self._database.connection() as connection, connection.transaction():
            await self._lots.lock(connection, origin.region, origin.lot)
            columns = {
                "gateway": origin.gateway,
                "boot": hello.boot,
                "software": hello.software,
                "clock_quality": hello.clock_quality,
                "last_seq": hello.last_seq,
                "holder": self._holder,
            }
            row = await (await connection.execute(QUERIES["session_begin"], columns)).fetchone()
            if row is None:
                raise SessionReplaced(f"gateway {origin.gateway} is gone")
            await self._commands.session_over(connection, origin, row["session"] - 1)
            if verdict != "ok" and hello.epoch == origin.epoch and not known.record.quarantined:
                await self._set_state(connection, origin.gateway, "fenced", reason)
            if verdict == "ok":
                await self._owners.wish(connection, origin)
            await publish(connection, [_state_event(origin.lot, origin.gateway, "connected")])
        return SessionKey(origin=origin, session=row["session"])

    async def end(self, key: SessionKey) -> None:
        """The session's line is closed; nothing where a newer one has taken its place."""
        origin = key.origin
        async with self._database.connection() as connection, connection.transaction():
            await self._lots.lock(connection, origin.region, origin.lot)
            scope = {"gateway": origin.gateway, "session": key.session}
            if await (await connection.execute(QUERIES["session_end"], scope)).fetchone() is not None:
                await publish(connection, [_state_event(origin.lot, origin.gateway, "disconnected")])
            await self._commands.session_over(connection, origin, key.session)

    async def quarantine(self, key: SessionKey, reason: str) -> None:
        """Nothing of this gateway is applied any more until a person has looked."""
        origin = key.origin
        async with self._database.connection() as connection, connection.transaction():
            await self._lots.lock(connection, origin.region, origin.lot)
            await self._set_state(connection, origin.gateway, "quarantined", reason)
            await publish(connection, [_state_event(origin.lot, origin.gateway, "quarantined")])
        LOG.error("gateway quarantined", gateway=origin.gateway, lot=str(origin.lot), reason=reason)

    # What a session applies

    async def store_layout(self, key: SessionKey, layout_hash: bytes, body: bytes) -> None:
        """Keep the lot as its gateway describes it.

        Raises:
            MalformedFrame: the body is no layout.
            SessionReplaced: this session may not write.
        """
        lot = lot_from_layout(body)
        async with self._writing(key) as (connection, applied):
            await self._lots.lay_out(connection, key.origin, lot, layout_hash)
            await self._owners.wish(connection, key.origin)
            await self._recount(connection, key.origin, applied.seq)

    async def store_states(self, key: SessionKey, states: States) -> None:
        """Keep telemetry: the sensors' last words, the gateway's own counts, its lanes and backlog.

        Raises:
            SessionReplaced: this session may not write.
        """
        async with self._writing(key) as (connection, _):
            await connection.execute(
                QUERIES["gateway_heard"],
                {
                    "gateway": key.origin.gateway,
                    "backlog": states.backlog,
                    "unexplained": states.unexplained,
                    "lanes": Jsonb(dict(states.lanes)),
                },
            )
            if states.spots:
                await self._lots.see(connection, key.origin, states.spots, self._clock.now())
            if states.counts:
                await self._lots.report(connection, key.origin, states.counts, states.as_of_seq)

    async def apply_page(self, key: SessionKey, rows: Sequence[InboxRow]) -> Applied:
        """Take rows of the log in, with the acknowledged sequence, in one transaction.

        Raises:
            SessionReplaced: this session may not write.
        """
        async with self._writing(key) as (connection, before):
            if rows[0].seq > before.seq + 1:
                raise SessionReplaced(f"row {rows[0].seq} does not follow {before.seq}")
            forked_at = await self._pages.forked_at(connection, key.origin, rows)
            if forked_at is not None:
                return Applied(seq=before.seq, hash=before.hash, forked_at=forked_at)
            taken = await self._pages.take(connection, key.origin, rows)
            last = rows[-1]
            counts = {
                "gateway": key.origin.gateway,
                "applied": taken.new,
                "quarantined": len(taken.quarantined),
            }
            if last.seq > before.seq:
                await connection.execute(
                    QUERIES["page_acknowledge"], {**counts, "seq": last.seq, "hash": last.hash}
                )
            else:
                await connection.execute(QUERIES["page_repeated"], counts)
            applied_seq = max(last.seq, before.seq)
            errands = await self._commit.log_applied(connection, key.origin, applied_seq)
            await self._recount(connection, key.origin, applied_seq)
            self._failpoints.hit(PAGE_BEFORE_COMMIT)
        self._failpoints.hit(PAGE_AFTER_COMMIT)
        self._commit.carry_on(errands)
        ahead = last.seq > before.seq
        return Applied(
            seq=last.seq if ahead else before.seq,
            hash=last.hash if ahead else before.hash,
            new=taken.new,
            quarantined=len(taken.quarantined),
        )

    async def documents_after(
        self, key: SessionKey, n: int, limit: int
    ) -> tuple[tuple[int, str, bytes], ...]:
        """What the centre has decided for this gateway after number `n`, in order."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                QUERIES["documents_after"], {"gateway": key.origin.gateway, "n": n, "limit": limit}
            )
            rows = await cursor.fetchall()
        return tuple((row["n"], row["kind"], bytes(row["body"])) for row in rows)

    async def documents_acknowledged(self, key: SessionKey, n: int) -> None:
        """The gateway has applied everything up to `n`.

        Raises:
            SessionReplaced: this session may not write.
        """
        async with self._writing(key, applies=False) as (connection, _):
            await connection.execute(
                QUERIES["documents_acknowledge"], {"gateway": key.origin.gateway, "n": n}
            )
            await self._commit.documents_acknowledged(connection, key.origin, n)

    async def command_answered(self, key: SessionKey, result: CommandResult) -> None:
        """The lot says what became of a gate command.

        Raises:
            MalformedFrame: it is no result.
            SessionReplaced: this session may not write.
        """
        async with self._writing(key) as (connection, _):
            await self._commands.answered(connection, key.origin, key.session, result)

    async def converse(self, key: SessionKey, frame: FromParticipant) -> None:
        """A frame of the commit: what it leads to is said at this transaction's commit.

        Raises:
            SessionReplaced: this session may not write.
        """
        async with self._writing(key) as (connection, applied):
            if isinstance(frame, Vote):
                self._failpoints.hit(VOTE_ARRIVED)
            errands = await self._commit.heard(connection, key.origin, applied.seq, frame)
        if isinstance(frame, Vote):
            self._failpoints.hit(VOTE_TAKEN)
        self._commit.carry_on(errands)

    async def ask_for_spots(self, key: SessionKey, request: TransferRequest) -> None:
        """The lot has no spot of a type left: the answer is said at this transaction's commit.

        Raises:
            SessionReplaced: this session may not write.
        """
        async with self._writing(key) as (connection, applied):
            await self._owners.asked(connection, key.origin, applied.seq, request)
        self._owners.asked_is_committed()

    async def transfers_to_say(self, key: SessionKey) -> Sequence[Transfer]:
        """The spots on their way to the lot, for its new session."""
        async with self._database.connection() as connection:
            return await self._owners.to_say_again(connection, key.origin)

    # What people decide

    async def release(self, gateway: str, *, by: str, reason: str) -> None:
        """End a quarantine or a fencing; it stands in the audit log.

        Raises:
            NotFound: there is no such gateway, or another has taken its place.
        """
        async with self._database.connection() as connection, connection.transaction():
            row = await self._row(connection, gateway, 0)
            if row is None or row["state"] == "replaced":
                raise NotFound(
                    f"no gateway {gateway} in charge", "gateway", "see: lotgate cloud gateways list"
                )
            await self._lots.lock(connection, row["region"], row["lot_id"])
            await self._set_state(connection, gateway, "ok", "")
            entry = {"actor": by, "action": "gateway released", "subject": gateway, "reason": reason}
            await connection.execute(CLOUD_QUERIES["audit"], entry)
            await publish(connection, [_state_event(row["lot_id"], gateway, "released")])

    async def put_tariff(self, lot: UUID, tariff: Tariff, valid_from: datetime) -> int | None:
        """Decide a lot's tariff; its number in the list of the lot's gateway, None where there is no gateway yet.

        Raises:
            NotFound: there is no such lot.
            Conflict: this version is on record already.
        """
        async with self._database.connection() as connection, connection.transaction():
            region = await self._lots.region_of(connection, lot)
            if region is None:
                raise NotFound(f"no lot {lot}", "lot", "see: lotgate cloud lots list")
            await self._lots.lock(connection, region, lot)
            return await self._documents.put_tariff(connection, lot, tariff, valid_from)

    async def set_share(self, lot: UUID, kind: SpotType, share_1e4: int) -> None:
        """Decide how much of a lot's spots of `kind` the centre is to own, in 1/10,000; its gateway hears it.

        Raises:
            NotFound: there is no such lot, or it has no gateway.
        """
        async with self._database.connection() as connection, connection.transaction():
            region = await self._lots.region_of(connection, lot)
            if region is None:
                raise NotFound(f"no lot {lot}", "lot", "see: lotgate cloud lots list")
            await self._lots.lock(connection, region, lot)
            row = await (await connection.execute(QUERIES["line_of_lot"], {"lot": lot})).fetchone()
            if row is None:
                raise NotFound(f"lot {lot} has no gateway", "lot", "enrol one: lotgate cloud gateways invite")
            origin = Origin(region=region, lot=lot, gateway=row["id"], epoch=row["epoch"])
            await self._owners.set_share(connection, origin, kind, share_1e4)

    async def list_all(self, lot: UUID | None = None) -> list[DictRow]:
        """The fleet, or one lot's part of it; `hearing` says how each is heard, `connected` whether now."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(QUERIES["gateways_list"], {"lot": lot})).fetchall()
        for row in rows:
            row["hearing"] = hearing_of(row["age_s"], session_open=row["session_open"])
            row["connected"] = row["hearing"] is Hearing.UP
        return rows

    @asynccontextmanager
    async def _writing(
        self, key: SessionKey, *, applies: bool = True
    ) -> AsyncIterator[tuple[AsyncConnection[DictRow], Applied]]:
        """A transaction in which this session is the one writer; answers with how far the log was applied before.

        A gateway that is fenced, quarantined or replaced may only say what it has taken in (`applies` False).
        """
        origin = key.origin
        async with self._database.connection() as connection, connection.transaction():
            await self._lots.lock(connection, origin.region, origin.lot)
            row = await (
                await connection.execute(QUERIES["session_hold"], {"gateway": origin.gateway})
            ).fetchone()
            if row is None or (row["epoch"], row["session"]) != (origin.epoch, key.session):
                raise SessionReplaced(f"session {key.session} of {origin.gateway} is over")
            if applies and row["state"] != "ok":
                raise SessionReplaced(f"gateway {origin.gateway} is {row['state']}")
            yield connection, Applied(seq=row["acknowledged_seq"], hash=bytes(row["acknowledged_hash"]))

    async def _recount(self, connection: AsyncConnection[DictRow], origin: Origin, as_of_seq: int) -> None:
        await self._lots.recount(
            connection, origin.region, origin.lot, as_of_seq=as_of_seq, now=self._clock.now()
        )

    async def _set_state(
        self, connection: AsyncConnection[DictRow], gateway: str, state: str, reason: str
    ) -> None:
        await connection.execute(
            QUERIES["gateway_set_state"], {"gateway": gateway, "state": state, "reason": reason}
        )

    async def _row(self, connection: AsyncConnection[DictRow], gateway: str, seq: int) -> DictRow | None:
        cursor = await connection.execute(QUERIES["gateway_record"], {"gateway": gateway, "seq": seq})
        return await cursor.fetchone()


def _code_hash(code: str) -> bytes:
    return sha256(code.strip().upper().encode()).digest()


def _state_event(lot: UUID, gateway: str, state: str) -> NewEvent:
    return NewEvent(lot=lot, kind="GatewayStateChanged", body={"gateway": gateway, "state": state})
