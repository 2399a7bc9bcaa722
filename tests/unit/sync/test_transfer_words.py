"""What is told of transfers in the log and in documents: it comes back as it was, and what is none is refused by the name of its field."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.ids import SpotId
from parking.lot import SpotType, Tier
from sync.errors import MalformedFrame
from sync.message_pack import pack, unpack
from sync.messages import MAX_TRANSFER_SPOTS
from sync.ownership import TransferRow, TransferState
from sync.transfer_words import (
    share_body,
    share_from,
    stranded_body,
    stranded_from,
    transfer_fact,
    transfer_from_fact,
)

NAMES = st.text("abcdef0123456789-", min_size=1, max_size=36)
ROWS = st.builds(
    TransferRow,
    id=NAMES,
    epoch=st.integers(0, 2**31 - 1),
    to=st.sampled_from(Tier),
    type=st.sampled_from(SpotType),
    spots=st.lists(NAMES.map(SpotId), min_size=1, max_size=8, unique=True).map(tuple),
)
SPOT = SpotId("s1")
ROW = TransferRow(id="t", epoch=3, to=Tier.EDGE, type=SpotType.EV, spots=(SPOT,))


@given(ROWS)
def test_a_transfer_in_the_log_is_the_transfer_that_was_told(row: TransferRow) -> None:
    body = unpack(pack(transfer_fact(row)), "body")
    assert transfer_from_fact(body, "body", to=row.to, epoch=row.epoch) == row


@given(st.lists(ROWS, max_size=4))
def test_what_is_stranded_is_told_with_its_epoch(rows: list[TransferRow]) -> None:
    told = stranded_from(stranded_body(rows))
    assert told == tuple(replace(row, to=Tier.EDGE, state=TransferState.STRANDED) for row in rows)


@given(st.dictionaries(st.sampled_from(SpotType), st.integers(0, 10_000)))
def test_the_share_is_a_number_for_each_type(wanted: dict[SpotType, int]) -> None:
    assert share_from(share_body(wanted)) == wanted


def test_a_type_of_a_newer_centre_is_left_out_of_the_share() -> None:
    assert share_from(pack({"wanted": {"regular": 3, "hovercraft": 4}})) == {SpotType.REGULAR: 3}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"spots": []}, "spots"),
        ({"spots": ["s1", "s1"]}, "spots"),
        ({"spots": [f"s{n}" for n in range(MAX_TRANSFER_SPOTS + 1)]}, "spots"),
        ({"spots": [7]}, "spots"),
        ({"type": "hovercraft"}, "type"),
        ({"transfer": ""}, "transfer"),
        ({"transfer": None}, "transfer"),
    ],
)
def test_a_fact_that_is_no_transfer_is_refused_by_its_field(changed: dict[str, object], field: str) -> None:
    body = {**transfer_fact(ROW), **changed}
    with pytest.raises(MalformedFrame) as caught:
        transfer_from_fact(body, "body", to=Tier.CLOUD, epoch=1)
    assert caught.value.field.startswith(f"body.{field}")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "share"),
        (pack({}), "share.wanted"),
        (pack({"wanted": 3}), "share.wanted"),
        (pack({"wanted": {"ev": -1}}), "share.wanted.ev"),
    ],
)
def test_a_document_that_is_no_share_is_refused_by_its_field(body: bytes, field: str) -> None:
    with pytest.raises(MalformedFrame) as caught:
        share_from(body)
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize("body", [b"\xc1", pack({}), pack({"transfers": [transfer_fact(ROW)]})])
def test_a_document_that_names_no_stranded_transfers_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedFrame):
        stranded_from(body)
