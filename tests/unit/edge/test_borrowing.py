"""A walk-in that finds none of the lot's own spots: the centre is asked, this lane alone waits, and what comes too late is the next car's."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest_asyncio

from edge.change import Change
from edge.owners import OWNERS_EPOCH, Owners
from edge.visit import Answered
from parking.claims import Claim, ClaimKind, ClaimState
from parking.decision import Reason
from parking.ids import ClaimId, SpotId
from parking.interval import Interval
from parking.lot import InFlight, SpotType, Tier
from sync.failpoints import Failpoints
from sync.messages import FromParticipant, Transfer, TransferRequest
from sync.ownership import TransferState
from tests.unit.edge.lot_at_work import LotAtWork, until

REGULAR = SpotType.REGULAR


class Centre:
    """The other end of the line: what it was asked, and what it answers when a test says so."""

    def __init__(self, lot: LotAtWork) -> None:
        self.lot = lot
        self.heard: list[FromParticipant] = []
        self.owners = self.starts()

    def starts(self) -> Owners:
        """The lot's owners as its ledger has them, with a session open."""
        clock = self.lot.premises.clock
        owners = Owners(
            self.lot.ledger,
            clock=clock,
            new_id=self.lot.new_id,
            failpoints=Failpoints(),
        )
        self.lot.entering.borrow = owners.borrow
        owners.link_opened(self.heard.append)
        self.owners = owners
        return owners

    @property
    def asked(self) -> list[TransferRequest]:
        return [frame for frame in self.heard if isinstance(frame, TransferRequest)]

    async def takes_one(self) -> None:
        """The lot gives one of its two regular places, and the centre acknowledges it."""
        self.owners.share({REGULAR: 1})
        ledger = self.lot.ledger
        await ledger.acknowledge(ledger.last_seq, ledger.last_hash)
        await until(lambda: self.count(Tier.CLOUD) == 1)

    def count(self, tier: Tier) -> int:
        book = self.lot.ledger.book
        return sum(book.owner(spot.id) is tier for spot in self.lot.ledger.lot.spots)

    def gives(self, request: str, *, transfer: str = "t-1") -> Transfer:
        book = self.lot.ledger.book
        spots = [s.id for s in self.lot.ledger.lot.spots if book.owner(s.id) is Tier.CLOUD]
        frame = Transfer(
            epoch=self.lot.ledger.epoch,
            session=1,
            transfer=transfer,
            request=request,
            type="regular",
            spots=tuple(spots[:1]),
        )
        self.owners.hear(frame)
        return frame

    def has_none(self, request: str) -> None:
        self.owners.hear(
            Transfer(
                epoch=self.lot.ledger.epoch,
                session=1,
                transfer="none",
                request=request,
                type="regular",
                spots=(),
                reason="full",
            )
        )


@pytest_asyncio.fixture
async def centre(lot: LotAtWork) -> Centre:
    made = Centre(lot)
    await made.takes_one()
    assert (await lot.come_in()).reason is Reason.GRANTED
    return made


async def come(lot: LotAtWork, lane: str = "entry-1") -> Answered:
    _, answered = await lot.come(lane=lane)
    return answered


async def test_a_car_at_a_lot_with_none_of_its_own_comes_in_on_a_spot_of_the_centres(
    lot: LotAtWork, centre: Centre
) -> None:
    coming = asyncio.create_task(come(lot))
    await until(lambda: centre.asked)
    assert (centre.asked[0].type, centre.asked[0].count) == ("regular", 1)
    centre.gives(centre.asked[0].request)
    assert (await coming).reason is Reason.GRANTED
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots)
    assert [body["transfer"] for body in lot.events() if "transfer" in body][-1] == "t-1"


async def test_where_the_centre_has_none_the_car_hears_full_at_once(lot: LotAtWork, centre: Centre) -> None:
    coming = asyncio.create_task(come(lot))
    await until(lambda: centre.asked)
    centre.has_none(centre.asked[0].request)
    assert (await coming).reason is Reason.FULL


async def test_an_answer_that_never_comes_ends_in_full_and_the_next_car_does_not_wait_for_it(
    lot: LotAtWork, centre: Centre
) -> None:
    assert (await come(lot)).reason is Reason.FULL
    assert centre.owners.counts["unanswered"] == 1
    assert (await come(lot)).reason is Reason.FULL
    assert len(centre.asked) == 1
    centre.gives(centre.asked[0].request)
    assert (await come(lot)).reason is Reason.GRANTED, "what came late is the next car's"


async def test_no_other_lane_waits_while_one_asks(lot: LotAtWork, centre: Centre) -> None:
    waiting = asyncio.create_task(come(lot))
    await until(lambda: centre.asked)
    charger = lot.ledger.counts()[SpotType.EV].count
    assert charger == 1
    leaving, _ = await lot.show("no code of ours")
    assert leaving.answered is not None
    assert not waiting.done()
    centre.has_none(centre.asked[0].request)
    assert (await waiting).reason is Reason.FULL


async def test_a_line_that_is_lost_ends_the_waiting(lot: LotAtWork, centre: Centre) -> None:
    coming = asyncio.create_task(come(lot))
    await until(lambda: centre.asked)
    centre.owners.link_lost()
    assert (await coming).reason is Reason.FULL
    assert (await come(lot)).reason is Reason.FULL
    assert len(centre.asked) == 1


async def test_a_lot_that_owns_everything_asks_nobody(lot: LotAtWork) -> None:
    centre = Centre(lot)
    for _ in range(2):
        await lot.come_in()
    assert (await come(lot)).reason is Reason.FULL
    assert centre.asked == []


async def test_owners_and_transfers_are_what_they_were_after_a_power_cut(
    lot: LotAtWork, centre: Centre
) -> None:
    frame = centre.gives("")
    await lot.ledger.durable()
    before = dict(lot.ledger.transfers())
    await lot.restart()
    again = centre.starts()
    assert dict(lot.ledger.transfers()) == before
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots)
    again.hear(frame)
    assert again.counts["repeated"] == 1
    assert {row.state for row in lot.ledger.transfers().values()} == {TransferState.CREDITED}
    assert not again.counts["broken"]


async def test_a_new_epoch_begins_with_every_spot_the_lots(lot: LotAtWork, centre: Centre) -> None:
    premises = lot.premises
    assert centre.count(Tier.CLOUD) == 1
    premises.epoch += 1
    await lot.restart()
    owners = centre.starts()
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots)
    assert lot.ledger.meta(OWNERS_EPOCH) == premises.epoch
    late = Transfer(
        epoch=premises.epoch - 1, session=1, transfer="old", request="", type="regular",
        spots=(lot.ledger.lot.spots[0].id,),
    )  # fmt: skip
    owners.hear(late)
    assert owners.counts["stale_epoch"] == 1
    assert "old" not in lot.ledger.transfers()


async def test_a_transfer_of_a_type_that_nobody_knows_is_counted_and_changes_nothing(
    lot: LotAtWork, centre: Centre
) -> None:
    centre.owners.hear(
        Transfer(epoch=lot.ledger.epoch, session=1, transfer="x", request="", type="raft", spots=("s",))
    )
    assert centre.owners.counts["unknown_type"] == 1
    assert "x" not in lot.ledger.transfers()


async def test_nothing_is_given_while_the_line_is_down(lot: LotAtWork) -> None:
    centre = Centre(lot)
    centre.owners.link_lost()
    centre.owners.share({REGULAR: 1})
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots)
    centre.owners.link_opened(centre.heard.append)
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots) - 1


def on_its_way(lot: LotAtWork) -> SpotId:
    book = lot.ledger.book
    (spot,) = [s.id for s in lot.ledger.lot.spots if isinstance(book.owner(s.id), InFlight)]
    return spot


async def test_what_the_centre_sells_on_a_spot_before_we_hear_that_it_has_it_stays_there(
    lot: LotAtWork,
) -> None:
    centre = Centre(lot)
    centre.owners.share({REGULAR: 1})
    now, spot = lot.premises.clock.now(), on_its_way(lot)
    sold = Claim(
        id=ClaimId(lot.new_id()),
        spot=spot,
        type=REGULAR,
        window=Interval(now + timedelta(hours=2), now + timedelta(hours=4)),
        kind=ClaimKind.BOOKING,
        holder_kind="reservation",
        holder_id=lot.new_id(),
        state=ClaimState.FIRM,
        sold_by=Tier.CLOUD,
        epoch=lot.ledger.epoch,
    )
    lot.ledger.commit(Change.record(at=now, claims=(sold,)))
    await lot.ledger.acknowledge(lot.ledger.last_seq, lot.ledger.last_hash)
    await until(lambda: centre.count(Tier.CLOUD) == 1)
    assert lot.ledger.book.claims_on(spot) == [sold]
    assert not centre.owners.counts["broken"]


async def test_what_comes_back_before_its_row_is_acknowledged_stays_ours(lot: LotAtWork) -> None:
    centre = Centre(lot)
    centre.owners.share({REGULAR: 1})
    spot = on_its_way(lot)
    centre.owners.share({})
    back = Transfer(
        epoch=lot.ledger.epoch, session=1, transfer="t-1", request="", type="regular", spots=(spot,)
    )
    centre.owners.hear(back)
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots)
    await lot.ledger.acknowledge(lot.ledger.last_seq, lot.ledger.last_hash)
    await lot.ledger.durable()
    assert centre.count(Tier.EDGE) == len(lot.ledger.lot.spots)
    assert not centre.owners.counts["broken"]
