"""The wheel as a customer gets it: built here, installed into an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel, and our dependencies by a path, but not this checkout."""
    return environment(tmp_path_factory.mktemp("opt") / "lotgate", wheel)


def environment(folder: Path, *packages: Path) -> Path:
    """A new environment in `folder` with our dependencies by a path and these installed (wheels, or folders to build); its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["install", "-q", "--disable-pip-version-check", "--no-deps", "--no-index", "--force-reinstall"]
    python = ["--python", str(folder / "bin" / "python")]
    names = ["--no-build-isolation", *map(str, packages)]
    subprocess.run([sys.executable, "-m", "pip", *python, *install, *names], check=True, capture_output=True)
    return folder / "bin"


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the installed environment somewhere else than in this checkout."""
    program = [str(installed / command[0]), *command[1:]]
    return subprocess.run(program, cwd=installed, capture_output=True, text=True, check=False, timeout=120)
