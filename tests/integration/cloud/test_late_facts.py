"""Any fact after any state (complaints row 6): applied or kept aside, counted, and never acknowledged into nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations
from uuid import uuid4

from parking.claims import ClaimState
from parking.demands import Demand, Payment, PaymentState
from parking.ids import DemandId, PaymentId, StayId
from parking.stays import StayState
from sync.rows import demand_row, payment_row
from tests.integration.cloud.conftest import NOON, Lane1, claim, stay


@dataclass(frozen=True)
class Story:
    """One car's facts, which are told in an order that nobody meant."""

    id: str
    hour: int

    def tell(self, gateway: Lane1, what: str) -> None:
        sold = {"id_": f"{self.id[:-1]}0", "starts": 8.0 * self.hour, "ends": 8.0 * self.hour + 4}
        match what:
            case "claimed":
                gateway.log.claim(claim("R-001", **sold))  # type: ignore[arg-type]  # an id and two hours
            case "entered":
                gateway.log.stay("stay_entered", stay(id_=self.id, version=2))
            case "left":
                gateway.log.stay("stay_left", stay(id_=self.id, state=StayState.LEFT, version=3))
            case "released":
                gateway.log.claim(claim("R-001", **sold, state=ClaimState.RELEASED, version=2))  # type: ignore[arg-type]  # the same
            case "paid":
                self._paid(gateway)

    def _paid(self, gateway: Lane1) -> None:
        """A payment whose demand comes right behind it."""
        demand = Demand(
            id=DemandId(str(uuid4())),
            stay=StayId(self.id),
            amount_minor=350,
            currency="EUR",
            from_at=NOON,
            to_at=NOON + timedelta(hours=1),
            lines=({"text": "1 hour", "amount_minor": 350},),
            made_at=NOON,
        )
        payment = Payment(
            id=PaymentId(str(uuid4())),
            demand=demand.id,
            amount_minor=350,
            currency="EUR",
            state=PaymentState.COMPLETED,
            terminal="t1",
            changed_at=NOON,
            version=2,
        )
        gateway.log.add("payment_changed", {"payment": payment_row(payment)})
        gateway.log.add("demand_made", {"demand": demand_row(demand)})


async def test_whatever_comes_after_whatever_is_applied_or_kept_aside_and_counted(gateway: Lane1) -> None:
    orders = list(permutations(("claimed", "entered", "left", "released", "paid")))
    for hour, order in enumerate(orders):
        story = Story(f"{str(uuid4())[:-1]}1", hour)
        for what in order:
            story.tell(gateway, what)
    sent = len(gateway.log.rows)
    for first in range(1, sent + 1, 200):
        await gateway.send(first, min(first + 199, sent))
    (found,) = await gateway.rows(
        "SELECT acknowledged_seq, events_applied, events_quarantined,"
        " (SELECT count(*) FROM gateway_inbox) AS kept,"
        " (SELECT count(*) FROM gateway_quarantine) AS aside FROM gateways"
    )
    assert found["acknowledged_seq"] == found["kept"] == sent
    assert found["events_applied"] + found["events_quarantined"] == sent
    assert found["aside"] == found["events_quarantined"] == 0, (
        "every one of these facts is a good one, late or not"
    )
    assert await gateway.rows("SELECT state, count(*) AS n FROM stays GROUP BY state") == [
        {"state": "left", "n": len(orders)}
    ]
    assert await gateway.rows("SELECT state, count(*) AS n FROM claims GROUP BY state") == [
        {"state": "released", "n": len(orders)}
    ]
    assert await gateway.rows("SELECT status, count(*) AS n FROM payments GROUP BY status") == [
        {"status": "completed", "n": len(orders)}
    ]
