from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lotgate
from cloud.cli import parser as cloud_parser
from edge.cli import _parser as edge_parser

ROOT = Path(__file__).parents[2]
SMALL_LOT = str(ROOT / "config" / "small-barrier-lot.toml")


def paths(parser: argparse.ArgumentParser, *before: str) -> Iterator[tuple[str, ...]]:
    """Every command that a parser has, itself first."""
    yield before
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from paths(sub, *before, name)


COMMANDS = [
    ("demo",),
    ("simulate",),
    ("decode",),
    ("price",),
    *paths(edge_parser(), "edge"),
    *paths(cloud_parser(), "cloud"),
]


def status_of(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lotgate", *arguments])
    try:
        return lotgate.main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, *command, "--help") == 0

    told = capsys.readouterr().out
    assert f"usage: lotgate {command[0]}" in told
    assert "example" in told
    assert f"lotgate {' '.join(command)}" in told.partition("example")[2].replace("\n", " ")


def test_all_commands_are_named_by_the_first_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, "--help") == 0

    told = capsys.readouterr().out
    assert all(name in told for name in ("demo", "simulate", "edge", "cloud", "decode", "price"))


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("edge",),
        ("edge", "unknown"),
        ("edge", "enrol"),
        ("cloud",),
        ("cloud", "serve", "--port", "many"),
        ("cloud", "gateways", "invite"),
        ("decode", "--format", "unknown"),
        ("price",),
        ("demo", "--for", "1"),
        ("simulate",),
    ],
    ids=" ".join,
)
def test_a_command_that_is_used_wrongly_exits_2_and_says_so_on_standard_error(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, *arguments) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("edge", "run", "--config", "nowhere.toml"),
        ("edge", "inspect", "--config", "nowhere.toml"),
        ("decode", "--format", "lorawan", "--device", "bosch/tps110", "--fport", "1", "0102030405"),
        ("price", "--tariff", "nowhere.toml", "--from", "2026-11-24T08:00Z", "--to", "2026-11-24T09:00Z"),
        ("cloud", "migrate"),
    ],
    ids=" ".join,
)
def test_a_command_that_fails_exits_1_with_a_sentence_and_no_traceback(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOTGATE_CLOUD_DATABASE_URL", raising=False)

    assert status_of(monkeypatch, *arguments) == 1

    told = capsys.readouterr().err
    assert told.strip()
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("edge", "check", "--config", SMALL_LOT), ("decode", "--list")],
    ids=" ".join,
)
def test_a_command_that_did_its_work_exits_0(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status_of(monkeypatch, *arguments) == 0


@pytest.mark.parametrize(
    ("command", "stays_out"),
    [
        ("edge", "cloud"),
        ("cloud", "edge"),
        ("cloud", "drivers"),
        ("edge", "simulators"),
        ("cloud", "alembic"),
    ],
)
def test_a_command_imports_only_the_half_that_was_asked_for(command: str, stays_out: str) -> None:
    asked = (
        "import sys, lotgate\n"
        f"sys.argv = ['lotgate', '{command}', '--help']\n"
        "try: lotgate.main()\n"
        "except SystemExit: pass\n"
        f"sys.exit('{stays_out}' in sys.modules)\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert result.returncode == 0, result.stderr


def test_the_units_verify_offline_and_are_hardened() -> None:
    result = subprocess.run(
        [str(ROOT / "deploy" / "check_units.sh")], capture_output=True, text=True, check=False, timeout=60
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Overall exposure level" in result.stdout


def test_a_half_that_is_not_installed_is_named_with_its_extra() -> None:
    asked = (
        "import sys, lotgate\n"
        "sys.modules['psycopg'] = None\n"
        "sys.argv = ['lotgate', 'cloud', '--help']\n"
        "sys.exit(lotgate.main())\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert result.returncode == 1
    assert result.stderr == "lotgate cloud needs psycopg: install lotgate[cloud]\n"
