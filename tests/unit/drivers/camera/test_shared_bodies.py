"""Every camera's request of the collection beside this repository, where it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.camera.understanding import recognise, understand
from drivers.errors import MalformedInput

SHARED = Path(__file__).parents[4] / ".." / "shared" / "vectors" / "anpr"
FORMATS = {"Dahua ITSAPI": "dahua", "OpenALPR": "openalpr", "Milesight LPR": "milesight"}
FIELDS = {
    "XML not well formed": "XML",
    "document type declarations must be refused": "XML",
    "data is not JSON": "data",
    "not JSON": "body",
}

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="The shared vectors are not beside this checkout (../shared/vectors)."
)


def _vectors() -> Iterator[Any]:
    if SHARED.is_dir():
        for vector in json.loads((SHARED / "events.json").read_text(encoding="utf-8"))["vectors"]:
            yield pytest.param(vector, id=vector["id"])


def _format(vendor: str) -> str:
    first = vendor.split(maxsplit=1)[0].lower()
    return FORMATS.get(vendor) or ("plate_recognizer" if first == "plate" else first)


def _differences(said: dict[str, Any], expected: dict[str, Any], path: str = "") -> list[str]:
    """Where `said` does not cover `expected`; objects in lists are covered one by one."""
    found = []
    for name, value in expected.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            if len(said[name]) != len(value):
                found.append(f"{path}{name}: {len(said[name])} instead of {len(value)}")
            for index, (one, other) in enumerate(zip(said[name], value, strict=False)):
                found += _differences(one, other, f"{path}{name}[{index}].")
        elif said.get(name, "missing") != value:
            found.append(f"{path}{name}: {said.get(name, 'missing')!r} instead of {value!r}")
    return found


@pytest.mark.parametrize("vector", list(_vectors()))
def test_a_request_says_what_the_collection_says(vector: dict[str, Any]) -> None:
    body = (SHARED / vector["body_file"]).read_bytes()
    expected = vector["expected"]
    if "error" in expected:
        with pytest.raises(MalformedInput) as wrong:
            understand(_format(vector["vendor"]), vector["content_type"], body)
        assert wrong.value.field == FIELDS[expected["error"]]
        return
    understood = understand(_format(vector["vendor"]), vector["content_type"], body)
    assert _differences(understood.as_json(), expected) == []
    assert recognise(vector["content_type"], body) == understood
