"""The kiosk and the web sell the same places on the real things: each once, both tiers agree, and the centre can cancel what a kiosk sold."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from drivers.ports import Command, Done
from edge.kiosk_orders import Order, Sold
from edge.kiosk_sales import KioskSales
from edge.price_list import PriceList
from edge.terminals import Terminals
from edge.ticket_office import TicketOffice
from parking.claims import ClaimState
from parking.decision import Reason, Refusal
from parking.interval import Interval
from parking.lot import SpotType
from tests.integration.cloud.booking_lot import Driver, at_port, tariff_of
from tests.integration.edge.linked_unit import eventually
from tests.integration.link.test_booking import KEY, Seam, seam

__all__ = ["seam"]


async def approves(_command: Command, _timeout_s: float) -> Done:
    return Done(reference="T-1")


def till_of(seam: Seam) -> KioskSales:
    ledger, clock = seam.unit.ledger, seam.unit.clock
    return KioskSales(
        ledger=ledger,
        prices=PriceList([tariff_of("2.50")]),
        office=TicketOffice(lot=ledger.lot, key=KEY, epoch=ledger.epoch, clock=clock),
        commitments=seam.unit.commitments,
        terminals=Terminals(names={"in-1": "terminal"}, ask=approves),
        clock=clock,
        new_id=lambda: str(uuid4()),
        line_is_up=lambda: True,
    )


def order(starts_at: datetime) -> Order:
    return Order(
        lane="in-1", type=SpotType.REGULAR, window=Interval(starts_at, starts_at + timedelta(hours=2))
    )


async def test_kiosk_and_web_race_for_five_places_and_five_are_sold(seam: Seam) -> None:
    till = till_of(seam)
    starts_at = datetime.now(UTC) + timedelta(hours=2)
    async with at_port(seam.cloud) as one, at_port(seam.other) as other:
        drivers = [Driver(client=client, starts_at=starts_at) for client in (one, other) for _ in range(3)]
        drafts = [(driver, await driver.draft()) for driver in drivers]
        web = [driver.confirm(drafted["id"]) for driver, drafted in drafts]
        kiosk = [till.sell(order(starts_at)) for _ in range(3)]
        answers, sales = await asyncio.gather(asyncio.gather(*web), asyncio.gather(*kiosk))
    sold = sum(isinstance(sale, Sold) for sale in sales)
    booked = sum(answer.status_code == 200 for answer in answers)
    assert sold + booked == 5, (sales, [answer.status_code for answer in answers])
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert all(isinstance(sale, Sold) or sale == Refusal(reason=Reason.FULL) for sale in sales)
    await seam.agree()
    assert seam.firm_here() == 5
    at_the_kiosk = seam.one(
        "SELECT count(*) FROM reservations WHERE status = 'active' AND user_name = 'kiosk'"
    )
    assert at_the_kiosk == sold
    assert seam.one("SELECT count(*) FROM payments WHERE status = 'completed'") == sold


async def test_the_centre_cancels_what_a_kiosk_sold_and_the_lot_lets_it_go(seam: Seam) -> None:
    sale = await till_of(seam).sell(order(datetime.now(UTC) + timedelta(hours=2)))
    assert isinstance(sale, Sold)
    await eventually(lambda: seam.one("SELECT count(*) FROM reservations") == 1)
    async with at_port(seam.cloud) as client:
        driver = Driver(client=client)
        shown = await driver.get(sale.reservation)
        assert shown.json()["status"] == "active", shown.text
        assert (await driver.cancel(sale.reservation)).status_code == 202
        await eventually(lambda: seam.one("SELECT status FROM reservations") == "cancelled", within_s=40)
    await seam.agree()
    assert seam.unit.ledger.book.claim(sale.claim).state is ClaimState.RELEASED
