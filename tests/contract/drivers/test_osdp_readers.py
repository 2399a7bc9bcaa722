"""Card readers on one OSDP line: whose key is which, who is there, what a card says and what the reader shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from osdp import Command as LibraryCommand
from osdp import CommandLEDColor

from drivers.errors import CommandRefused, DeviceUnreachable, DriverMisconfigured
from drivers.osdp.bus_watch import KeyVerdict
from drivers.ports import (
    CodeReading,
    Condition,
    ConditionReading,
    MalformedReading,
    Reading,
    ShowSignal,
    Signal,
)
from drivers.registry import make_driver
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.osdp_rig import KEYS, OsdpRig, card

DEFAULT_KEY_HEX = "303132333435363738393a3b3c3d3e3f"  # SCBK-D, printed in the standard


@asynccontextmanager
async def at_work(rig: OsdpRig) -> AsyncIterator[Ears]:
    ears = Ears()
    rig.bring_back()
    task = asyncio.create_task(rig.driver.run(ears))
    try:
        yield ears
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        rig.lose()


def condition(device: str, *conditions: Condition) -> Callable[[Reading], bool]:
    return lambda reading: reading == ConditionReading(device=device, conditions=frozenset(conditions))


def unknown(device: str) -> Callable[[Reading], bool]:
    return lambda reading: reading == ConditionReading(device=device, conditions=None)


async def code(ears: Ears) -> CodeReading:
    await ears.until(lambda: any(isinstance(reading, CodeReading) for reading in ears.heard))
    return next(reading for reading in ears.heard if isinstance(reading, CodeReading))


async def test_every_reader_of_the_line_is_told_when_its_secure_channel_is_up(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    async with at_work(rig) as ears:
        await ears.hear(condition("north"))
        await ears.hear(condition("south"))
        assert rig.north.is_secure
        assert rig.south.is_secure


async def test_a_reader_with_another_key_is_named_and_its_neighbour_works(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    rig.south.key = bytes(range(16))
    async with at_work(rig) as ears:
        await ears.hear(condition("south", Condition.WRONG_KEY))
        told = await ears.hear(lambda reading: isinstance(reading, MalformedReading))
        assert told == MalformedReading(device="south", field="key", problem=KeyVerdict.WRONG.value, raw=b"")
        await ears.hear(condition("north"))
        rig.north.present(card(7), 26)
        assert (await code(ears)).device == "north"
        assert not rig.south.is_secure


async def test_a_reader_with_another_key_is_not_taken_for_a_silent_one_between_two_attempts(
    tmp_path: Path,
) -> None:
    rig = OsdpRig(tmp_path, silent_ms=500, retry_ms=1_000)
    rig.south.key = bytes(range(16))
    async with at_work(rig) as ears:
        await ears.hear(condition("south", Condition.WRONG_KEY))
        rig.north.muted = True  # what is heard from now on is the south's next attempt
        await ears.hear(unknown("north"))
        heard = ears.alive_count
        await ears.until(lambda: ears.alive_count > heard)
        assert not any(unknown("south")(reading) for reading in ears.heard)


async def test_a_reader_that_got_its_key_after_all_is_there_at_the_next_attempt(tmp_path: Path) -> None:
    """libosdp alone would wait for five minutes."""
    rig = OsdpRig(tmp_path)
    rig.south.key = bytes(range(16))
    async with at_work(rig) as ears:
        await ears.hear(condition("south", Condition.WRONG_KEY))
        rig.south.key = KEYS["south"]
        rig.south.begin(rig.pty)
        await ears.hear(condition("south"))


async def test_a_reader_with_the_factorys_key_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    rig.north.key = None
    async with at_work(rig) as ears:
        told = await ears.hear(lambda reading: isinstance(reading, MalformedReading))
        assert told == MalformedReading(
            device="north", field="key", problem=KeyVerdict.FACTORY.value, raw=b""
        )
        rig.north.present(card(7), 26)
        await ears.hear(condition("south"))
        assert not any(isinstance(reading, CodeReading) for reading in ears.heard)


async def test_a_new_reader_that_is_named_gets_its_own_key(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path, default_key=["north"])
    rig.north.key = None
    async with at_work(rig) as ears:
        await ears.hear(condition("north"))
        assert rig.north.key == KEYS["north"]
        rig.north.present(card(9), 26)
        assert (await code(ears)).text == "65,9"
        assert not any(isinstance(reading, MalformedReading) for reading in ears.heard)


async def test_a_reader_without_power_is_away_and_comes_back_and_its_neighbour_is_read_meanwhile(
    tmp_path: Path,
) -> None:
    """The bound is `silent_ms` (here 1 s) and one step; libosdp alone takes eight seconds."""
    rig = OsdpRig(tmp_path)
    async with at_work(rig) as ears:
        await ears.hear(condition("north"))
        await ears.hear(condition("south"))
        rig.south.muted = True
        await ears.hear(unknown("south"))
        with pytest.raises(DeviceUnreachable):
            await rig.driver.command(ShowSignal(device="south", signal=Signal.WAIT), timeout_s=1)
        rig.north.present(card(11), 26)
        assert (await code(ears)).text == "65,11"
        ears.heard.clear()
        rig.south.muted = False
        await ears.hear(condition("south"))
        assert not any(unknown("north")(reading) for reading in ears.heard)


async def test_a_reader_that_was_never_there_is_told_too(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    rig.south.muted = True
    async with at_work(rig) as ears:
        await ears.hear(unknown("south"))


CARDS = [
    (card(12345), 26, "65,12345"),
    (card(12345) ^ 1 << 25, 26, "parity"),
    (0x04A1B2C3, 32, "04A1B2C3"),
    (0x04A1B2C3D4E5F6, 56, "04A1B2C3D4E5F6"),
]


@pytest.mark.parametrize(("word", "bits", "said"), CARDS)
async def test_a_card_is_the_code_that_is_printed_on_it_or_its_fault_by_name(
    tmp_path: Path, word: int, bits: int, said: str
) -> None:
    rig = OsdpRig(tmp_path)
    async with at_work(rig) as ears:
        await ears.hear(condition("north"))
        rig.north.present(word, bits)
        reading = await ears.hear(lambda each: isinstance(each, CodeReading | MalformedReading))
        assert (reading.text if isinstance(reading, CodeReading) else reading.field) == said  # type: ignore[union-attr]


SHOWN = [
    (Signal.GRANTED, CommandLEDColor.Green, 1),
    (Signal.REFUSED, CommandLEDColor.Red, 3),
    (Signal.WAIT, CommandLEDColor.Amber, 0),
    (Signal.READY, CommandLEDColor.Black, 0),
]


async def test_each_signal_has_its_light_and_its_sound(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    async with at_work(rig) as ears:
        await ears.hear(condition("north"))
        for signal, colour, beeps in SHOWN:
            rig.north.commands.clear()
            await rig.driver.command(ShowSignal(device="north", signal=signal), timeout_s=5)
            lights = [each for each in rig.north.commands if each["command"] == LibraryCommand.LED]
            sounds = [each for each in rig.north.commands if each["command"] == LibraryCommand.Buzzer]
            assert [each["on_color"] for each in lights] == [colour]
            assert [each["rep_count"] for each in sounds] == ([beeps] if beeps else [])
        assert rig.south.commands == []


async def test_a_reader_that_will_not_is_refused_and_goes_on(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    async with at_work(rig) as ears:
        await ears.hear(condition("north"))
        rig.north.refuses = True
        with pytest.raises(CommandRefused):
            await rig.driver.command(ShowSignal(device="north", signal=Signal.WAIT), timeout_s=5)
        rig.north.present(card(3), 26)
        assert (await code(ears)).text == "65,3"


WRONG_KEYS = {
    "the factory's": (DEFAULT_KEY_HEX, "public"),
    "none": ("0" * 32, "public"),
    "too short": ("0011", "32 hexadecimal digits are expected, 4 found"),
    "no digits": ("not a key", "not hexadecimal"),
}


@pytest.mark.parametrize(("text", "problem"), WRONG_KEYS.values(), ids=list(WRONG_KEYS))
async def test_a_key_that_protects_nothing_is_refused_by_the_name_of_its_setting(
    tmp_path: Path, text: str, problem: str
) -> None:
    rig = OsdpRig(tmp_path)
    (tmp_path / "north.key").write_text(text)
    rig.bring_back()
    with pytest.raises(DriverMisconfigured, match=problem) as refused:
        await rig.driver.run(Ears())
    assert refused.value.field == "key_files.north"
    assert text not in str(refused.value)
    rig.lose()


async def test_a_key_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    rig = OsdpRig(tmp_path)
    (tmp_path / "south.key").unlink()
    rig.bring_back()
    with pytest.raises(DriverMisconfigured, match="south") as refused:
        await rig.driver.run(Ears())
    assert refused.value.field == "key_files.south"
    rig.lose()


WRONG_TABLES = [
    ({"units": {"a": 127}}, "units"),
    ({"units": {"a": 1, "b": 1}}, "settings"),
    ({"units": {"a": 1, "b": 2}}, "settings"),
    ({"default_key": ["b"]}, "settings"),
    ({"scbk": DEFAULT_KEY_HEX}, "scbk"),
]


@pytest.mark.parametrize(("table", "field"), WRONG_TABLES)
def test_settings_that_cannot_work_are_refused_before_anything_is_opened(
    table: dict[str, object], field: str
) -> None:
    settings = {"port": "/dev/none", "units": {"a": 1}, "key_files": {"a": "/none"}, **table}
    with pytest.raises(DriverMisconfigured) as refused:
        make_driver("osdp_reader", "readers", settings)
    assert refused.value.field.startswith(field)
    assert refused.value.fix
