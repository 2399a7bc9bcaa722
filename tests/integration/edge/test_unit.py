"""The unit's key and enrolment on a card that a power cut tore (complaints row 25)."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.enrolment import Enrolment
from edge.unit import read_unit
from parking.ids import GatewayId
from sync.errors import LocalError
from sync.keys import SigningKey
from tests.integration.edge.conftest import LOT, Premises

TORN = [b"", b"-----BEGIN PRIVATE KEY-----\nMC4CAQ", bytes(119)]


def enrolled(key_file: Path) -> SigningKey:
    key = SigningKey.read_or_make(key_file)
    enrolment = Enrolment(
        gateway=GatewayId("gateway-1"), lot=LOT, epoch=1, cloud="lotgate", cloud_public_key=bytes(32)
    )
    enrolment.write(key_file)
    return key


@pytest.mark.parametrize("torn", TORN)
async def test_a_torn_key_is_set_aside_and_the_lot_goes_on_in_its_epoch(
    premises: Premises, torn: bytes
) -> None:
    key_file = premises.folder / "gateway.key"
    before = enrolled(key_file)
    await premises.start().close()
    key_file.write_bytes(torn)
    unit = read_unit(key_file, premises.path)
    assert (unit.gateway, unit.epoch) == ("gateway-1", 1)
    assert unit.key.public != before.public
    assert "enrol this unit again" in unit.losses[0]
    assert (premises.folder / "gateway.key.broken-1").read_bytes() == torn
    assert read_unit(key_file, premises.path).losses == ()


@pytest.mark.parametrize("torn", [b"", b'{"gateway": "gat', bytes(50)])
async def test_a_torn_enrolment_is_set_aside_and_the_ledger_says_who_we_are(
    premises: Premises, torn: bytes
) -> None:
    key_file = premises.folder / "gateway.key"
    before = enrolled(key_file)
    await premises.start().close()
    Enrolment.path(key_file).write_bytes(torn)
    unit = read_unit(key_file, premises.path)
    assert (unit.enrolment, unit.gateway, unit.epoch) == (None, "gateway-1", 1)
    assert unit.key.public == before.public
    assert unit.losses == (
        "gateway.json was torn and is set aside as gateway.json.broken-1: enrol this unit again",
    )


def test_a_unit_that_never_was_enrolled_is_nobody_in_no_epoch(tmp_path: Path) -> None:
    unit = read_unit(tmp_path / "gateway.key", tmp_path / "ledger.sqlite")
    assert (unit.gateway, unit.epoch, unit.losses) == ("", 0, ())


def test_a_key_that_others_can_read_is_for_a_person_to_mend(tmp_path: Path) -> None:
    key_file = tmp_path / "gateway.key"
    enrolled(key_file)
    key_file.chmod(0o644)
    with pytest.raises(LocalError, match="chmod 600"):
        read_unit(key_file, tmp_path / "ledger.sqlite")
