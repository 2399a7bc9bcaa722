"""A car comes in and goes out by its plate alone: cameras that push to a real agent, each event once, over a kill too."""

from __future__ import annotations

import time
from pathlib import Path

from simulators.wire.camera import CAMERAS, CameraWire, Seen
from sync.events import EventKind
from tests.integration.edge.agent_site import IN, OUT, TOKENS, Site, site_at

DRIVERS = """
[drivers.camera-in]
kind = "plate_camera"
format = "hikvision"
country = "GB"
[drivers.camera-out]
kind = "plate_camera"
format = "milesight"
"""


def camera(site: Site, name: str) -> CameraWire:
    return CameraWire(url=str(site.api.base_url.join(f"/api/v1/cameras/{name}")), token=TOKENS[name])


async def test_a_plate_opens_once_each_way_though_it_is_sent_again_and_misread(tmp_path: Path) -> None:
    async with site_at(tmp_path, start=False) as site:
        with (tmp_path / "lot.toml").open("a") as lot:
            lot.write(DRIVERS)
        await site.start()
        came = CAMERAS["hikvision"](Seen(plate="8D51 SMR", number=1))
        await site.arrives(IN)
        assert await camera(site, "camera-in").push(came)
        await site.passes(IN)

        await site.agent.kill()
        await site.start()
        assert await camera(site, "camera-in").push(came)  # its answer was lost, so it is sent again
        await site.arrives(IN)
        assert site.gate(IN).position(time.monotonic()) <= 0.0
        (admitted,) = site.log(EventKind.STAY_ADMITTED)
        assert admitted["stay"]["credential_kind"] == "plate"
        site.gate(IN).arming_loop(0)

        await site.arrives(OUT)
        assert await camera(site, "camera-out").push(CAMERAS["milesight"](Seen(plate="BD5I5MR")))
        shown = await site.shows(OUT, "price")
        assert shown["stay"]["shown"] == "BD5I5MR"
        metrics = (await site.api.get("/metrics")).text
        assert 'driver="camera-in"' in metrics
