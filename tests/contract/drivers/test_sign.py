"""Signs follow the picture: what changed goes out, and all of it when a wire is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest

from drivers.errors import CommandRefused, CommandUnanswered, DeviceUnreachable
from drivers.ports import Condition, ConditionReading
from simulators.broker import Broker
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import Rig
from tests.contract.drivers.sign_rigs import PICTURE, ModbusSignRig, MqttSignRig, SerialSignRig

NOTHING_KNOWN = {"1": "---", "2": "---", "3": "---"}


@asynccontextmanager
async def at_work(rig: Rig) -> AsyncIterator[Ears]:
    rig.bring_back()
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: any(isinstance(each, ConditionReading) for each in ears.heard))
    yield ears
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    rig.lose()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a simulated sign is looked at, it does not call
            await asyncio.sleep(0.005)


async def test_a_sign_that_was_told_nothing_shows_that_nothing_is_known(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path)
    async with at_work(rig):
        assert rig.wire.shown == NOTHING_KNOWN


async def test_only_what_changed_goes_out(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path)
    async with at_work(rig):
        await rig.driver.command(PICTURE, timeout_s=5)
        assert rig.wire.shown == {"1": " 12", "2": "FULL", "3": "1"}
        before = rig.wire.frames
        await rig.driver.command(PICTURE, timeout_s=5)
        assert rig.wire.frames == before
        await rig.driver.command(replace(PICTURE, free={"regular": 11, "ev": 0}), timeout_s=5)
        assert (rig.wire.shown["1"], rig.wire.frames) == (" 11", before + 1)


async def test_a_sign_that_was_unplugged_shows_everything_again(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path)
    async with at_work(rig):
        await rig.driver.command(PICTURE, timeout_s=5)
    with suppress(DeviceUnreachable):
        await rig.driver.command(replace(PICTURE, free={"regular": 5, "ev": 1}), timeout_s=5)
    async with at_work(rig):
        assert rig.wire.shown == {"1": "  6", "2": "  1", "3": "1"}, "the picture that came while it was away"


async def test_a_picture_that_is_too_old_counts_for_nothing(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path, stale_after_s=0.15)
    async with at_work(rig):
        await rig.driver.command(PICTURE, timeout_s=5)
        await until(lambda: rig.wire.shown == NOTHING_KNOWN)


async def test_or_it_stays_as_the_settings_say(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path, stale_after_s=0.05, when_stale="keep", check_every_s=0.05)
    async with at_work(rig):
        await rig.driver.command(PICTURE, timeout_s=5)
        await asyncio.sleep(0.2)
        assert rig.wire.shown["1"] == " 12"
    fresh = SerialSignRig(tmp_path, when_stale="keep", check_every_s=0.05)
    async with at_work(fresh):
        assert fresh.wire.frames == 0, "an agent that starts and knows nothing yet changes nothing either"


async def test_a_sign_that_refuses_is_told_and_put_right_once_it_takes_it(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path, check_every_s=0.05)
    async with at_work(rig) as ears:
        rig.wire.refuse = True
        with pytest.raises(CommandRefused, match="refused the frame"):
            await rig.driver.command(PICTURE, timeout_s=5)
        assert states(ears)[-1] == frozenset({Condition.FAULT})
        rig.wire.refuse = False
        await until(lambda: rig.wire.shown["1"] == " 12")
        await ears.until(lambda: states(ears)[-1] == frozenset())


async def test_a_sign_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    rig = SerialSignRig(tmp_path, answer_s=0.3)
    async with at_work(rig):
        rig.wire.mute = True
        with pytest.raises(CommandUnanswered):
            await rig.driver.command(PICTURE, timeout_s=0.1)


async def test_registers_and_coils_follow_and_are_put_right_after_a_power_cut(tmp_path: Path) -> None:
    rig = ModbusSignRig(tmp_path)
    async with at_work(rig):
        assert (rig.wire.registers, rig.wire.coils) == ({10: 65_535}, {3: False, 4: False})
        await rig.driver.command(PICTURE, timeout_s=5)
        shown = ({10: 12}, {3: True, 4: False})
        assert (rig.wire.registers, rig.wire.coils) == shown
        rig.wire.lose_power()
        await until(lambda: rig.wire.registers == shown[0] and rig.wire.coils.get(3) is True)


async def test_a_broker_keeps_what_the_sign_is_to_show(broker: Broker) -> None:
    rig = MqttSignRig(broker)
    async with at_work(rig):
        await rig.driver.command(PICTURE, timeout_s=5)
        kept: dict[str, bytes] = {}
        async with aiomqtt.Client(broker.host, broker.port) as client, asyncio.timeout(10):
            await client.subscribe("signs/#")
            async for message in client.messages:
                kept[str(message.topic)] = bytes(message.payload)
                if len(kept) == 2:
                    break
    assert kept == {"signs/north/free": b'{"show": " 12"}', "signs/north/ev": b'{"show": "FULL"}'}


async def test_a_sign_that_says_it_is_offline_is_in_trouble_until_it_is_back(broker: Broker) -> None:
    rig = MqttSignRig(broker)
    async with at_work(rig) as ears:
        await rig.say(b"offline")
        await ears.until(lambda: states(ears)[-1] == frozenset({Condition.FAULT}))
        await rig.say(b"online")
        await ears.until(lambda: states(ears)[-1] == frozenset())


def states(ears: Ears) -> list[frozenset[Condition] | None]:
    return [each.conditions for each in ears.heard if isinstance(each, ConditionReading)]
