"""What a gateway's log tells, as the services take it. Next in its story: cloud/reservations/service.

A service that keeps such facts reads each one by itself (a strange one must not stop the others) and then applies what it has
read of a page in few statements, inside the page's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from sync.errors import MalformedFrame

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose log it is."""

    region: str
    lot: UUID
    gateway: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row of the log, opened. `occurred_at` is civil, None where the body does not say."""

    seq: int
    kind: str
    occurred_at: datetime | None
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[T]):
    """A fact and the row that its body carries."""

    fact: Fact
    row: T


class FactKeeper(Protocol[T]):
    """A service that keeps some kinds of facts."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds it keeps."""
        ...

    def read(self, fact: Fact) -> T:
        """The row that `fact` carries.

        Raises:
            MalformedFrame: its body is not what its kind says; `field` names the place.
        """
        ...

    async def apply(
        self, connection: AsyncConnection[DictRow], origin: Origin, facts: Sequence[Read[T]]
    ) -> None:
        """Keep them, in their order, inside the caller's transaction. A fact is never refused for what else is on record.

        Raises:
            psycopg.DataError, psycopg.IntegrityError: one of them cannot be stored as what it says it is.
        """
        ...


def require_uuid(text: str, path: str) -> None:
    """Accept `text` where it is a UUID in its canonical form.

    Raises:
        MalformedFrame: it is none; `path` names the field.
    """
    try:
        canonical = str(UUID(text))
    except ValueError:
        canonical = None
    if canonical != text:
        raise MalformedFrame(path, f"must be a UUID in its canonical form, not {text!r}")
