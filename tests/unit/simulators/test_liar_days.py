from __future__ import annotations

from datetime import timedelta

from parking.liars import Lie
from simulators.liar_days import Fault, LiarDays


def test_days_of_a_lot_find_what_cannot_be_missed_and_prove_nothing_against_the_honest() -> None:
    findings = LiarDays(seed=3, spaces=40, days=1).run()
    by_fault = {broken.fault: broken for broken in findings.broken}
    flapping = by_fault[Fault.FLAPPING]
    assert flapping.found_at is not None
    assert flapping.lied_at is not None
    assert flapping.found_at - flapping.lied_at <= timedelta(minutes=10)
    assert not [lies for _, _, lies in findings.false_alarms if lies != {Lie.STUCK}]


def test_a_seed_brings_the_same_days_again() -> None:
    first, second = (LiarDays(seed=5, spaces=20, days=1).run() for _ in range(2))
    assert first.words == second.words
    assert [(each.spot, each.found_at) for each in first.broken] == [
        (each.spot, each.found_at) for each in second.broken
    ]
