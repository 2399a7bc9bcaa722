"""A person counts the cars at the lot: the centre's count follows, by the facts that the lot tells anyway."""

from __future__ import annotations

from uuid import uuid4

from edge.price_list import PriceList
from edge.recounts import Recounted, Recounts
from edge.suspects import Suspects
from parking.lot import SpotType
from tests.integration.cloud.booking_lot import tariff_of
from tests.integration.edge.linked_unit import eventually
from tests.integration.link.test_booking import Seam, seam

__all__ = ["seam"]


def sold_now(seam: Seam) -> object:
    return seam.one("SELECT sum(sellable) FROM lot_counts WHERE type = 'regular'")


async def test_what_a_person_counted_is_inside_at_the_centre_too_and_what_is_sold_follows(
    seam: Seam,
) -> None:
    ledger, clock = seam.unit.ledger, seam.unit.clock
    recounts = Recounts(
        ledger=ledger,
        prices=PriceList([tariff_of("2.50")]),
        suspects=Suspects(ledger, clock=clock),
        clock=clock,
        new_id=lambda: str(uuid4()),
    )
    await eventually(lambda: sold_now(seam) == 5)
    for cars, free in ((6, 0), (2, 3), (0, 5)):
        done = await recounts.recount({SpotType.REGULAR: cars}, by="Anna", reason="night walk")
        assert isinstance(done, Recounted)
        await seam.agree()
        assert seam.one("SELECT count(*) FROM stays WHERE state = 'inside'") == cars
        await eventually(lambda free=free: sold_now(seam) == free)  # type: ignore[misc]  # bound now
    assert seam.one("SELECT count(*) FROM stays WHERE state = 'left'") == 6
