"""What must hold, looked at after every commit of either tier (sync.md, "What must hold"), and what must have happened once faults stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cloud.payments.provider import IntentSeen, IntentState
from cloud.reservations.booking_rows import Booking
from edge.change import Change
from edge.kiosk_orders import Sold
from parking.claims import Claim, ClaimState
from parking.decision import Reason
from parking.demands import PaymentState
from parking.ids import SpotId, StayId
from parking.interval import Interval
from parking.lot import Tier
from parking.price import price
from sync.messages import Vote
from sync.part import Part, ParticipantState
from sync.transaction import TransactionId
from tests.simulation.lot_tier import Boot
from tests.simulation.memory_database import Changes

if TYPE_CHECKING:
    from tests.simulation.world import World

FAIR_REFUSALS = frozenset({Reason.PASS_USED, Reason.PASS_WRONG_WINDOW})


LOOK_AT_ALL_EVERY = 500
CLOCKS_DIFFER = timedelta(seconds=10)
"""At most, of the centre's and the lot's that heard from it over a bad line."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A place that somebody counts on, from and until seconds since 1970."""

    id: str
    spot: str
    starts_s: float
    ends_s: float


class Promises:
    """Everything promised in either tier: of one claim the higher version counts, and nothing may overlap."""

    def __init__(self) -> None:
        self._of_claim: dict[str, Promise] = {}
        self._on_spot: dict[str, dict[str, Promise]] = {}

    def set(self, id_: str, promise: Promise | None) -> None:
        """What is promised by a claim now; None: nothing."""
        known = self._of_claim.pop(id_, None)
        if known is not None:
            del self._on_spot[known.spot][id_]
        if promise is not None:
            self._of_claim[id_] = promise
            self._on_spot.setdefault(promise.spot, {})[id_] = promise

    def require_alone(self, id_: str) -> None:
        """I1."""
        promise = self._of_claim.get(id_)
        if promise is None:
            return
        for other in self._on_spot[promise.spot].values():
            apart = other.ends_s <= promise.starts_s or promise.ends_s <= other.starts_s
            assert other is promise or apart, f"sold twice: {promise} and {other}"


class Checks:
    """Looks at both tiers at once, as nobody in production can."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.card: dict[str, Claim] = {}
        self.parts: dict[TransactionId, Part] = {}
        self.durable_seq = 0
        self._promises = Promises()
        self.lapsed: set[str] = set()
        self.told: dict[str, int] = {}
        self.kiosk: dict[str, Sold] = {}
        self.payments: dict[str, PaymentState] = {}
        self.commits = 0

    # What the lot has on its card

    def lot_booted(self, boot: Boot) -> None:
        """What was durable is there again: I5, and nothing acknowledged is missing."""
        ledger = boot.ledger
        assert not boot.opened.losses, f"the lot lost something: {boot.opened.losses}"
        book: dict[str, Claim] = {claim.id: claim for claim in ledger.book.claims()}
        for id_, claim in self.card.items():
            if id_ in book:
                assert book[id_].version >= claim.version, f"claim {id_} is older than it was"
            else:
                # Released on the disk, perhaps in a commit that nobody lived to tell: lost rows are seen by the log below, lost holds by their parts.
                book[id_] = replace(claim, state=ClaimState.RELEASED, version=claim.version + 1)
        parts = {part.id: part for part in ledger.parts()}
        for part in self.parts.values():
            assert part.id in parts, f"{part} did not survive"
            if part.state is not ParticipantState.PREP:
                assert parts[part.id].state is not ParticipantState.PREP, f"{part} came back undecided"
        assert ledger.last_seq > self.durable_seq, "rows of the log did not survive"
        gateway = self._world.database.table("gateways").get(ledger.gateway)
        assert gateway is None or gateway["acknowledged_seq"] < ledger.last_seq, "acknowledged and missing"
        self.card = book
        self.parts = parts
        self.durable_seq = ledger.last_seq - 1
        self._promised(list(book))
        self.look_at_all()

    def lot_durable(self, change: Change) -> None:
        """A change is on the card."""
        for claim in change.claims:
            self.card[claim.id] = claim
        for changed in change.parts:
            self.parts[changed.part.id] = changed.part
        self.payments.update((payment.id, payment.state) for payment in change.payments)
        self.durable_seq += len(change.events)
        if change.events:
            self._world.trace.add("lot", "has " + " ".join(event.kind for event in change.events))
        self._promised([claim.id for claim in change.claims])
        for changed in change.parts:
            self._one_decision(changed.part)
        self._count()

    def frame_sent(self, direction: str, frame: Any) -> None:
        """Sync before send: what a vote promises is on the card, and the card is synced."""
        if isinstance(frame, Vote) and frame.yes:
            unsynced = [name for name in self._world.lot_tier.disk.unsynced() if name.endswith("-wal")]
            assert not unsynced, f"a vote left before its sync: {unsynced}"
            claim = self.card.get(str(frame.claim))
            assert claim is not None, f"a vote left before its claim {frame.claim} was durable"

    # The centre

    def cloud_committed(self, changes: Changes) -> None:
        """A transaction of the centre is durable."""
        self._promised([str(key) for table, key in changes if table == "claims"])
        for table, key in changes:
            if table == "reservations":
                part = self.parts.get(TransactionId(reservation=str(key[0]), revision=key[1]))
                if part is not None:
                    self._one_decision(part)
            elif table == "parking_spots":
                self._one_owner(str(key))
        self._count()

    def _count(self) -> None:
        self.commits += 1
        if self.commits % LOOK_AT_ALL_EVERY == 0:
            self.look_at_all()

    def look_at_all(self) -> None:
        """Everything that other looks take from what has just changed."""
        for part in self.parts.values():
            self._one_decision(part)
        for spot in self._world.lot.spots:
            self._one_owner(spot.id)

    def money_moved(self, seen: IntentSeen) -> None:
        """I3: captured, so committed."""
        if seen.state is not IntentState.CAPTURED:
            return
        payment = self._world.database.table("payments")[UUID(seen.payment)]
        rows = self._revisions(payment["reservation_id"])
        states = {row["state"] for row in rows if row["payment_id"] == payment["id"]}
        assert "committed" in states, f"{seen.payment} was captured without a booking: {states}"

    def promised(self, booking: Booking) -> None:
        """A driver was told."""
        self.told[str(booking.id)] = booking.revision

    def sold_at_kiosk(self, sold: Sold) -> None:
        """A driver at the kiosk holds a ticket."""
        boot = self._world.lot_tier.boot
        assert boot is not None
        assert self.card[sold.claim].state is ClaimState.FIRM, (
            f"{sold.reservation} was sold and is not durable"
        )
        self.kiosk[sold.reservation] = sold

    def paid_no_more(self, stay: StayId, came_at: datetime) -> None:
        """Whatever the lot's clock said: nobody pays for longer than he was there."""
        boot = self._world.lot_tier.boot
        if boot is None:
            return
        payments = [
            each for demand in boot.ledger.demands_of(stay) for each in boot.ledger.payments_of(demand.id)
        ]
        paid_minor = sum(each.amount_minor for each in payments if each.state is PaymentState.COMPLETED)
        until = self._world.clock.now() + CLOCKS_DIFFER
        true_minor = price(self._world.lot_tier.tariff, came_at - CLOCKS_DIFFER, until).total_minor
        assert paid_minor <= true_minor, f"{stay} paid {paid_minor} for what costs {true_minor}"

    def pass_refused(self, reservation: str, reason: Reason) -> None:
        """A driver with a pass was turned away. Whoever is early may have to wait for the window where the lot is full."""
        window, now = self._booked(reservation), self._world.clock.now()
        is_early = reason is Reason.NOT_YET and now < window.starts_at
        is_late = reason is Reason.BOOKING_OVER and window.ends_at is not None and now >= window.ends_at
        boot = self._world.lot_tier.boot
        brim_full = boot is not None and len(boot.ledger.open_stays()) >= len(self._world.lot.spots)
        if reason is Reason.BOOKED_BUT_FULL and brim_full:
            return
        assert is_early or is_late or reason in FAIR_REFUSALS, (
            f"the pass of {reservation} was refused: {reason}"
        )

    def _booked(self, reservation: str) -> Interval:
        """The window that stands, by the newest committed revision."""
        if (sold := self.kiosk.get(reservation)) is not None:
            return sold.order.window
        row = [row for row in self._revisions(UUID(reservation)) if row["state"] == "committed"][-1]
        return Interval(row["booked_from"] or row["starts_at"], row["booked_until"] or row["ends_at"])

    def _revisions(self, reservation: object) -> list[dict[str, Any]]:
        return [row for row in self._world.database.rows("reservations") if row["id"] == reservation]

    # I1, I4

    def _promised(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._promises.set(id_, self._promise(id_))
        for id_ in ids:
            self._promises.require_alone(id_)

    def _promise(self, id_: str) -> Promise | None:
        claim, row = self.card.get(id_), self._world.database.table("claims").get(UUID(id_))
        if claim is not None and (row is None or claim.version >= row["version"]):
            counts = claim.state is ClaimState.FIRM and claim.binds and not claim.clashing
            if not counts or claim.spot is None:
                return None
            return _promise(id_, claim.spot, claim.window.starts_at, claim.window.ends_at)
        if row is None or row["state"] != "firm" or row["clashing"] or row["spot_id"] is None:
            return None
        return _promise(id_, str(row["spot_id"]), row["starts_at"], row["ends_at"])

    def _one_decision(self, part: Part) -> None:
        """I4, and I5: what is prepared keeps its claim until it is decided, or its window is over."""
        row = self._world.database.table("reservations").get((UUID(part.id.reservation), part.id.revision))
        state = None if row is None else row["state"]
        if row is None and part.by == "kiosk":
            return  # the centre hears of it by the log
        if part.state is ParticipantState.COMM:
            assert state == "committed", f"{part} against {state}"
            held = self.card.get(str(part.claim)) if part.claim else None
            assert held is None or held.state is not ClaimState.HELD, f"{part} is only held"
        elif part.state is ParticipantState.ABRT:
            assert state != "committed", f"{part} against {state}"
        elif part.state is ParticipantState.PREP and part.claim is not None:
            ends_at = None if part.window is None else part.window.ends_at
            if ends_at is None or ends_at > self._world.clock.now():
                assert self.card[part.claim].state is ClaimState.HELD, f"{part} lost its claim"

    def _one_owner(self, spot: str) -> None:
        """I9: no spot is both tiers' to sell."""
        row, boot = self._world.database.table("parking_spots").get(UUID(spot)), self._world.lot_tier.boot
        if row is not None and boot is not None and row["owner"] == "cloud":
            assert boot.ledger.book.owner(SpotId(spot)) is not Tier.EDGE, f"spot {spot} is both tiers' own"

    # Liveness

    def left_undone(self) -> list[str]:
        """What is not done yet, in words."""
        world, left = self._world, []
        boot = world.lot_tier.boot
        if boot is None:
            return ["the lot is down"]
        database = world.database
        undecided = [
            row for row in database.rows("reservations") if row["state"] in {"preparing", "withheld"}
        ]
        left += [f"{row['id']} is {row['state']}" for row in undecided]
        left += [f"{row['id']} is untold" for row in database.rows("reservations") if row["untold"]]
        left += [f"{doubt.part} is in doubt" for doubt in boot.commitments.doubts()]
        left += [f"payment {payment.id} is pending at the lot" for payment in boot.ledger.pending_payments()]
        gateway = database.table("gateways")[world.lot_tier.gateway]
        if gateway["acknowledged_seq"] != boot.ledger.last_seq:
            left.append(f"{boot.ledger.last_seq - gateway['acknowledged_seq']} rows are not uploaded")
        waiting = {"capturing", "voiding", "refunding", "abandoned", "creating"}
        left += [
            f"payment {row['id']} is {row['standing']}"
            for row in database.rows("payments")
            if row["standing"] in waiting
        ]
        left += [
            f"{row['id']} is {row['status']}"
            for row in database.rows("reservations")
            if row["status"] == "cancel_pending"
        ]
        return left

    def at_the_end(self) -> None:
        """Everybody agrees."""
        world = self._world
        boot = world.lot_tier.boot
        assert boot is not None
        self.look_at_all()
        self._promised([*self.card, *map(str, world.database.table("claims"))])
        self._money_goes_with_bookings()
        self._kiosk_is_honest()
        self._both_have_the_same_claims(boot)
        inbox = world.database.table("gateway_inbox")
        assert [key[2] for key in inbox] == list(range(1, boot.ledger.last_seq + 1)), "the log is not whole"
        for row in boot.ledger.log_page(0, 100_000):
            assert inbox[world.lot_tier.gateway, 1, row.seq]["hash"] == row.hash, f"row {row.seq} differs"
        gateway = world.database.table("gateways")[world.lot_tier.gateway]
        assert gateway["state"] == "ok", f"the gateway is {gateway['state']}: {gateway['state_reason']}"

    def _money_goes_with_bookings(self) -> None:
        world = self._world
        receivable = {row["payment_id"] for row in world.database.rows("receivables")}
        for payment in world.database.rows("payments"):
            if payment["standing"] is None or payment["stripe_payment_intent_id"] is None:
                continue
            intent = world.provider.intents[payment["stripe_payment_intent_id"]]
            all_rows = self._revisions(payment["reservation_id"])
            rows = [row for row in all_rows if row["payment_id"] == payment["id"]]
            committed = [row for row in rows if row["state"] == "committed"]
            captured = intent.seen.state is IntentState.CAPTURED
            if committed:
                assert captured or payment["id"] in receivable, (
                    f"{committed[0]['id']} stands and was not paid"
                )
                standing = [row for row in all_rows if row["state"] == "committed"][-1]
                if standing["status"] == "cancelled" and captured:
                    assert intent.refunds, f"{committed[0]['id']} was cancelled and is not refunded"
            else:
                assert not captured, f"{payment['id']} was captured without a booking"
                decided = all(row["state"] == "aborted" for row in rows)
                if decided:
                    assert intent.seen.state is not IntentState.AUTHORISED, f"{payment['id']} is still held"

    def _kiosk_is_honest(self) -> None:
        """Whoever holds a ticket is known to the centre, and what the terminals took is on record."""
        for reservation in self.kiosk:
            states = {row["state"] for row in self._revisions(UUID(reservation))}
            assert states == {"committed"}, (
                f"{reservation} was sold at the kiosk and is {states or 'unknown'}"
            )
        for key in self._world.lot_tier.taken:
            state = self.payments.get(key)
            assert state is PaymentState.COMPLETED, f"{key} was taken and is {state}"

    def _both_have_the_same_claims(self, boot: Boot) -> None:
        cloud = self._world.database.table("claims")
        for claim in boot.ledger.book.claims():
            known = cloud.get(UUID(claim.id))
            assert known is not None, f"the centre does not know {claim}"
            told = (str(known["spot_id"]), known["state"], known["version"])
            assert told == (str(claim.spot), str(claim.state), claim.version), f"{claim} against {known}"
        here = {UUID(claim.id) for claim in boot.ledger.book.claims()}
        extra = [row for row in cloud.values() if row["state"] != "released" and row["id"] not in here]
        now = self._world.clock.now()
        extra = [row for row in extra if row["ends_at"] is None or row["ends_at"] > now]
        assert not extra, f"the lot does not know {extra}"


def _promise(id_: str, spot: str, starts_at: datetime, ends_at: datetime | None) -> Promise:
    ends_s = float("inf") if ends_at is None else ends_at.timestamp()
    return Promise(id_, spot, starts_at.timestamp(), ends_s)
