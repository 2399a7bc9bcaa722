from __future__ import annotations

import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import run

ROOT = Path(__file__).parents[2]
PACKAGES = {"parking", "sync", "drivers", "edge", "cloud", "simulators"}
IMPORTS = "import cloud.app, cloud.migrating, drivers.registry, edge.bootstrap, simulators.cli"


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def test_the_wheel_holds_our_packages_and_the_command_and_nothing_else(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES | {"lotgate.py"}


def test_every_file_that_git_keeps_in_our_packages_is_in_the_wheel(names: set[str]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    kept = {name for name in listed if (ROOT / name).exists()}

    assert any(name.endswith(".sql") for name in kept)
    assert kept <= names


@pytest.mark.parametrize("ending", [".sql", ".html", ".css", ".js", ".svg", ".toml", ".conf", ".mako"])
def test_what_is_not_python_goes_along(names: set[str], ending: str) -> None:
    assert any(name.endswith(ending) for name in names)


def test_no_cache_and_no_test_is_in_the_wheel(names: set[str]) -> None:
    assert [name for name in names if "__pycache__" in name or "test_" in name or name.endswith(".pyc")] == []


def test_our_names_are_nobody_elses(installed: Path) -> None:
    asked = (
        "from importlib.metadata import packages_distributions as all_of\n"
        f"found = {{name: all_of().get(name) for name in {sorted(PACKAGES | {'lotgate'})}}}\n"
        "assert all(set(owners or ()) == {'lotgate'} for owners in found.values()), found\n"
    )

    result = run(installed, "python", "-c", asked)

    assert result.returncode == 0, result.stderr


def test_the_installed_programs_come_from_the_wheel_alone(installed: Path) -> None:
    asked = f"{IMPORTS}, lotgate, sys\nprint(*(module.__file__ for module in (cloud, drivers, edge, simulators, lotgate)))"

    result = run(installed, "python", "-c", asked)

    assert result.returncode == 0, result.stderr
    assert all(path.startswith(str(installed.parent)) for path in result.stdout.split())


def test_the_installed_command_finds_its_drivers_and_its_pages(installed: Path) -> None:
    asked = (
        "from edge.api.pages.renderer import Renderer; from edge.store.named_queries import QUERIES\n"
        "from simulators.broker import LIMITS\n"
        "assert QUERIES and LIMITS.is_file(), LIMITS\n"
        "from importlib.metadata import entry_points\n"
        "print(*sorted({point.name for point in entry_points(group='lotgate.drivers')}))\n"
    )

    result = run(installed, "python", "-c", asked)

    assert result.returncode == 0, result.stderr
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert result.stdout.split() == sorted(project["entry-points"]["lotgate.drivers"])


def test_the_installed_command_checks_a_shipped_configuration(installed: Path) -> None:
    for name in ("small-barrier-lot.toml", "multi-storey.toml"):
        result = run(installed, "lotgate", "edge", "check", "--config", str(ROOT / "config" / name))

        assert result.returncode == 0, result.stdout + result.stderr


def test_the_installed_command_decodes_and_prices(installed: Path) -> None:
    tariff = str(ROOT / "config" / "tariffs" / "db-bahnpark-ansbach.toml")
    stay = ["--from", "2026-11-24T08:00:00+01:00", "--to", "2026-11-24T10:00:00+01:00"]

    decoded = run(
        installed,
        "lotgate",
        "decode",
        "--format",
        "lorawan",
        "--device",
        "bosch/tps110",
        "--fport",
        "1",
        "01",
    )
    priced = run(installed, "lotgate", "price", "--tariff", tariff, *stay, "--json")

    assert '"occupied": true' in decoded.stdout
    assert '"total_minor"' in priced.stdout
