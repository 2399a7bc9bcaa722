"""A fact always applies: what clashes is kept outside the constraint, told, and comes back when its place is free."""

from __future__ import annotations

from itertools import permutations

import pytest

from parking.claims import Claim, ClaimState
from tests.integration.cloud.conftest import LOT, Lane1, claim


async def states(gateway: Lane1) -> dict[str, tuple[str, bool]]:
    rows = await gateway.rows("SELECT id, state, clashing FROM claims")
    return {str(row["id"]): (row["state"], row["clashing"]) for row in rows}


async def test_a_claim_on_a_promised_spot_is_kept_and_told(gateway: Lane1) -> None:
    first, second = claim("R-001", starts=0, ends=4), claim("R-001", starts=3, ends=5)
    gateway.log.claim(first)
    await gateway.send()
    gateway.log.claim(second)
    applied = await gateway.send(2, 2)
    assert (applied.seq, applied.quarantined) == (2, 0)
    assert await states(gateway) == {first.id: ("firm", False), second.id: ("firm", True)}
    (conflict,) = await gateway.rows("SELECT kind, claim_id, other_id, resolved_at FROM conflicts")
    assert (str(conflict["claim_id"]), str(conflict["other_id"])) == (second.id, first.id)
    assert await gateway.one("SELECT count(*) FROM event_outbox WHERE kind = 'ConflictFound'") == 1


async def test_a_clash_within_one_page_is_kept_and_told(gateway: Lane1) -> None:
    first, second = claim("R-001"), claim("R-001")
    gateway.log.claim(first)
    gateway.log.claim(second)
    await gateway.send()
    assert await states(gateway) == {first.id: ("firm", False), second.id: ("firm", True)}
    assert await gateway.one("SELECT count(*) FROM conflicts") == 1


async def test_a_clash_is_over_when_the_other_leaves(gateway: Lane1) -> None:
    first, second = claim("R-001"), claim("R-001")
    gateway.log.claim(first)
    gateway.log.claim(second)
    await gateway.send()
    gateway.log.claim(first.moved_to(ClaimState.RELEASED))
    await gateway.send(3, 3)
    assert await states(gateway) == {first.id: ("released", False), second.id: ("firm", False)}
    assert await gateway.one("SELECT resolved_at IS NOT NULL FROM conflicts") is True


async def test_a_clash_that_changes_and_still_clashes_is_one_conflict(gateway: Lane1) -> None:
    first, second = claim("R-001"), claim("R-001")
    for told in (first, second, second.with_window(claim(ends=6).window)):
        gateway.log.claim(told)
        await gateway.send(len(gateway.log.rows))
    assert await gateway.one("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL") == 1


async def test_claims_that_change_places_in_one_page_do_not_clash(gateway: Lane1) -> None:
    first, second = claim("R-001"), claim("R-002")
    gateway.log.claim(first)
    gateway.log.claim(second)
    await gateway.send()
    gateway.log.claim(first.on_spot(second.spot))
    gateway.log.claim(second.on_spot(first.spot))
    await gateway.send(3, 4)
    assert set((await states(gateway)).values()) == {("firm", False)}
    assert await gateway.one("SELECT count(*) FROM conflicts") == 0


async def test_claims_whose_change_of_places_is_cut_by_a_page_end_up_without_clash(gateway: Lane1) -> None:
    first, second = claim("R-001"), claim("R-002")
    gateway.log.claim(first)
    gateway.log.claim(second)
    await gateway.send()
    gateway.log.claim(first.on_spot(second.spot))
    await gateway.send(3, 3)
    gateway.log.claim(second.on_spot(first.spot))
    await gateway.send(4, 4)
    assert set((await states(gateway)).values()) == {("firm", False)}
    assert await gateway.one("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL") == 0


STORY = (
    claim("R-001", id_="00000000-0000-4000-8000-00000000000a"),
    claim("R-001", id_="00000000-0000-4000-8000-00000000000a", ends=5, version=2),
    claim("R-001", id_="00000000-0000-4000-8000-00000000000a", state=ClaimState.RELEASED, version=3),
    claim("R-001", id_="00000000-0000-4000-8000-00000000000b", starts=1),
)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
async def test_any_order_of_a_claims_versions_ends_with_the_highest(
    gateway: Lane1, order: tuple[int, ...]
) -> None:
    """Complaint 6: an event after any state is applied or kept, never acknowledged into nothing."""
    for index in order:
        gateway.log.claim(STORY[index])
        await gateway.send(len(gateway.log.rows))
    found = await states(gateway)
    assert found[STORY[0].id] == ("released", False)
    assert found[STORY[3].id] == ("firm", False)
    assert await gateway.one("SELECT count(*) FROM gateway_inbox WHERE outcome = 'applied'") == 4


async def test_a_clash_with_a_claim_sold_here_is_kept_too(gateway: Lane1) -> None:
    ours: Claim = claim("R-004", starts=1, ends=3)
    await gateway.rows(
        "INSERT INTO claims (id, lot_id, spot_id, type, during, kind, holder_kind, holder_id, state, sold_by, epoch, revision,"
        " version) VALUES (%(id)s, %(lot)s, %(spot)s, 'regular', tstzrange('2026-11-24 13:00+0', '2026-11-24 15:00+0'),"
        " 'booking', 'reservation', 'x', 'held', 'cloud', 1, 1, 1) RETURNING id",
        id=ours.id,
        lot=LOT,
        spot=ours.spot,
    )
    walk_in = claim("R-004")
    gateway.log.claim(walk_in)
    await gateway.send()
    assert (await states(gateway))[walk_in.id] == ("firm", True)
