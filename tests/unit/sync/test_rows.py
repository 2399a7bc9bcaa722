from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.claims import Claim, ClaimKind, ClaimState
from parking.demands import Demand, Payment, PaymentState
from parking.ids import ClaimId, DemandId, PaymentId, SpotId, StayId
from parking.interval import Interval
from parking.lot import SpotType, Tier
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.errors import MalformedFrame
from sync.message_pack import pack, unpack
from sync.rows import (
    claim_from_row,
    claim_row,
    demand_from_row,
    demand_row,
    payment_from_row,
    payment_row,
    stay_from_row,
    stay_row,
)

instants = st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds must be naive
ids = st.uuids().map(str)
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=32)
versions = st.integers(1, 2**31 - 1)
windows = st.builds(
    lambda start, length: Interval(start, None if length is None else start + length),
    instants,
    st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=300)),
)
claims = st.builds(
    Claim,
    id=ids.map(ClaimId),
    spot=st.none() | ids.map(SpotId),
    type=st.sampled_from(SpotType),
    window=windows,
    kind=st.sampled_from(ClaimKind),
    holder_kind=texts,
    holder_id=texts,
    state=st.sampled_from(ClaimState),
    sold_by=st.sampled_from(Tier),
    epoch=st.integers(0, 1000),
    revision=versions,
    version=versions,
    clashing=st.booleans(),
)
stays = st.builds(
    Stay,
    id=ids.map(StayId),
    credential=st.builds(Credential, kind=st.sampled_from(CredentialKind), subject=texts),
    type=st.sampled_from(SpotType),
    state=st.sampled_from(StayState),
    lane=texts,
    admitted_at=instants,
    entered_at=st.none() | instants,
    left_at=st.none() | instants,
    claim=st.none() | ids.map(ClaimId),
    over_count=st.booleans(),
    tariff_version=texts,
    factor_1e4=st.integers(0, 1_000_000),
    paid_until=st.none() | instants,
    version=versions,
)
demands = st.builds(
    Demand,
    id=ids.map(DemandId),
    stay=ids.map(StayId),
    amount_minor=st.integers(-(10**9), 10**9),
    currency=st.just("EUR"),
    from_at=instants,
    to_at=instants,
    lines=st.lists(st.dictionaries(texts, texts | st.integers(0, 1000), max_size=3), max_size=3).map(tuple),
    made_at=instants,
)
payments = st.builds(
    Payment,
    id=ids.map(PaymentId),
    demand=ids.map(DemandId),
    amount_minor=st.integers(0, 10**9),
    currency=st.just("EUR"),
    state=st.sampled_from(PaymentState),
    terminal=texts,
    reference=st.none() | texts,
    changed_at=instants,
    version=versions,
)
KINDS = [
    (claims, claim_row, claim_from_row),
    (stays, stay_row, stay_from_row),
    (demands, demand_row, demand_from_row),
    (payments, payment_row, payment_from_row),
]


@pytest.mark.parametrize(("made", "to_row", "from_row"), KINDS)
def test_a_row_that_went_over_the_wire_is_the_same_to_the_microsecond(
    made: Any, to_row: Any, from_row: Any
) -> None:
    @given(made)
    def holds(one: Any) -> None:
        assert from_row(unpack(pack(to_row(one)), "row")) == one

    holds()


@pytest.mark.parametrize(("made", "to_row", "from_row"), KINDS)
def test_a_wrong_field_is_named_with_its_path(made: Any, to_row: Any, from_row: Any) -> None:
    @given(made, st.data())
    def holds(one: Any, data: st.DataObject) -> None:
        row = to_row(one)
        name = data.draw(st.sampled_from(sorted(row)))
        row[name] = data.draw(st.sampled_from([3.5, [object()], "\x00", -(2**60)]))
        with pytest.raises(MalformedFrame) as caught:
            from_row(row, "body.it")
        assert caught.value.field.startswith(f"body.it.{name}")

    holds()


@pytest.mark.parametrize(("made", "to_row", "from_row"), KINDS)
def test_a_field_of_a_newer_version_is_ignored(made: Any, to_row: Any, from_row: Any) -> None:
    @given(made)
    def holds(one: Any) -> None:
        assert from_row(to_row(one) | {"colour": "red"}) == one

    holds()


def test_a_row_from_an_older_version_takes_the_defaults() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    stay = Stay(
        id=StayId("s"),
        credential=Credential(kind=CredentialKind.TICKET, subject="t"),
        type=SpotType.REGULAR,
        state=StayState.ADMITTED,
        lane="in-1",
        admitted_at=now,
        tariff_version="2026-1",
    )
    row = stay_row(stay)
    for optional in ("entered_us", "left_us", "claim", "over_count", "factor_1e4", "paid_until_us"):
        del row[optional]
    assert stay_from_row(row) == stay


def test_a_window_that_ends_before_it_starts_is_refused_by_name() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    claim = Claim(
        id=ClaimId("c"),
        spot=None,
        type=SpotType.EV,
        window=Interval(now, now + timedelta(hours=1)),
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id="s",
        state=ClaimState.FIRM,
        sold_by=Tier.EDGE,
        epoch=1,
    )
    row = claim_row(claim)
    row["ends_us"] = row["starts_us"]
    with pytest.raises(MalformedFrame, match=r"claim\.ends_us: must be after the start"):
        claim_from_row(row)


@pytest.mark.parametrize("kind", [Claim, Stay, Demand, Payment])
def test_no_field_of_the_domain_is_forgotten_in_its_row(kind: type[Any]) -> None:
    made: dict[type[Any], tuple[Any, Any]] = {
        Claim: (claims, claim_row),
        Stay: (stays, stay_row),
        Demand: (demands, demand_row),
        Payment: (payments, payment_row),
    }
    strategy, to_row = made[kind]
    split = {
        Claim: 1,
        Stay: 1,
        Demand: 0,
        Payment: 0,
    }  # a window has two ends, a credential a kind and a subject

    @given(strategy)
    def holds(one: Any) -> None:
        assert len(to_row(one)) == len(fields(kind)) + split[kind]

    holds()
