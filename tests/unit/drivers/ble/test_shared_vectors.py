"""Every BLE vector of the collection beside this repository, where it is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.ble.addresses import read_address
from drivers.ble.beacons import read_advertisement, read_beacon
from drivers.ble.bthome import read_bthome
from drivers.errors import MalformedInput

SHARED = Path(__file__).parents[4] / ".." / "shared" / "vectors" / "ble"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="The shared vectors are not beside this checkout (../shared/vectors)."
)


def _vectors(file: str) -> list[Any]:
    if not SHARED.is_dir():
        return []
    return [
        pytest.param(vector, id=vector["id"])
        for vector in json.loads((SHARED / file).read_text(encoding="utf-8"))["vectors"]
    ]


@pytest.mark.parametrize("vector", _vectors("bthome_v2.json"))
def test_a_bthome_message_says_what_the_collection_says(vector: dict[str, Any]) -> None:
    key = bytes.fromhex(vector["bindkey"]) if "bindkey" in vector else None
    said = read_bthome(
        bytes.fromhex(vector["service_data_hex"]), address=read_address(vector["address"]), key=key
    ).as_json()
    problem = said.pop("problem")
    assert said == vector["expected"]
    silent = not said["sensors"] and not said["binary"] and not said["events"]
    assert problem is not None or not silent


@pytest.mark.parametrize("vector", _vectors("beacons.json"))
def test_a_beacon_says_what_the_collection_says(vector: dict[str, Any]) -> None:
    raw, expected = bytes.fromhex(vector["adv_hex"]), vector["expected"]
    if "error" in expected:
        with pytest.raises(MalformedInput) as refused:
            read_beacon(read_advertisement(raw))
        assert refused.value.problem == expected["error"]
    else:
        assert read_beacon(read_advertisement(raw)) == expected
