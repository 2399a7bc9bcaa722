"""The centre's side of spots that change hands: what it gives, what it credits once, and what of a lot's log does not fit its own record."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest

from cloud.bootstrap import Cloud
from parking.claims import Claim, ClaimState
from parking.ids import spot_id
from parking.lot import SpotType
from parking.stays import Stay, StayState
from sync.events import EventKind
from sync.messages import TransferRequest
from tests.integration.cloud.booking_lot import give_to_the_cloud
from tests.integration.cloud.conftest import LOT, Lane1, claim, stay


def ask(count: int = 1, *, type_: str = "regular", request: str | None = None) -> TransferRequest:
    return TransferRequest(epoch=1, session=1, request=request or str(uuid4()), type=type_, count=count)


async def owners(gateway: Lane1) -> dict[str, str]:
    rows = await gateway.rows(
        "SELECT number, owner FROM parking_spots WHERE type = 'regular' ORDER BY number"
    )
    return {row["number"]: row["owner"] for row in rows}


async def given(gateway: Lane1) -> list[int]:
    """How many spots each transfer to the lot has."""
    rows = await gateway.rows(
        "SELECT cardinality(spots) AS n FROM transfers WHERE to_tier = 'edge' ORDER BY created_at"
    )
    return [row["n"] for row in rows]


def tell(gateway: Lane1, kind: EventKind, transfer: str, spots: Sequence[str]) -> None:
    ids = [str(spot_id(LOT, number)) for number in spots]
    gateway.log.add(kind, {"transfer": transfer, "type": "regular", "spots": ids})


async def send_new(gateway: Lane1, first: int) -> None:
    assert (await gateway.send(first)).quarantined == 0


@pytest.fixture
async def lender(gateway: Lane1, cloud: Cloud) -> Lane1:
    """The centre owns two of the four regular places."""
    tell(gateway, EventKind.TRANSFER_OUT, str(uuid4()), ["R-003", "R-004"])
    await send_new(gateway, 1)
    assert await owners(gateway) == {"R-001": "edge", "R-002": "edge", "R-003": "cloud", "R-004": "cloud"}
    return gateway


async def test_what_is_given_is_nobodys_until_the_log_says_that_it_came(lender: Lane1, cloud: Cloud) -> None:
    await cloud.gateways.ask_for_spots(lender.session, ask())
    assert (await owners(lender))["R-004"] == "in_flight"
    counts = await lender.rows(
        "SELECT owner, total, sellable FROM lot_counts WHERE type = 'regular' ORDER BY owner"
    )
    assert [tuple(row.values()) for row in counts] == [("cloud", 1, 1), ("edge", 2, 2), ("in_flight", 1, 0)]
    assert await cloud.audit.look() == 0
    transfer = await lender.one("SELECT id::text FROM transfers WHERE to_tier = 'edge'")
    tell(lender, EventKind.TRANSFER_IN, transfer, ["R-004"])
    await send_new(lender, 2)
    assert (await owners(lender))["R-004"] == "edge"
    assert await cloud.audit.look() == 0


async def test_the_same_question_again_gives_nothing_more(lender: Lane1, cloud: Cloud) -> None:
    for _ in range(2):
        await cloud.gateways.ask_for_spots(lender.session, ask(request="one"))
    await cloud.gateways.ask_for_spots(lender.session, ask(request="two"))
    await cloud.gateways.ask_for_spots(lender.session, ask(request="three"))
    assert await given(lender) == [1, 1]


@pytest.mark.parametrize("type_", ["ev", "hovercraft"])
async def test_a_type_of_which_the_centre_has_none_gives_nothing(
    lender: Lane1, cloud: Cloud, type_: str
) -> None:
    await cloud.gateways.ask_for_spots(lender.session, ask(type_=type_))
    assert await given(lender) == []


INSIDE, LEFT = StayState.INSIDE, StayState.LEFT


@pytest.mark.parametrize(
    ("on_it", "who", "gives"),
    [
        (claim("R-004", starts=2, ends=4), None, 1),
        (claim("R-004", starts=-4, ends=4), None, 1),
        (claim("R-004", starts=-4, ends=-1), None, 2),
        (claim("R-004", starts=-4, ends=-1), INSIDE, 1),
        (claim("R-004", starts=-4, ends=-1), LEFT, 2),
        (claim("R-004", starts=2, ends=4, state=ClaimState.RELEASED), None, 2),
    ],
)
async def test_only_spots_without_a_promise_that_is_not_over_and_without_a_stay_move(
    lender: Lane1, cloud: Cloud, on_it: Claim, who: StayState | None, gives: int
) -> None:
    lender.log.claim(on_it)
    if who is not None:
        kept: Stay = stay(state=who, of=on_it)
        lender.log.stay(EventKind.STAY_ENTERED if who is INSIDE else EventKind.STAY_LEFT, kept)
    lender.log.add(EventKind.GATE_MOVED, {"lane": "entry-1"})
    await send_new(lender, 2)
    await cloud.gateways.ask_for_spots(lender.session, ask(count=5))
    assert await given(lender) == [gives]


async def test_a_page_that_comes_twice_credits_once(lender: Lane1, cloud: Cloud) -> None:
    assert (await lender.send(1)).new == 0
    assert await lender.one("SELECT count(*) FROM transfers") == 1
    assert await cloud.audit.look() == 0


async def test_a_credit_of_what_was_never_sent_applies_as_a_fact_and_is_on_record(
    lender: Lane1, cloud: Cloud
) -> None:
    tell(lender, EventKind.TRANSFER_IN, str(uuid4()), ["R-003"])
    await send_new(lender, 2)
    assert (await owners(lender))["R-003"] == "cloud"
    assert await lender.one("SELECT count(*) FROM conflicts WHERE kind = 'ownership_broken'") == 1
    assert await cloud.audit.look() == 1, "the lot believes that it may sell it, and so do we"
    assert b"parking_ownership_broken_total 2.0" in cloud.metrics.text()


async def test_a_lot_that_gives_what_is_not_its_own_is_on_record_and_jams_nothing(
    lender: Lane1, cloud: Cloud
) -> None:
    tell(lender, EventKind.TRANSFER_OUT, str(uuid4()), ["R-002", "R-003"])
    await send_new(lender, 2)
    assert await owners(lender) == {"R-001": "edge", "R-002": "cloud", "R-003": "cloud", "R-004": "cloud"}
    assert await lender.one("SELECT count(*) FROM conflicts WHERE kind = 'ownership_broken'") == 1


async def test_a_transfer_that_cannot_be_read_is_quarantined_and_acknowledged(lender: Lane1) -> None:
    lender.log.add(
        EventKind.TRANSFER_OUT, {"transfer": str(uuid4()), "type": "regular", "spots": ["nowhere"]}
    )
    assert (await lender.send(2)).quarantined == 1
    assert await lender.one("SELECT acknowledged_seq FROM gateways") == 2


async def test_the_share_of_a_type_is_in_the_lots_list_once_and_again_when_it_changes(
    gateway: Lane1, cloud: Cloud
) -> None:
    kinds = "SELECT count(*) FROM gateway_documents WHERE kind = 'share'"
    assert await gateway.one(kinds) == 0, "four places and two chargers make no tenth"
    for _ in range(2):
        await cloud.gateways.set_share(gateway.session.origin.lot, SpotType.REGULAR, 5_000)
    assert await gateway.one(kinds) == 1
    await cloud.gateways.set_share(gateway.session.origin.lot, SpotType.REGULAR, 2_500)
    assert await gateway.one(kinds) == 2


async def test_what_the_centre_owns_beyond_its_share_goes_back_at_the_next_session(
    gateway: Lane1, cloud: Cloud
) -> None:
    give_to_the_cloud(cloud.settings.database_url, "R-001")
    await gateway.reopen()
    assert (await owners(gateway))["R-001"] == "in_flight"
