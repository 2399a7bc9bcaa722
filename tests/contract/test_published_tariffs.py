"""All worked examples of the shared data, to the cent, by the tariffs we ship: read as an operator wrote them, and as a gateway gets them."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from parking.price import price
from parking.tariff_document import parse_tariff, tariff_to_document

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY / ".." / "shared" / "data" / "tariffs.json"


def published() -> list[dict[str, Any]]:
    """The shared tariffs."""
    if not SHARED.exists():
        pytest.skip("the shared data (../shared/data/tariffs.json) is not beside this checkout")
    tariffs: list[dict[str, Any]] = json.loads(SHARED.read_text(encoding="utf-8"))
    return tariffs


def test_every_worked_example_comes_out_to_the_cent() -> None:
    compared = 0
    for one in published():
        path = REPOSITORY / "config" / "tariffs" / f"{one['id']}.toml"
        tariff = parse_tariff(tomllib.loads(path.read_text(encoding="utf-8")))
        sent = parse_tariff(json.loads(json.dumps(tariff_to_document(tariff))))
        assert (sent.currency, sent.calendar.timezone) == (one["currency"], one["timezone"])
        for example in one["examples"]:
            stay = datetime.fromisoformat(example["from"]), datetime.fromisoformat(example["to"])
            assert price(sent, *stay).total_minor == example["price_minor"], (one["id"], example)
            assert sent.is_valid_at(stay[0])
            compared += 1
    assert compared == 121
