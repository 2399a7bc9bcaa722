from __future__ import annotations

import asyncio

import pytest

from drivers.errors import DriverMisconfigured
from drivers.ports import Reading
from drivers.registry import kinds, make_driver

MINIMAL: dict[str, dict[str, object]] = {
    "gpio": {"units": {"gate": {"relays": {"open": 5}}}},
    "modbus_barrier": {"port": "/dev/barrier", "units": {"north": 1}},
    "modbus_relays": {"port": "/dev/relays", "units": {"north": 1}},
    "mqtt": {"topics": ["application/#"], "format": "chirpstack", "decoder": "bosch/tps110"},
    "payment_terminal": {"port": "/dev/till"},
    "serial_reader": {"port": "/dev/reader"},
    "sign": {"over": "serial", "port": "/dev/sign", "outputs": [{"shows": "free", "at": "1"}]},
    "sparkplug": {"spots": ["spot/*/occupied"]},
    "ticket_printer": {"port": "/dev/printer"},
    "zigbee2mqtt": {"sensors": ["spot-*"]},
}


def test_our_own_drivers_are_found_as_a_third_partys_would_be() -> None:
    assert set(MINIMAL) <= set(kinds())


@pytest.mark.parametrize("kind", sorted(MINIMAL))
def test_a_minimal_table_makes_a_driver_and_opens_nothing(kind: str) -> None:
    assert make_driver(kind, "it", MINIMAL[kind]) is not None


@pytest.mark.parametrize("kind", sorted(MINIMAL))
def test_a_misspelt_setting_is_named_and_the_real_ones_are_listed(kind: str) -> None:
    with pytest.raises(DriverMisconfigured, match="prot") as refused:
        make_driver(kind, "it", {**MINIMAL[kind], "prot": "/dev/x"})
    assert next(iter(MINIMAL[kind])) in refused.value.fix


def test_a_kind_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(DriverMisconfigured, match="modbus_barrier, modbus_relays, mqtt") as refused:
        make_driver("modbus", "it", {})
    assert refused.value.field == "kind"


@pytest.mark.parametrize(
    ("kind", "wrong", "field"),
    [
        ("gpio", {"units": {"gate": {}}}, "settings"),
        ("gpio", {"units": {"gate": {"relays": {"open": 5}, "lamps": {"full": 5}}}}, "settings"),
        ("gpio", {"units": {"gate": {"inputs": {"arming_lop": 5}}}}, "units.gate.inputs.arming_lop"),
        ("gpio", {"restless_ms": 100, "debounce_ms": 200}, "settings"),
        ("modbus_barrier", {"units": {"north": 300}}, "units.north"),
        ("modbus_barrier", {"units": {"north": 1, "south": 1}}, "settings"),
        ("modbus_barrier", {"poll_ms": "often"}, "poll_ms"),
        ("modbus_barrier", {"coils": {"open": -1}}, "coils.open"),
        ("mqtt", {"format": "xml"}, "format"),
        ("mqtt", {"decoder": "bosch/none"}, "decoder"),
        ("mqtt", {"devices": {"a84041000181c061": "none/none"}}, "devices"),
        ("mqtt", {"format": "json"}, "settings"),
        ("mqtt", {"format": "json", "json": {"device": "spot", "occupied": "$.taken"}}, "json"),
        ("mqtt", {"user": "lot"}, "settings"),
        ("serial_reader", {"style": "morse"}, "style"),
        ("serial_reader", {"parity": "mark"}, "parity"),
        ("modbus_relays", {"pulse_ms": 250}, "settings"),
        ("modbus_relays", {"lamps": {"full": 9}}, "settings"),
        ("modbus_relays", {"lamps": {"full": 1}}, "settings"),
        ("modbus_relays", {"coils": {"watchdog": 3}}, "coils.watchdog"),
        ("sign", {"over": "smoke"}, "over"),
        ("sign", {"outputs": []}, "outputs"),
        ("sign", {"outputs": [{"shows": "weather", "at": "1"}]}, "outputs.0.shows"),
        ("sign", {"outputs": [{"shows": "free", "at": "1"}, {"shows": "full", "at": "1"}]}, "settings"),
        ("sign", {"text": "$at"}, "text"),
        ("sign", {"frame": {"checksum": "md5"}}, "frame.checksum"),
        ("sign", {"over": "modbus"}, "settings"),
        ("sparkplug", {"nodes": ["garage"]}, "nodes"),
        ("sparkplug", {"spots": []}, "spots"),
        ("sparkplug", {"host_application": "lot/7"}, "host_application"),
        ("ticket_printer", {"style": "matrix"}, "style"),
        ("ticket_printer", {"answer_s": 0}, "answer_s"),
        ("payment_terminal", {"ping_every_s": 0}, "ping_every_s"),
        ("zigbee2mqtt", {"base": "zigbee/#"}, "base"),
        ("zigbee2mqtt", {"closed_contact": "open"}, "closed_contact"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(kind: str, wrong: dict[str, object], field: str) -> None:
    with pytest.raises(DriverMisconfigured) as refused:
        make_driver(kind, "it", {**MINIMAL[kind], **wrong})
    assert refused.value.field.startswith(field)
    assert refused.value.problem
    assert refused.value.fix


async def test_a_password_file_that_cannot_be_read_is_a_wrong_setting() -> None:
    driver = make_driver(
        "mqtt", "it", {**MINIMAL["mqtt"], "user": "lot", "password_file": "/nowhere/password"}
    )
    with pytest.raises(DriverMisconfigured, match="password_file"):
        await driver.run(NoSink())


class NoSink:
    """Nothing arrives."""

    def deliver(self, reading: Reading) -> asyncio.Future[None]:
        raise AssertionError(reading)

    def alive(self) -> None:
        raise AssertionError
