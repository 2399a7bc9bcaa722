"""An old image is found out by what the barriers remember."""

from __future__ import annotations

from drivers.errors import CommandUnanswered
from drivers.ports import Command, Done, RememberEpoch
from edge.barrier_witness import BarrierWitness
from tests.unit.edge.lot_at_work import LotAtWork


class Controllers:
    """Remember epochs; each is silent for a number of questions first."""

    def __init__(self, **remembered: int) -> None:
        self.remembered = remembered
        self.silent_for = dict.fromkeys(remembered, 0)
        self.questions = 0

    async def ask(self, command: Command, _timeout_s: float) -> Done:
        assert isinstance(command, RememberEpoch)
        self.questions += 1
        if self.silent_for[command.device]:
            self.silent_for[command.device] -= 1
            raise CommandUnanswered("silence")
        before = self.remembered[command.device]
        self.remembered[command.device] = max(before, command.epoch)
        return Done(reference=str(before))


def witness(lot: LotAtWork, controllers: Controllers) -> BarrierWitness:
    return BarrierWitness(
        ledger=lot.ledger, controllers=tuple(controllers.remembered), ask=controllers.ask, ask_again_s=0.001
    )


async def test_a_gateway_that_is_the_newest_is_remembered_and_sells(lot: LotAtWork) -> None:
    lot.ledger.epoch = 4
    controllers = Controllers(north=0, south=3)
    controllers.silent_for["south"] = 2
    await witness(lot, controllers).run()
    assert controllers.remembered == {"north": 4, "south": 4}
    assert controllers.questions == 4
    assert lot.ledger.verdict == "ok"


async def test_an_old_image_that_wakes_up_sells_nothing_and_says_why(lot: LotAtWork) -> None:
    lot.ledger.epoch = 4
    controllers = Controllers(north=4, south=5)
    await witness(lot, controllers).run()
    assert lot.ledger.verdict == "fenced"
    assert "south remembers a gateway of epoch 5" in (lot.ledger.fenced_because or "")
    assert controllers.remembered == {"north": 4, "south": 5}


async def test_a_lot_whose_controllers_remember_nothing_asks_nobody(lot: LotAtWork) -> None:
    controllers = Controllers()
    await witness(lot, controllers).run()
    assert controllers.questions == 0
