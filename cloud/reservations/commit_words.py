"""What processes of the centre say to each other at their commits: who holds a lot's link may be another one. Next in its story: cloud/gateways/link.

A word is a NOTIFY of the transaction that it is about, so it is heard when that has committed and never else, and no process that dies in between
loses it. It is heard by those that listen at that moment and kept for nobody: a PREPARE must not wait for a reconnect.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

from cloud.database import connection_arguments
from cloud.named_sql import named_sql
from sync.codec import decode, encode
from sync.errors import RemoteError
from sync.messages import FromCoordinator

QUERIES = named_sql("cloud.reservations")
LOG = structlog.get_logger(__name__)
RETRY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Something is decided about `reservation`, or `frame` is for the lot's link in `session` (0: whichever is open)."""

    lot: UUID
    reservation: UUID
    session: int = 0
    frame: FromCoordinator | None = None


async def say(connection: AsyncConnection[DictRow], word: Word) -> None:
    """Say it at the commit of the caller's transaction."""
    plain = {
        "lot": str(word.lot),
        "reservation": str(word.reservation),
        "session": word.session,
        "frame": None if word.frame is None else base64.b64encode(encode(word.frame)).decode(),
    }
    text = json.dumps(plain, separators=(",", ":"))
    await connection.execute(QUERIES["tell_processes"], {"word": text})


class CommitWords:
    """Listens for this process: wakes those who wait for a reservation, and hands frames to the links.

    While it listens it holds the advisory lock `key`, which says so to everybody: where the process dies, however hard, the database lets the
    lock go, and no booking waits for a line that nobody holds. 0: nobody need know.
    """

    key = 0

    def __init__(self, url: str, *, key: int = 0) -> None:
        self._url = url
        self.key = key
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._deliver: Callable[[Word], None] = lambda _: None
        self._missed: Callable[[], None] = lambda: None
        self.listening = asyncio.Event()

    def deliver_to(self, deliver: Callable[[Word], None], missed: Callable[[], None]) -> None:
        """Who takes what is for a lot's link, and who looks for himself when words may have been missed."""
        self._deliver, self._missed = deliver, missed

    @contextmanager
    def waiting_for(self, reservation: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever something is said about `reservation`."""
        event = asyncio.Event()
        self._waiting[reservation].add(event)
        try:
            yield event
        finally:
            self._waiting[reservation].discard(event)
            if not self._waiting[reservation]:
                del self._waiting[reservation]

    async def run(self) -> None:
        """Listen until cancelled; a database that is lost is tried again each second, and whoever waits looks for himself then."""
        while True:
            try:
                async for word in self._heard():
                    self._take(word)
            except OperationalError as error:
                self.listening.clear()
                LOG.warning("commit words lost the database", error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _heard(self) -> AsyncIterator[Word]:
        async with await AsyncConnection.connect(self._url, **connection_arguments()) as connection:
            await connection.execute(QUERIES["processes_listen"])
            if self.key:
                # Shared: a connection that the server does not know to be dead yet must not keep out the next one.
                await connection.execute(QUERIES["process_lives"], {"key": self.key})
            self.listening.set()
            for events in self._waiting.values():
                for event in events:
                    event.set()
            self._missed()
            async for notice in connection.notifies():
                word = _understood(notice.payload)
                if word is not None:
                    yield word

    def _take(self, word: Word) -> None:
        for event in self._waiting.get(word.reservation, ()):
            event.set()
        self._deliver(word)


def _understood(text: str) -> Word | None:
    """A word; None where it is of a newer process, or nobody's: who waits looks for himself each second."""
    try:
        return _word(text)
    except (ValueError, KeyError, TypeError, RemoteError) as error:
        LOG.warning("word not understood", error=repr(error))
        return None


def _word(text: str) -> Word:
    plain = json.loads(text)
    frame = None if plain["frame"] is None else decode(base64.b64decode(plain["frame"]))
    return Word(
        lot=UUID(plain["lot"]),
        reservation=UUID(plain["reservation"]),
        session=plain["session"],
        frame=frame,  # type: ignore[arg-type]  # only `say` writes here, and it takes nothing else
    )
