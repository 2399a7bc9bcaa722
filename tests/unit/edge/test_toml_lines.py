"""A fault in a lot's TOML is told with its line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edge.toml_lines import line_of, lines_of

TEXT = '''title = "a [not a table]"

[lot] # the lot
name = "Yard"
note = """
[zones]
id = 7
"""

[[zones]]
id = "a"

[[zones]]
id = "b"
list = [
  "one",
  # id = "c"
  "two",
]
after = 1

[drivers."gate.1"]
units = { gate-1 = 1 }
[drivers.plain]
coils.open = 4
  [[zones.parts]]
  name = "first part of the second zone"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("lot",), 3),
        (("lot", "name"), 4),
        (("lot", "note"), 5),
        (("zones", 0), 10),
        (("zones", 0, "id"), 11),
        (("zones", 1, "id"), 14),
        (("zones", 1, "list"), 15),
        (("zones", 1, "list", 1), 15),
        (("zones", 1, "after"), 20),
        (("drivers", "gate.1", "units", "gate-1"), 23),
        (("drivers", "plain", "coils", "open"), 25),
        (("zones", 1, "parts", 0, "name"), 27),
        (("lot", "missing"), 3),
        (("zones", 1, "missing"), 13),
        (("nowhere",), None),
    ],
)
def test_every_value_is_found_on_its_line_and_a_missing_one_at_its_table(
    path: tuple[str | int, ...], line: int | None
) -> None:
    assert line_of(lines_of(TEXT), path) == line


@pytest.mark.parametrize("name", ["small-barrier-lot.toml", "multi-storey.toml"])
def test_every_key_of_the_shipped_examples_is_found_where_it_stands(name: str) -> None:
    text = (Path(__file__).parents[3] / "config" / name).read_text()
    lines = lines_of(text)
    rows = text.splitlines()
    document = tomllib.loads(text)
    for path, value in walk(document, ()):
        number = line_of(lines, path)
        assert number is not None
        if path in lines and not isinstance(path[-1], int) and not isinstance(value, (dict, list)):
            assert str(path[-1]) in rows[number - 1]


def walk(value: object, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], object]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    found = [] if not path else [(path, value)]
    for key, each in inner:
        found += walk(each, (*path, key))
    return found
