"""A sensor is told something through a network server at a real broker: done, refused, unanswered."""

from __future__ import annotations

import pytest

from drivers.errors import CommandRefused, CommandUnanswered
from drivers.ports import SpotReading
from simulators.broker import Broker
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.mqtt_rigs import LorawanRig
from tests.contract.drivers.test_every_driver import heard, running


@pytest.mark.parametrize("format_name", ["chirpstack", "tts"])
async def test_the_sensors_own_acknowledgement_decides(broker: Broker, format_name: str) -> None:
    rig, ears = LorawanRig(broker, format_name), Ears()
    rig.bring_back()
    async with running(rig.driver, ears):
        await heard(rig, ears, 1)
        await rig.driver.command(rig.order, timeout_s=10)
        assert rig.wire.taken == [bytes.fromhex("ff03b004")]
        rig.wire.deaf = True
        with pytest.raises(CommandRefused, match="did not acknowledge"):
            await rig.driver.command(rig.order, timeout_s=10)
        rig.wire.silent = True
        with pytest.raises(CommandUnanswered):
            await rig.driver.command(rig.order, timeout_s=0.2)
        await heard(rig, ears, 2)
    assert all(isinstance(reading, SpotReading) for reading in ears.heard)
    rig.wire.stop()
