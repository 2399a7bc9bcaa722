"""Who owns a spot: transfers under loss, repetition, crashes and new epochs, and the sum that always comes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parking.book import Book, ClaimRequest, Sale
from parking.claims import ClaimKind
from parking.ids import ClaimId, LaneId, SpotId, StayId, ZoneId
from parking.interval import Interval
from parking.lot import InFlight, LotPolicy, Owner, Spot, SpotType, Tier, Zone
from parking.stays import Credential, CredentialKind, Stay, StayState
from sync.codec import decode, encode
from sync.errors import LocalError
from sync.messages import Transfer, TransferRequest
from sync.ownership import (
    RECEIVER_TABLE,
    SENDER_TABLE,
    Holdings,
    OwnerChange,
    TransferEvent,
    TransferRow,
    TransferState,
    arrival,
    audit,
    cloud_share,
    half_holds,
    implied,
    message,
    none_to_give,
    owed,
    rights_stranded,
    step,
    to_give,
    to_share,
    transferable,
)
from sync.part import Moment

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
AT = Moment(at=NOW, lower_at=NOW, real_s=0.0)
REGULAR = SpotType.REGULAR
SPOTS = tuple(SpotId(f"s{n}") for n in range(6))


def book(owners: dict[SpotId, Owner], *, spare: int = 0) -> Book:
    return Book(
        spots=[Spot(id=spot, zone=ZoneId("z"), number=spot, type=REGULAR) for spot in SPOTS],
        owners=owners,
        policy=LotPolicy(spare_spots={REGULAR: spare}),
        zones=[Zone(id=ZoneId("z"), level="0")],
    )


def sold(on: Book, name: str = "w", starts: timedelta = timedelta(0)) -> Sale:
    asked = ClaimRequest(
        id=ClaimId(name),
        type=REGULAR,
        window=Interval(NOW + starts, NOW + starts + timedelta(hours=4)),
        kind=ClaimKind.WALK_IN,
        holder_kind="stay",
        holder_id=name,
        epoch=1,
    )
    sale = on.sell(asked, now=NOW)
    assert isinstance(sale, Sale)
    on.apply(sale.claims)
    return sale


ROW = TransferRow(id="t", epoch=1, to=Tier.EDGE, type=REGULAR, spots=(SPOTS[0],))


@pytest.mark.parametrize(("state", "event", "side"), list(product(TransferState, TransferEvent, Tier)))
def test_every_pair_debits_before_it_sends_and_credits_once(
    state: TransferState, event: TransferEvent, side: Tier
) -> None:
    row = replace(ROW, state=state)
    after, changes, sends = step(row, event, side=side)
    table = RECEIVER_TABLE if side is Tier.EDGE else SENDER_TABLE
    assert after.state is table.get((state, event), (state, ()))[0]
    if sends:
        assert after.state is TransferState.IN_FLIGHT
        assert state is TransferState.IN_FLIGHT or changes == (
            OwnerChange(spots=row.spots, owner=InFlight(transfer="t")),
        )
    if changes and changes[0].owner is Tier.EDGE:
        assert after.state is TransferState.CREDITED
        assert state is not TransferState.CREDITED
    if side is Tier.CLOUD:
        assert all(change.owner is not Tier.CLOUD for change in changes), "time never hands a spot back"


def test_a_transfer_without_spots_is_a_fault_of_ours() -> None:
    with pytest.raises(LocalError):
        step(replace(ROW, spots=()), TransferEvent.GIVEN, side=Tier.CLOUD)


def test_only_spots_without_claim_and_stay_move_and_no_more_than_the_count_can_spare() -> None:
    mine = book({SPOTS[5]: Tier.CLOUD}, spare=1)
    assert len(transferable(mine, REGULAR, Tier.EDGE, AT)) == 4
    taken = sold(mine).claim.spot
    later = sold(mine, "later", timedelta(days=3)).claim.spot
    free = transferable(mine, REGULAR, Tier.EDGE, AT)
    assert taken not in free
    assert later not in free
    assert len(free) <= 3
    mine.note_stay(
        Stay(
            id=StayId("x"),
            credential=Credential(kind=CredentialKind.TICKET, subject="x"),
            type=REGULAR,
            state=StayState.INSIDE,
            lane=LaneId("in"),
            admitted_at=NOW,
            over_count=True,
            tariff_version="1",
        )
    )
    assert len(transferable(mine, REGULAR, Tier.EDGE, AT)) == len(free) - 1
    assert transferable(mine, REGULAR, Tier.CLOUD, AT) == [SPOTS[5]]
    assert len(to_give(mine, REGULAR, Tier.EDGE, 1, AT)) == 1


@pytest.mark.parametrize("taken", [(0,), (5,), (1, 4), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("starts", [timedelta(hours=1), timedelta(days=40)])
def test_a_spot_that_is_promised_at_any_time_never_moves(taken: tuple[int, ...], starts: timedelta) -> None:
    on = book(dict.fromkeys(SPOTS, Tier.EDGE))
    for n in taken:
        claim = sold(on, f"w{n}", starts).claim
        on.apply([replace(claim, spot=SPOTS[n], version=claim.version + 1)])
    promised = {claim.spot for claim in on.claims()}
    given = set(to_give(on, REGULAR, Tier.EDGE, len(SPOTS), AT))
    assert given
    assert given & promised == set()


def test_the_clouds_share_is_a_tenth_and_at_least_one_where_the_type_has_ten() -> None:
    assert [cloud_share(total) for total in (0, 1, 9, 10, 19, 20, 105)] == [0, 0, 0, 1, 1, 2, 10]
    assert cloud_share(20, booked_1e4=5_000) == 10
    assert cloud_share(20, booked_1e4=0) == 1
    assert cloud_share(20, share_1e4=0) == 0
    assert cloud_share(4, booked_1e4=10_000) == 4


def test_what_is_owed_counts_what_is_on_its_way() -> None:
    assert owed(20, cloud_owned=1, to_cloud=1, to_edge=0, wanted=4) == 2
    assert owed(20, cloud_owned=5, to_cloud=0, to_edge=1, wanted=4) == -1
    with pytest.raises(LocalError):
        owed(2, cloud_owned=2, to_cloud=1, to_edge=0, wanted=1)


def test_a_no_is_a_transfer_of_nothing_that_names_its_reason() -> None:
    request = TransferRequest(epoch=1, session=1, request="q", type="regular", count=1)
    frame = none_to_give(request, transfer="t", reason="full")
    assert (frame.spots, frame.reason, frame.request) == ((), "full", "q")


def test_the_auditor_names_the_spot_that_two_sell_or_nobody() -> None:
    spot = SPOTS[0]
    cases: tuple[tuple[Owner, Owner, str], ...] = (
        (Tier.EDGE, Tier.EDGE, ""),
        (Tier.CLOUD, Tier.CLOUD, ""),
        (Tier.EDGE, Tier.CLOUD, "doubly owned"),
        (Tier.CLOUD, Tier.EDGE, "lost"),
        (InFlight(transfer="t"), Tier.EDGE, ""),
        (InFlight(transfer="t"), Tier.CLOUD, ""),
    )
    for edge, cloud, wrong in cases:
        found = audit(
            Holdings(tier=Tier.EDGE, owners={spot: edge}), Holdings(tier=Tier.CLOUD, owners={spot: cloud})
        )
        assert [wrong in text for text in found] == [True] * bool(wrong), (edge, cloud)


def test_each_tier_checks_its_own_half() -> None:
    owners: dict[SpotId, Owner] = dict.fromkeys(SPOTS, Tier.EDGE)
    assert half_holds(Holdings(tier=Tier.EDGE, owners=owners), SPOTS, []) == []
    out = replace(ROW, to=Tier.CLOUD, state=TransferState.IN_FLIGHT)
    assert len(half_holds(Holdings(tier=Tier.EDGE, owners=owners), SPOTS, [out])) == 1
    moved: dict[SpotId, Owner] = {**owners, SPOTS[0]: InFlight(transfer="t")}
    assert half_holds(Holdings(tier=Tier.EDGE, owners=moved), SPOTS, [out]) == []
    assert len(half_holds(Holdings(tier=Tier.EDGE, owners=moved), SPOTS, [])) == 1
    assert len(half_holds(Holdings(tier=Tier.EDGE, owners=owners), SPOTS[1:], [])) == 1
    del owners[SPOTS[1]]
    assert len(half_holds(Holdings(tier=Tier.EDGE, owners=owners), SPOTS, [])) == 1


def test_what_an_old_epoch_left_in_flight_is_stranded_and_counted() -> None:
    flying = replace(ROW, state=TransferState.IN_FLIGHT, spots=SPOTS[:2])
    assert rights_stranded([flying], epoch=1) == 0
    assert rights_stranded([flying], epoch=2) == 2
    stranded, _, _ = step(flying, TransferEvent.EPOCH_ENDED, side=Tier.CLOUD)
    assert rights_stranded([stranded], epoch=2) == 2
    counted, changes, _ = step(stranded, TransferEvent.RECOUNTED, side=Tier.CLOUD)
    assert rights_stranded([counted], epoch=2) == 0
    assert changes == (OwnerChange(spots=SPOTS[:2], owner=Tier.EDGE),)


@dataclass
class Side:
    """One tier's durable record."""

    tier: Tier
    owners: dict[SpotId, Owner]
    transfers: dict[str, TransferRow] = field(default_factory=dict)

    def take(self, row: TransferRow, event: TransferEvent) -> bool:
        """One commit."""
        after, changes, sends = step(self.transfers.get(row.id, row), event, side=self.tier)
        if after.state is not TransferState.NONE:
            self.transfers[row.id] = after
        for change in changes:
            self.owners.update(dict.fromkeys(change.spots, change.owner))
        assert half_holds(Holdings(tier=self.tier, owners=self.owners), SPOTS, self.transfers.values()) == []
        return sends

    def give(self, name: str, to: Tier, random: Random) -> TransferRow | None:
        mine = [spot for spot, owner in self.owners.items() if owner is self.tier]
        if not mine:
            return None
        spots = tuple(random.sample(mine, random.randint(1, len(mine))))
        return TransferRow(id=name, epoch=1, to=to, type=REGULAR, spots=spots)


@given(st.lists(st.integers(0, 8), min_size=20, max_size=80), st.integers(0, 2**32))
@example([1, 5, 0, 2], 0)  # what was given comes back before its row is acknowledged
@example([1, 5, 0, 2], 1)
def test_no_loss_repetition_or_order_of_transfers_makes_or_loses_a_right_to_sell(
    schedule: list[int], seed: int
) -> None:
    random = Random(seed)
    owners: dict[SpotId, Owner] = {
        **dict.fromkeys(SPOTS[:4], Tier.EDGE),
        **dict.fromkeys(SPOTS[4:], Tier.CLOUD),
    }
    edge, cloud = Side(Tier.EDGE, dict(owners)), Side(Tier.CLOUD, dict(owners))
    line: list[Transfer] = []
    log: list[TransferRow] = []
    applied = acknowledged = 0
    for number, action in enumerate(schedule):
        if action == 0 and (row := cloud.give(f"c{number}", Tier.EDGE, random)) is not None:
            if cloud.take(row, TransferEvent.GIVEN) and random.random() < 0.7:
                line.append(message(cloud.transfers[row.id]))
        elif action == 1 and (row := edge.give(f"e{number}", Tier.CLOUD, random)) is not None:
            edge.take(row, TransferEvent.GIVEN)
            log.append(row)
        elif action in {2, 3} and line:
            arrived = line[random.randrange(len(line))]
            if action == 2:
                line.remove(arrived)
            frame = decode(encode(arrived))
            assert isinstance(frame, Transfer)
            row, event = arrival(frame, epoch=1, known=edge.transfers)
            fresh = row.id not in edge.transfers
            for sent in implied(row, event, edge.transfers.values()):
                edge.take(sent, TransferEvent.CREDIT_SEEN)
            edge.take(row, event)
            if fresh:
                log.append(row)
        elif action == 4 and line:
            line.pop(random.randrange(len(line)))
        elif action == 5 and applied < len(log):
            row, applied = log[applied], applied + 1
            cloud.take(row, TransferEvent.ARRIVED if row.to is Tier.CLOUD else TransferEvent.CREDIT_SEEN)
        elif action == 6 and acknowledged < applied:
            row, acknowledged = log[acknowledged], acknowledged + 1
            if row.to is Tier.CLOUD:
                edge.take(row, TransferEvent.CREDIT_SEEN)
        elif action == 7:
            open_rows = [row for row in cloud.transfers.values() if row.to is Tier.EDGE]
            line += [message(row) for row in open_rows if cloud.take(row, TransferEvent.SESSION_OPENED)]
        elif action == 8 and line:
            stale = replace(line[0], transfer=f"old{number}", epoch=0)
            row, event = arrival(stale, epoch=1, known=edge.transfers)
            before = dict(edge.owners)
            edge.take(row, event)
            assert edge.owners == before
        found = audit(
            Holdings(tier=Tier.EDGE, owners=edge.owners), Holdings(tier=Tier.CLOUD, owners=cloud.owners)
        )
        assert found == []


@pytest.mark.parametrize(
    ("wanted", "to_cloud", "cars", "given"),
    [
        (2, 0, 0, 2),
        (2, 1, 0, 1),
        (2, 2, 0, 0),
        (9, 0, 0, 5),
        (2, 0, 4, 1),
        (2, 0, 5, 0),
        (2, 0, 6, 0),
        (0, 0, 0, 0),
    ],
)
def test_a_lot_gives_towards_the_clouds_share_what_it_can_spare_and_keeps_one(
    wanted: int, to_cloud: int, cars: int, given: int
) -> None:
    on = book(dict.fromkeys(SPOTS, Tier.EDGE))
    for number in range(cars):
        sold(on, f"w{number}")
    chosen = to_share(on, REGULAR, AT, wanted=wanted, to_cloud=to_cloud)
    assert len(chosen) == given
    assert not any(on.claims_on(spot) for spot in chosen)


def test_what_an_earlier_epoch_left_stranded_is_in_flight_at_its_receiver_too() -> None:
    owners: dict[SpotId, Owner] = {**dict.fromkeys(SPOTS, Tier.EDGE), SPOTS[0]: InFlight(transfer="t")}
    left = replace(ROW, state=TransferState.STRANDED)
    assert half_holds(Holdings(tier=Tier.EDGE, owners=owners), SPOTS, [left]) == []


def test_only_a_fresh_transfer_of_this_epoch_tells_that_ours_was_credited() -> None:
    sent = replace(ROW, id="ours", to=Tier.CLOUD, state=TransferState.IN_FLIGHT)
    for state, event in product(TransferState, TransferEvent):
        told = implied(replace(ROW, state=state), event, [sent, replace(sent, state=TransferState.CREDITED)])
        fresh = state is TransferState.NONE and event is TransferEvent.ARRIVED
        assert told == ([sent] if fresh else []), (state, event)
    other = replace(ROW, spots=SPOTS[1:2])
    assert implied(other, TransferEvent.ARRIVED, [sent]) == []
