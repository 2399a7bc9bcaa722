"""Gate commands from afar. Next in their story: cloud/reservations/commit_words, then cloud/gateways/link, then edge/gate_commands.

Theory of operation
===================
A person who opens a gate does not see it. So a command must never be carried out when nobody waits for it any more, and what became of it
is told as it is known, `unknown` among it. It lives in one session of the lot's link:

- Its row is committed as `sent`, with the number of the session of the moment, and the words to the link are a NOTIFY of that commit. The
  link says it in that session or never; nothing keeps it for a reconnect, and nothing says it again. Where no session stands that was heard
  within a minute, there is no row: the caller is refused at once.
- The lot's answer counts where the row is still `sent` in that very session.
- At the session's end whatever is unanswered is `unknown`, in one statement. Whoever notices first writes it: the process that held the link, the
  gateway's next session, or the round that every process makes (`look_at_lost`), for a process that died (its lock is gone, see
  docs/adr/0023) and for words that nobody heard.

State      What happened               Then
sent       the lot did it              done
sent       the lot would not           refused      `detail` is the lot's reason
sent       its session is over         unknown
sent       a minute has passed         unknown      see below

All but `sent` are final, which a trigger holds. Within a living session an answer takes a second; an edge that hears no answer for 15 s ends its
session, and it sends something every 20 s. A link drops a command that it could not say within 10 s. So after a minute nothing can
carry the command out any more, and `unknown` is about the past.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow
from psycopg_pool import PoolTimeout

from cloud.database import Database
from cloud.errors import Conflict, NotFound
from cloud.facts import Origin, require_uuid
from cloud.named_sql import named_sql
from cloud.observability import Metrics
from cloud.reservations.commit_words import CommitWords, Word, say
from parking.clock import Clock
from sync.errors import MalformedFrame
from sync.messages import CommandResult, GateCommand

QUERIES = named_sql("cloud.gateways")
CLOUD_QUERIES = named_sql("cloud")
LOG = structlog.get_logger(__name__)

ANSWER_WITHIN_S = 3.0
LOOK_EVERY_S = 1.0
SHOWN = 10


class CommandState(StrEnum):
    """How far a command is."""

    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class CommandEvent(StrEnum):
    """What can happen to one."""

    DONE = "done"
    REFUSED = "refused"
    SESSION_OVER = "session_over"
    TIME_OVER = "time_over"


_S, _E = CommandState, CommandEvent
COMMAND_TABLE: Mapping[tuple[CommandState, CommandEvent], CommandState] = {
    (_S.SENT, _E.DONE): _S.DONE,
    (_S.SENT, _E.REFUSED): _S.REFUSED,
    (_S.SENT, _E.SESSION_OVER): _S.UNKNOWN,
    (_S.SENT, _E.TIME_OVER): _S.UNKNOWN,
}
"""Anything else changes nothing. The statements of queries.sql say the same: each ends only what is still `sent`."""

UNKNOWN_BECAUSE: Mapping[CommandEvent, str] = {
    CommandEvent.SESSION_OVER: "the line was lost before the lot had answered",
    CommandEvent.TIME_OVER: "the lot did not answer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants: `move` of `lane`, and why; `by` is who says so, as typed."""

    gateway: str
    lane: str
    move: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An order that was sent, and what became of it; `detail` says why it was refused or is not known. Real instants."""

    id: UUID
    lot: UUID
    order: Order
    session: int
    state: CommandState
    detail: str
    sent_at: datetime
    ended_at: datetime | None


class GateCommands:
    """Sends commands and keeps what became of them. Implements `CommandsParty`."""

    def __init__(
        self,
        *,
        database: Database,
        words: CommitWords,
        metrics: Metrics,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._database = database
        self._words = words
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id

    # What people ask

    async def send(self, actor: str, key: str, order: Order) -> Command:
        """Send an order once; the same `key` of the same `actor` again is the same command, and is not sent again.

        Raises:
            NotFound: there is no such gateway in charge.
            Conflict: its line is down, or it may do nothing now; or the key was used for another order.
        """
        async with self._database.connection() as connection, connection.transaction():
            known = await self._known(connection, actor, key)
            if known is None:
                sent = await self._send_new(connection, actor, key, order)
                if sent is not None:
                    return sent
                # Somebody pressed at the same instant: the insert has waited for that commit, which this statement sees.
                known = await self._known(connection, actor, key)
        if known is None:
            raise Conflict("this command is being sent already", "Idempotency-Key", "ask again in a moment")
        if known.order != order:
            raise Conflict(
                "this key was used for another command", "Idempotency-Key", "take a new key for a new command"
            )
        return known

    async def outcome(self, command: Command) -> Command:
        """Wait a moment for what becomes of it; it may still be `sent` then."""
        until_s = self._clock.monotonic() + ANSWER_WITHIN_S
        with self._words.waiting_for(command.id) as said:
            while True:
                said.clear()
                known = await self.read(command.order.gateway, command.id)
                left_s = until_s - self._clock.monotonic()
                if known.state is not CommandState.SENT or left_s <= 0:
                    return known
                await _first(said, min(left_s, LOOK_EVERY_S))

    async def read(self, gateway: str, command: UUID) -> Command:
        """One command.

        Raises:
            NotFound: this gateway was sent no such command.
        """
        async with self._database.connection() as connection:
            scope = {"gateway": gateway, "command": command}
            row = await (await connection.execute(QUERIES["command_read"], scope)).fetchone()
        if row is None:
            raise NotFound(f"no command {command} of this gateway", "command", "send one first")
        return _command(row)

    # What the lot's link brings

    async def answered(
        self, connection: AsyncConnection[DictRow], origin: Origin, session: int, result: CommandResult
    ) -> None:
        """The lot says what became of one; one that is not waited for in this session changes nothing."""
        require_uuid(result.command, "command")
        if result.result not in {CommandEvent.DONE, CommandEvent.REFUSED}:
            raise MalformedFrame("result", f"{result.result!r} is neither done nor refused")
        state = COMMAND_TABLE[CommandState.SENT, CommandEvent(result.result)]
        columns = {
            "command": result.command,
            "gateway": origin.gateway,
            "session": session,
            "state": str(state),
            "detail": result.detail,
        }
        cursor = await connection.execute(QUERIES["command_answered"], columns)
        if not await self._ended(connection, await cursor.fetchall()):
            LOG.info("answer to no command that waits", gateway=origin.gateway, command=result.command)

    async def session_over(self, connection: AsyncConnection[DictRow], origin: Origin, session: int) -> None:
        """`session`, and all before it, are over."""
        detail = UNKNOWN_BECAUSE[CommandEvent.SESSION_OVER]
        scope = {"gateway": origin.gateway, "session": session, "detail": detail}
        cursor = await connection.execute(QUERIES["commands_of_session_unknown"], scope)
        await self._ended(connection, await cursor.fetchall())

    # What nobody tells

    async def run(self) -> None:
        """Look each second for commands that nobody will answer, until cancelled."""
        while True:
            try:
                await self.look_at_lost()
            except (OperationalError, PoolTimeout, UndefinedTable) as error:
                LOG.warning("gate commands wait for the database", error=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look_at_lost(self) -> int:
        """One round of `run`; how many became unknown."""
        details = {str(event): detail for event, detail in UNKNOWN_BECAUSE.items()}
        async with self._database.connection() as connection, connection.transaction():
            cursor = await connection.execute(QUERIES["commands_lost_unknown"], details)
            return await self._ended(connection, await cursor.fetchall())

    async def _known(self, connection: AsyncConnection[DictRow], actor: str, key: str) -> Command | None:
        scope = {"actor": actor, "key": key}
        row = await (await connection.execute(QUERIES["command_of_key"], scope)).fetchone()
        return None if row is None else _command(row)

    async def _send_new(
        self, connection: AsyncConnection[DictRow], actor: str, key: str, order: Order
    ) -> Command | None:
        """None where another request has sent it under this key."""
        scope = {"gateway": order.gateway}
        row = await (await connection.execute(QUERIES["line_of_gateway"], scope)).fetchone()
        line = _line_that_stands(order, row)
        columns = {
            "command": self._new_id(),
            "lot": line["lot_id"],
            "gateway": order.gateway,
            "epoch": line["epoch"],
            "session": line["session"],
            "lane": order.lane,
            "move": order.move,
            "by": order.by,
            "reason": order.reason,
            "actor": actor,
            "key": key,
        }
        kept = await (await connection.execute(QUERIES["command_keep"], columns)).fetchone()
        if kept is None:
            return None
        command = _command(kept)
        await self._say(connection, command, line["epoch"])
        entry = {
            "actor": actor,
            "action": f"gate {order.move}",
            "subject": f"{order.gateway} {order.lane}",
            "reason": f"{order.by}: {order.reason}",
        }
        await connection.execute(CLOUD_QUERIES["audit"], entry)
        self._metrics.gate_commands.labels(str(CommandState.SENT)).inc()
        return command

    async def _say(self, connection: AsyncConnection[DictRow], command: Command, epoch: int) -> None:
        frame = GateCommand(
            epoch=epoch,
            session=command.session,
            command=str(command.id),
            lane=command.order.lane,
            move=command.order.move,
            by=command.order.by,
            reason=command.order.reason,
        )
        await say(
            connection,
            Word(lot=command.lot, reservation=command.id, session=command.session, frame=frame),
        )

    async def _ended(self, connection: AsyncConnection[DictRow], rows: Sequence[DictRow]) -> int:
        """Tell whoever waits, at the commit."""
        for row in rows:
            await say(connection, Word(lot=row["lot_id"], reservation=row["id"]))
            self._metrics.gate_commands.labels(row["state"]).inc()
            LOG.info("gate command ended", command=str(row["id"]), state=row["state"], detail=row["detail"])
        return len(rows)


async def latest_commands(connection: AsyncConnection[DictRow], gateway: str) -> list[Command]:
    """The newest commands of a gateway, newest first."""
    scope = {"gateway": gateway, "limit": SHOWN}
    rows = await (await connection.execute(QUERIES["commands_latest"], scope)).fetchall()
    return [_command(row) for row in rows]


def _line_that_stands(order: Order, line: DictRow | None) -> DictRow:
    if line is None:
        raise NotFound(f"no gateway {order.gateway} in charge", "gateway", "see GET /api/v1/admin/gateways")
    if line["state"] != "ok":
        raise Conflict(f"the gateway is {line['state']}", "gateway", "open at the lot itself")
    if not line["connected"]:
        raise Conflict(
            "the line to this lot is down, and a command is never kept for later",
            "gateway",
            "open at the lot itself, or ask again when the line is back",
        )
    return line


def _command(row: DictRow) -> Command:
    return Command(
        id=row["id"],
        lot=row["lot_id"],
        order=Order(
            gateway=row["gateway_id"],
            lane=row["lane"],
            move=row["move"],
            by=row["by_name"],
            reason=row["reason"],
        ),
        session=row["session"],
        state=CommandState(row["state"]),
        detail=row["detail"],
        sent_at=row["created_at"],
        ended_at=row["ended_at"],
    )


async def _first(event: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return
