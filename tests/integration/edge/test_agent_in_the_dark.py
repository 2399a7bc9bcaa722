"""The real agent process on a machine whose civil clock is wrong and changes between boots (LOTGATE_CIVIL_SCALE and LOTGATE_BOOT)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from edge.system_clock import BOOT, CIVIL_SCALE
from parking.clock import CivilScale
from parking.trusted_time import EARLIEST_AT
from sync.events import EventKind
from tests.integration.edge.agent_site import OUT, Site, site_at

RIGHT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
NINE_YEARS_LATER_AT = datetime(2035, 11, 24, 12, tzinfo=UTC)


def boots(site: Site, name: str, shown: datetime) -> None:
    """The machine boots, and its civil clock shows this."""
    scale = CivilScale(anchor_at=shown, anchor_monotonic=time.monotonic(), speed=1.0)
    site.agent.environment = {**site.agent.environment, CIVIL_SCALE: str(scale), BOOT: name}


async def quality(site: Site) -> str:
    answer = await site.api.get("/ready")
    return str(answer.json()["clock"])


async def test_a_real_agent_lets_in_and_out_in_1970_and_on_both_sides_of_a_jump_of_nine_years(
    tmp_path: Path,
) -> None:
    async with site_at(tmp_path, start=False) as site:
        boots(site, "first", EARLIEST_AT)
        await site.start()
        assert await quality(site) == "unknown"
        early = await site.ticket()
        in_the_dark = await site.ticket()
        owes = await site.owes(in_the_dark)
        assert owes["price"]["total_minor"] == 300
        assert await site.post(OUT, "pay") == 202
        await site.passes(OUT)

        await site.agent.kill()
        boots(site, "second", RIGHT_AT)
        await site.start()
        assert await quality(site) == "holdover"
        owes = await site.owes(early)
        assert owes["price"]["total_minor"] == 300, "a minute in the lot, whatever its clocks said"
        assert await site.post(OUT, "pay") == 202
        await site.passes(OUT)
        late = await site.ticket()

        await site.agent.kill()
        boots(site, "third", NINE_YEARS_LATER_AT)
        await site.start()
        assert await quality(site) == "unknown"
        owes = await site.owes(late)
        assert owes["price"]["total_minor"] == 300
        assert await site.post(OUT, "pay") == 202
        await site.passes(OUT)

        metrics = (await site.api.get("/metrics")).text
        assert 'lotgate_edge_clock_quality{quality="unknown"} 1.0' in metrics
        told = [body["quality"] for body in site.log(EventKind.CLOCK_CHANGED)]
        assert told == ["unknown", "unknown", "holdover", "unknown"]
        assert len(site.log(EventKind.STAY_LEFT)) == 3
