"""The JSON schema for editors agrees with what the agent reads: the shipped one is made by `lotgate edge schema`."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from drivers.registry import kinds, settings_of
from edge.check import check
from edge.lot_schema import lot_schema, schema_text
from simulators.toml_text import toml_text

CONFIG = Path(__file__).parents[3] / "config"
SHIPPED = CONFIG / "lot.schema.json"
EXAMPLES = ["street", "small-barrier-lot", "multi-storey", "permit-only", "camera-only"]
OURS = sorted(
    name for name, entry in kinds().items() if entry.dist is not None and entry.dist.name == "lotgate"
)
VALIDATOR = Draft202012Validator(dict(lot_schema(OURS)))


def table_paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key of every table whose keys are ours to name."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key)
            yield from table_paths(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node[:1]):
            yield from table_paths(value, (*path, index))


def renamed(document: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    """The document with one key misspelt."""
    changed = copy.deepcopy(document)
    holder: Any = changed
    for part in path[:-1]:
        holder = holder[part]
    holder[f"{path[-1]}x"] = holder.pop(path[-1])
    return changed


def test_the_shipped_schema_is_what_the_command_prints() -> None:
    assert SHIPPED.read_text() == schema_text(OURS), "run: lotgate edge schema > config/lot.schema.json"
    Draft202012Validator.check_schema(json.loads(SHIPPED.read_text()))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_names_the_schema_and_keeps_it(name: str) -> None:
    text = (CONFIG / f"{name}.toml").read_text()
    assert text.startswith("#:schema ./lot.schema.json\n")
    assert [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize("kind", OURS)
def test_every_drivers_settings_are_in_it_and_a_misspelt_one_is_underlined(kind: str) -> None:
    model = settings_of(kind)
    assert model is not None
    branch = json.loads(SHIPPED.read_text())["$defs"][f"driver_{kind}"]
    named = {field.alias or name for name, field in model.model_fields.items()}
    assert named == set(branch["properties"]) - {"kind"}
    table = {"drivers": {"one": {"kind": kind, "misspelt": 1}}}
    assert any(
        "misspelt" in error.message and list(error.absolute_path) == ["drivers", "one"]
        for error in VALIDATOR.iter_errors(table)
    )


def test_somebody_elses_driver_may_hold_what_it_likes() -> None:
    lot = tomllib.loads((CONFIG / "small-barrier-lot.toml").read_text())
    lot["drivers"]["loops"] = {"kind": "acme_loop", "whatever": [1, 2]}
    assert list(VALIDATOR.iter_errors(lot)) == []


def test_a_misspelt_key_anywhere_is_refused_by_the_schema_where_the_agent_refuses_it(tmp_path: Path) -> None:
    text = (CONFIG / "small-barrier-lot.toml").read_text()
    lot = tomllib.loads(text.replace("tariffs/", f"{CONFIG}/tariffs/"))
    file = tmp_path / "lot.toml"
    seen = 0
    for path in table_paths(lot):
        changed = renamed(lot, path)
        file.write_text(toml_text(changed))
        refused_by_schema = bool(list(VALIDATOR.iter_errors(changed)))
        if refused_by_schema:
            assert check(file, {})[1], path
        else:  # names that the installer chose: of drivers, of a bus's units, of types
            assert path[0] in {"drivers", "policy"}, path
            assert len(path) in {2, 4} or path[-1] == "regular", path
        seen += refused_by_schema
    assert seen > 40
