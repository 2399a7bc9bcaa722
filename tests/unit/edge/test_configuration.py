from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.change import Change, StoredDocument
from edge.configuration import CancelledBy, Configuration, tariff_of, token_keys_of
from parking.errors import ParkingError
from parking.ids import LotId
from parking.tariff import Tariff
from sync.errors import MalformedFrame
from sync.keys import SigningKey
from sync.message_pack import pack, unpack
from sync.messages import Document
from sync.participant_news import Changed, Decided
from sync.tokens import KeyRole, TokenKey

KEY = SigningKey.from_seed(b"k" * 32)
LOT = LotId("11111111-2222-4333-8444-555555555555")
TARIFF = pack(
    {
        "version": "7",
        "valid_from_us": 0,
        "tariff": {
            "id": "t",
            "version": 7,
            "currency": "EUR",
            "timezone": "Europe/Berlin",
            "rate": [{"label": "Parking", "price": "2.00", "per_min": 60}],
        },
    }
)
KEYS = pack([{"key_id": KEY.id, "role": "lot", "public": KEY.public, "lot": LOT}])


class Kept:
    """A ledger that keeps changes, durable when told so."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.durable: list[asyncio.Future[None]] = []

    @property
    def document_n(self) -> int:
        return max((d.n for change in self.changes for d in change.documents), default=0)

    def commit(self, change: Change, *, urgent: bool = False) -> asyncio.Future[None]:
        self.changes.append(change)
        self.durable.append(asyncio.get_running_loop().create_future())
        return self.durable[-1]


class NoDecisions:
    async def document(self, news: Decided | CancelledBy | Changed, stored: StoredDocument) -> None:
        raise AssertionError(f"nothing was decided, and yet {news} came as {stored.n}")


class Room:
    def __init__(self) -> None:
        self.ledger = Kept()
        self.tariffs: list[Tariff] = []
        self.keys: list[tuple[TokenKey, ...]] = []
        self.configuration = Configuration(
            ledger=self.ledger,
            now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
            on_tariff=self.tariffs.append,
            on_keys=self.keys.append,
            decisions=NoDecisions(),
        )

    async def apply(self, n: int, kind: str, body: bytes) -> None:
        applying = asyncio.create_task(
            self.configuration.apply(Document(epoch=1, session=1, n=n, kind=kind, body=body))
        )
        while not applying.done():
            for future in self.ledger.durable:
                if not future.done():
                    future.set_result(None)
            await asyncio.sleep(0)
        await applying


async def test_a_tariff_takes_effect_only_when_it_is_durable() -> None:
    room = Room()
    applying = asyncio.create_task(
        room.configuration.apply(Document(epoch=1, session=1, n=1, kind="tariff", body=TARIFF))
    )
    await asyncio.sleep(0)
    assert (len(room.ledger.changes), room.tariffs) == (1, [])
    room.ledger.durable[0].set_result(None)
    await applying
    assert [tariff.version for tariff in room.tariffs] == [7]


async def test_a_document_whose_line_is_lost_before_the_disk_has_it_takes_effect_all_the_same() -> None:
    """Its number is taken, so it does not come again."""
    room = Room()
    applying = asyncio.create_task(
        room.configuration.apply(Document(epoch=1, session=1, n=1, kind="tariff", body=TARIFF))
    )
    await asyncio.sleep(0)
    applying.cancel()
    await asyncio.gather(applying, return_exceptions=True)
    room.ledger.durable[0].set_result(None)
    await asyncio.sleep(0)
    assert (room.ledger.document_n, [tariff.version for tariff in room.tariffs]) == (1, [7])


async def test_a_document_that_comes_again_changes_nothing() -> None:
    room = Room()
    await room.apply(1, "keys", KEYS)
    await room.apply(1, "keys", KEYS)
    assert len(room.ledger.changes) == len(room.keys) == 1
    assert room.keys == [(TokenKey(public=KEY.public, role=KeyRole.LOT, lot=LOT),)]


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("tariff", b"\xc1", "tariff"),
        ("tariff", pack({}), "tariff.tariff"),
        ("tariff", pack({"tariff": {"currency": "?"}}), "tariff"),
        ("keys", pack([{"role": "lot"}]), "keys[0].public"),
        ("keys", pack([{"role": "king", "public": KEY.public}]), "keys[0].role"),
    ],
)
async def test_a_document_that_cannot_be_understood_is_told_and_keeps_its_number(
    kind: str, body: bytes, field: str
) -> None:
    room = Room()
    await room.apply(1, kind, body)
    (change,) = room.ledger.changes
    assert [(d.n, d.kind) for d in change.documents] == [(1, "refused")]
    assert change.quarantine[0].raw == body
    assert change.events[0].body["field"] == change.quarantine[0].field == field
    await room.apply(2, "keys", KEYS)
    assert len(room.keys) == 1


async def test_an_unknown_kind_is_stored_and_does_nothing() -> None:
    room = Room()
    await room.apply(1, "weather", b"\xc1")
    assert [(d.n, d.kind) for d in room.ledger.changes[0].documents] == [(1, "weather")]
    assert (room.tariffs, room.keys) == ([], [])


def test_a_document_of_an_earlier_run_takes_effect_again() -> None:
    room = Room()
    room.configuration.restore(StoredDocument(n=1, kind="tariff", body=TARIFF))
    room.configuration.restore(StoredDocument(n=2, kind="refused", body=b"\xc1"))
    assert [tariff.version for tariff in room.tariffs] == [7]


@given(st.binary(max_size=80))
def test_any_bytes_are_a_document_or_a_named_error(body: bytes) -> None:
    for read in (tariff_of, token_keys_of):
        with suppress(MalformedFrame, ParkingError):
            read(body)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=True)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(st.data())
def test_a_tariff_document_with_any_value_anywhere_is_a_tariff_or_a_named_error(data: st.DataObject) -> None:
    document = unpack(TARIFF, "tariff")
    assert isinstance(document, dict)
    place = data.draw(st.sampled_from([document, document["tariff"], document["tariff"]["rate"][0]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
    with suppress(MalformedFrame, ParkingError):
        tariff_of(pack(document))
