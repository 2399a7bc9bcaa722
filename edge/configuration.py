"""What the centre decides for this lot, as it arrives: documents, in order, each once. Next in its story: edge/ledger.

A document and its number are one commit, so that after a power cut it is either there with its number or comes again. One that cannot be
understood keeps its number, goes to quarantine and is told; it never keeps the next one from arriving. A kind that this version does not know is
stored and does nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge.change import Change, QuarantinedRecord, StoredDocument, fact
from edge.writer import is_written
from parking.errors import ParkingError
from parking.ids import LotId
from parking.lot import SpotType
from parking.tariff import Tariff
from parking.tariff_document import parse_tariff
from sync import commit_documents, transfer_words
from sync.errors import MalformedFrame
from sync.events import EventKind
from sync.fields import Fields, binary, optional, plain_map, sequence, text, word
from sync.instants import to_us
from sync.keys import PUBLIC_BYTES
from sync.message_pack import unpack
from sync.messages import Document
from sync.ownership import TransferRow
from sync.participant_news import Changed, Decided
from sync.tokens import KeyRole, TokenKey
from sync.transaction import TransactionId

REFUSED_KIND = "refused"
MOST_KEYS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledBy:
    """The revision that cancels its reservation; whether the pass was used here is the ledger's to know."""

    id: TransactionId


class DocumentLedger(Protocol):
    """What this needs of the ledger."""

    @property
    def document_n(self) -> int:
        """The number of the last document applied."""
        ...

    def commit(self, change: Change, *, urgent: bool = False) -> asyncio.Future[None]:
        """Take a change in; the future resolves when it is durable."""
        ...


class DecisionTaker(Protocol):
    """The lot's side of the commit (edge/commitments)."""

    async def document(self, news: Decided | CancelledBy | Changed, stored: StoredDocument) -> None:
        """Apply a decision, a cancellation or a change and its number in one change; return when it is durable.

        Raises:
            MalformedFrame: it is not about this lot.
        """
        ...


class OwnersTaker(Protocol):
    """Who may sell which spot (edge/owners)."""

    def share(self, wanted: Mapping[SpotType, int]) -> None:
        """So many spots of each type the centre is to own."""
        ...

    async def stranded(self, rows: Sequence[TransferRow], stored: StoredDocument) -> None:
        """What nobody may sell; written with the document's number, durable on return."""
        ...


class Configuration:
    """Applies documents. `on_tariff` and `on_keys` are told what is durable, and take effect at once; what the commit decides goes to
    `decisions`, and who may sell what to `owners`: they write what they keep with the document's number.
    """

    def __init__(
        self,
        *,
        ledger: DocumentLedger,
        now: Callable[[], datetime],
        on_tariff: Callable[[Tariff], None],
        on_keys: Callable[[tuple[TokenKey, ...]], None],
        decisions: DecisionTaker,
        owners: OwnersTaker | None = None,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._on_tariff = on_tariff
        self._on_keys = on_keys
        self._decisions = decisions
        self._owners = owners

    async def apply(self, document: Document) -> None:
        """Apply `document`, the next in order; return when it is durable. One that was applied before changes nothing."""
        if document.n <= self._ledger.document_n:
            return
        stored = StoredDocument(n=document.n, kind=document.kind, body=document.body)
        try:
            news = decision_in(document)
            if news is not None:
                await self._decisions.document(news, stored)
                return
            if document.kind == transfer_words.STRANDED and self._owners is not None:
                await self._owners.stranded(transfer_words.stranded_from(document.body), stored)
                return
            take_effect = self._effect_of(document.kind, document.body)
        except (MalformedFrame, ParkingError) as error:
            await self._ledger.commit(self._refusal(document, error))
            return
        written = self._ledger.commit(Change(documents=(stored,)))
        written.add_done_callback(lambda done: _if_durable(done, take_effect))
        # Its number is taken: it takes effect even where the line is lost meanwhile, and whoever waits with it.
        await asyncio.shield(written)

    def restore(self, stored: StoredDocument) -> None:
        """Let a document of an earlier run take effect again.

        Raises:
            MalformedFrame, ParkingError: it can no longer be understood, by a newer version of us.
        """
        self._effect_of(stored.kind, stored.body)()

    def _effect_of(self, kind: str, body: bytes) -> Callable[[], None]:
        match kind:
            case "tariff":
                tariff = tariff_of(body)
                return lambda: self._on_tariff(tariff)
            case "keys":
                keys = token_keys_of(body)
                return lambda: self._on_keys(keys)
            case transfer_words.SHARE if self._owners is not None:
                owners, wanted = self._owners, transfer_words.share_from(body)
                return lambda: owners.share(wanted)
            case _:
                return lambda: None

    def _refusal(self, document: Document, error: MalformedFrame | ParkingError) -> Change:
        now = self._now()
        digest = hashlib.sha256(document.body).hexdigest()
        field = error.field if isinstance(error, MalformedFrame) else document.kind
        problem = str(error)[:500]
        source = f"document {document.n} {document.kind}"
        return Change(
            documents=(StoredDocument(n=document.n, kind=REFUSED_KIND, body=document.body),),
            quarantine=(
                QuarantinedRecord(
                    source=source, field=field, problem=problem, raw=document.body, digest=digest, at=now
                ),
            ),
            events=(
                fact(
                    EventKind.RECORD_QUARANTINED,
                    to_us(now),
                    source=source,
                    field=field,
                    problem=problem,
                    digest=digest,
                ),
            ),
        )


def _if_durable(done: asyncio.Future[None], take_effect: Callable[[], None]) -> None:
    if is_written(done):
        take_effect()


def decision_in(document: Document) -> Decided | CancelledBy | Changed | None:
    """What the commit decided, in a document of its three kinds; None in any other.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    match document.kind:
        case commit_documents.DECISION:
            return commit_documents.decision_from(document.body)
        case commit_documents.CANCELLATION:
            return CancelledBy(id=commit_documents.cancellation_from(document.body))
        case commit_documents.CHANGE:
            return commit_documents.change_from(document.body)
        case _:
            return None


def tariff_of(body: bytes) -> Tariff:
    """The tariff in a document of kind tariff.

    Raises:
        MalformedFrame, InvalidTariff: it is not one; the error names the field.
    """
    fields = Fields(unpack(body, "tariff"), "tariff")
    return parse_tariff(fields.take("tariff", plain_map))


def token_keys_of(body: bytes) -> tuple[TokenKey, ...]:
    """The public keys in a document of kind keys.

    Raises:
        MalformedFrame: it holds something else; `field` names it.
    """
    return sequence(_token_key, MOST_KEYS)(unpack(body, "keys"), "keys")


def _token_key(value: object, path: str) -> TokenKey:
    fields = Fields(value, path)
    lot = fields.take_or("lot", optional(text(36, shortest=36)), None)
    return TokenKey(
        public=fields.take("public", binary(PUBLIC_BYTES, shortest=PUBLIC_BYTES)),
        role=fields.take("role", word(KeyRole)),
        lot=None if lot is None else LotId(lot),
    )
