"""A changed lot.toml is taken up by the running agent (`lotgate edge run`, SIGHUP): only the drivers whose settings changed are restarted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import psutil
import pytest_asyncio

from tests.integration.edge.agent_site import OUT, Site, site_at

TOGGLES = 40
ANOTHER = """
[drivers.annexe]
kind = "mqtt"
host = "{host}"
port = {port}
topics = ["annexe/+"]
format = "json"
[drivers.annexe.json]
device = "$.device"
occupied = "$.occupied"
[[sensors]]
device = "sensor-2"
spot = "2"
"""


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(tmp_path) as found:
        yield found


def reloads(site: Site, event: str) -> list[dict[str, Any]]:
    """What the journal says of this event."""
    lines = (site.folder / "agent.log").read_text().splitlines()
    return [said for line in lines if line.startswith("{") and (said := json.loads(line))["event"] == event]


def change(site: Site, old: str, new: str) -> None:
    """Write another file and ask the agent to take it up."""
    file = site.folder / "lot.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert site.agent.pid is not None
    os.kill(site.agent.pid, signal.SIGHUP)


def wires(site: Site) -> dict[str, list[Any]]:
    """What the agent holds open: its socket at the broker by our port, its cables by their file's number."""
    process = psutil.Process(site.agent.pid)
    brokers = sorted(
        c.laddr.port for c in process.net_connections() if getattr(c.raddr, "port", None) == site.broker.port
    )
    held = [(str(number.readlink()), number.name) for number in Path(f"/proc/{process.pid}/fd").iterdir()]
    cables = sorted(each for each in held if each[0].startswith("/dev/pts/"))
    return {"brokers": brokers, "cables": cables}


async def stored(site: Site) -> int:
    text = (await site.api.get("/metrics")).text
    (line,) = (
        line for line in text.splitlines() if line.startswith('lotgate_edge_readings_total{outcome="stored"}')
    )
    return int(float(line.split()[-1]))


async def test_only_the_changed_driver_is_restarted_and_no_reading_of_another_is_lost(site: Site) -> None:
    pid, before = site.agent.pid, wires(site)
    heard = stored(site)
    first = await heard

    async def speak() -> None:
        async with aiomqtt.Client(site.broker.host, site.broker.port) as client:
            for number in range(TOGGLES):
                body = json.dumps({"device": "sensor-1", "occupied": number % 2 == 0})
                await client.publish("spots/sensor-1", body, qos=1)
                await asyncio.sleep(0.02)

    speaking = asyncio.create_task(speak())
    change(
        site, f'port = "{site.folder / "reader-out"}"', f'port = "{site.folder / "reader-out"}"\nbaud = 19200'
    )
    await site.until(lambda: reloads(site, "reloaded"))
    await speaking

    async def all_stored() -> bool:
        return await stored(site) == first + TOGGLES

    await site.until(all_stored)
    (done,) = reloads(site, "reloaded")
    assert (done["changed"], done["added"], done["removed"]) == (["reader-out"], [], [])
    assert site.agent.pid == pid
    assert wires(site)["brokers"] == before["brokers"]
    reader = str((site.folder / "reader-out").resolve())
    untouched = {each for each in before["cables"] if each[0] != reader}
    assert len(untouched) >= 2
    assert untouched <= set(wires(site)["cables"])
    ticket = await site.ticket()  # the barriers never lost their bus
    assert (await site.owes(ticket))["price"]["total_minor"] == 300  # and the reader reads again
    assert [moved.value for moved in site.moves(OUT)] == []


async def test_a_driver_and_its_sensors_come_and_go_while_the_others_stay(site: Site) -> None:
    before = wires(site)
    another = ANOTHER.format(host=site.broker.host, port=site.broker.port)
    change(site, '[[sensors]]\ndevice = "sensor-1"', another + '[[sensors]]\ndevice = "sensor-1"')

    async def at_work(*names: str) -> bool:
        drivers = (await site.status())["drivers"]
        return {each["name"] for each in drivers if each["state"] == "running"} >= set(names)

    await site.until(lambda: at_work("annexe"))
    first = await stored(site)
    async with aiomqtt.Client(site.broker.host, site.broker.port) as client:
        await client.publish("annexe/sensor-2", '{"device": "sensor-2", "occupied": true}', qos=1)

    async def one_more() -> bool:
        return await stored(site) == first + 1

    await site.until(one_more)
    assert len(wires(site)["brokers"]) == len(before["brokers"]) + 1
    change(site, another, "")

    async def gone() -> bool:
        return "annexe" not in {each["name"] for each in (await site.status())["drivers"]}

    await site.until(gone)
    await site.until(lambda: wires(site) == before)


async def test_a_wrong_file_is_refused_by_name_and_the_old_one_goes_on(site: Site) -> None:
    before = wires(site)
    change(site, 'format = "json"', 'format = "yaml"')
    await site.until(lambda: reloads(site, "reload_refused"))
    (said,) = reloads(site, "reload_refused")
    assert said["field"] == "drivers.sensors.format"
    (fault,) = [
        fault for fault in (await site.status())["faults"] if "configuration was refused" in fault["title"]
    ]
    assert "drivers.sensors.format" in fault["steps"][0]
    assert wires(site) == before
    change(site, 'format = "yaml"', 'format = "json"')
    await site.until(lambda: reloads(site, "reloaded"))
    assert not [fault for fault in (await site.status())["faults"] if "refused" in fault["title"]]


async def test_what_cannot_change_live_is_refused_by_name_and_with_it_the_driver_beside_it(
    site: Site,
) -> None:
    before = wires(site)
    change(site, 'name = "Site"', 'name = "Another site"\naddress = "1 Road"')
    await site.until(lambda: len(reloads(site, "reload_refused")) == 2)
    assert [said["field"] for said in reloads(site, "reload_refused")] == ["lot.name", "lot.address"]
    assert all("estart" in said["fix"] for said in reloads(site, "reload_refused"))
    change(site, 'topics = ["spots/+"]', 'topics = ["spots/+", "more/+"]')
    await site.until(lambda: len(reloads(site, "reload_refused")) == 4)
    assert wires(site) == before
    assert (await site.status())["lot"] == "Site"
