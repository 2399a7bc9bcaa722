"""Staff tell a sensor how often to speak: over the local API of a real agent, through a broker, to a network server and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import httpx

from simulators.wire.envelopes import Transmission, chirpstack_up
from simulators.wire.network_server import NetworkServerWire
from simulators.wire.sensor_frames import SensorState, milesight_udl
from tests.integration.edge.agent_site import TOKENS, Site, site_at

EUI = "24e124713b493000"
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
CEILING = """
[[sensors]]
device = "{eui}"
spot = "2"
[drivers.ceiling]
kind = "mqtt"
host = "{host}"
port = {port}
topics = ["application/+/device/+/event/up"]
format = "chirpstack"
decoder = "milesight/udl"
downlinks = true
occupied_within_mm = 1000
"""
EVERY_HOUR = {"order": "report_every", "seconds": 3_600}


async def tell(
    site: Site, body: dict[str, object], *, sensor: str = EUI, driver: str = "ceiling", by: str = "staff"
) -> httpx.Response:
    return await site.api.post(
        f"/api/v1/drivers/{driver}/sensors/{sensor}",
        json=body,
        headers={"Authorization": f"Bearer {TOKENS[by]}"},
        timeout=30.0,
    )


async def test_a_sensor_is_told_once_it_was_heard_and_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    async with site_at(tmp_path, start=False) as site:
        with (tmp_path / "lot.toml").open("a") as lot:
            lot.write(CEILING.format(eui=EUI, host=site.broker.host, port=site.broker.port))
        await site.start()
        server = NetworkServerWire("chirpstack")
        server.start(site.broker.host, site.broker.port)
        try:
            unheard = await tell(site, EVERY_HOUR)
            assert (unheard.status_code, unheard.json()["field"]) == (404, "sensor")
            assert "has said nothing" in unheard.json()["detail"]
            await speak(site)
            await site.until(lambda: is_told(site))
            assert len(server.taken) == 1
            server.silent = True
            assert (await tell(site, {"order": "report_every", "seconds": 0})).status_code == 422
            refused = await tell(site, {"order": "recalibrate"})
            assert (refused.status_code, refused.json()["field"]) == (409, "order")
            nobody = await tell(site, EVERY_HOUR, driver="attic")
            assert (nobody.status_code, nobody.json()["field"]) == (404, "sensor")
            assert (await tell(site, EVERY_HOUR, by="kiosk-in")).status_code == 403
            assert len(server.taken) == 1
            sleeping = await tell(site, EVERY_HOUR)
            assert (sleeping.status_code, sleeping.json()) == (202, {"state": "sent"})
        finally:
            server.stop()


async def speak(site: Site) -> None:
    sent = Transmission(
        device_eui=EUI,
        device="milesight/udl",
        frame=milesight_udl(SensorState(occupied=True, sequence=1, sent_at=AT)),
        f_cnt=1,
        received_at=AT,
        identity="session",
    )
    message = chirpstack_up(sent)
    async with aiomqtt.Client(site.broker.host, site.broker.port) as client:
        await client.publish(message.topic, message.body, qos=1)


async def is_told(site: Site) -> bool:
    """Whether the agent has heard the sensor by now, so that the order reaches it."""
    answer = await tell(site, EVERY_HOUR)
    return (answer.status_code, answer.json().get("state")) == (200, "done")
