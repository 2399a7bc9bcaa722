"""`lotgate price` as an operator and as a machine meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.price_command import main

TARIFFS = Path(__file__).parents[3] / "config" / "tariffs"
GARAGE = str(TARIFFS / "toronto-greenp-001.toml")


def test_the_machine_gets_lines_that_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "2019-06-12T08:00-04:00", "--to", "2019-06-13T08:00-04:00", "--json"]
    assert main(["price", "--tariff", GARAGE, *arguments]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["tariff"], answer["currency"], answer["total_minor"]) == (
        "toronto-greenp-001",
        "CAD",
        2500,
    )
    assert sum(line["amount_minor"] for line in answer["lines"]) == 2500
    assert answer["lines"][0] == {
        "label": "Day",
        "from": "2019-06-12T08:00:00-04:00",
        "to": "2019-06-12T18:00:00-04:00",
        "quantity": 20,
        "unit_amount_minor": 250,
        "amount_minor": 5000,
    }


def test_people_get_a_table_with_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["price", "--tariff", GARAGE, "--from", "2019-06-12T09:00", "--to", "2019-06-12T12:00"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert "Wed 2019-06-12 09:00 EDT" in heading
    assert [row.split()[-1] for row in rows] == ["15.00", "-1.00", "14.00"]
    assert len({len(row) for row in rows}) == 1


def test_an_instant_without_offset_is_civil_time_where_the_tariff_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = []
    for starts, ends in (
        ("2019-06-12T17:00", "2019-06-12T19:00"),
        ("2019-06-12T21:00Z", "2019-06-13T01:00+02:00"),
    ):
        assert main(["price", "--tariff", GARAGE, "--from", starts, "--to", ends, "--json"]) == 0
        both.append(capsys.readouterr().out)
    assert both[0] == both[1]


def test_a_civil_time_that_never_comes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["price", "--tariff", GARAGE, "--from", "2019-03-10T02:30", "--to", "2019-03-10T04:00"]) == 2
    assert "never comes in America/Toronto" in capsys.readouterr().err


def test_a_stay_that_is_too_long_or_out_of_date_is_priced_with_a_note(
    capsys: pytest.CaptureFixture[str],
) -> None:
    suhr = ["price", "--tariff", str(TARIFFS / "sbb-suhr.toml")]
    assert main([*suhr, "--from", "2024-05-14T08:00", "--to", "2024-05-16T08:00"]) == 0
    assert "longer than the 1440 min" in capsys.readouterr().out
    utrecht = ["price", "--tariff", str(TARIFFS / "utrecht-utg1.toml"), "--json"]
    assert main([*utrecht, "--from", "2025-12-31T08:00", "--to", "2025-12-31T09:00"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [
        "outside the dates for which this version is valid"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["--from", "yesterday", "--to", "2019-06-12T12:00"], "'yesterday' is not an instant"),
        (["--from", "2019-06-12T12:00", "--to", "2019-06-12T09:00"], "swap them"),
        (["--from", "2019-06-12T09:00", "--to", "2019-06-12T12:00", "--spot-type", "lorry"], "lorry"),
    ],
)
def test_wrong_use_is_said_and_exits_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["price", "--tariff", GARAGE, *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"id = ", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b'id = "x"\n', "currency: is missing; add it"),
    ],
)
def test_a_tariff_that_is_wrong_is_named_and_exits_1(
    content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    stay = ["--from", "2019-06-12T09:00", "--to", "2019-06-12T12:00"]
    assert main(["price", "--tariff", str(path), *stay]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "mine.toml" in error
    assert error.count("\n") == 1


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["price", "--help"]) == 0
    assert "lotgate price --tariff config/tariffs/" in capsys.readouterr().out
