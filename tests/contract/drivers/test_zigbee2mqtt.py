"""A Zigbee2MQTT bridge at a real broker: what it retains, and what it says of devices that it no longer hears."""

from __future__ import annotations

from datetime import UTC, datetime

from drivers.ports import Reading, SpotReading
from simulators.broker import Broker
from simulators.wire.zigbee_bridge import availability, bridge_state, contact, occupancy
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.mqtt_rigs import ZigbeeRig
from tests.contract.drivers.test_every_driver import running

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)


def is_lost(reading: Reading) -> bool:
    return isinstance(reading, SpotReading) and reading.lost


async def test_what_was_retained_before_us_is_heard_at_each_start(broker: Broker) -> None:
    rig = ZigbeeRig(broker)
    await rig.publish(occupancy("spot-1", occupied=True, seen_at=AT))
    for _ in range(2):
        ears = Ears()
        async with running(rig.driver, ears):
            reading = await ears.hear(lambda reading: isinstance(reading, SpotReading))
        assert isinstance(reading, SpotReading)
        assert (reading.device, reading.occupied, reading.occurred_at) == ("spot-1", True, AT)


async def test_a_sensor_that_was_off_line_before_us_is_not_believed(broker: Broker) -> None:
    rig = ZigbeeRig(broker)
    await rig.publish(occupancy("spot-1", occupied=True, seen_at=AT), availability("spot-1", online=False))
    ears = Ears()
    async with running(rig.driver, ears):
        await ears.hear(is_lost)
        await ears.until(lambda: ears.alive_count > 1)
        assert is_lost(ears.heard[-1])
        await rig.publish(availability("spot-1", online=True), occupancy("spot-1", occupied=True, seen_at=AT))
        await ears.until(lambda: not is_lost(ears.heard[-1]))


async def test_while_the_bridge_is_away_no_spot_of_its_is_known(broker: Broker) -> None:
    rig = ZigbeeRig(broker, closed_contact="taken")
    ears = Ears()
    async with running(rig.driver, ears):
        await ears.until(lambda: ears.alive_count > 0)
        await rig.publish(contact("spot-1", closed=False), contact("gate", closed=True))
        await ears.hear(lambda reading: isinstance(reading, SpotReading) and reading.occupied is False)
        await rig.publish(bridge_state(online=False))
        await ears.hear(is_lost)
    assert {reading.device for reading in ears.heard if isinstance(reading, SpotReading)} == {"spot-1"}
