"""docs/example_driver as somebody new follows it: installed beside the wheel, tested, named in a lot.toml, and at work in a real agent."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.store.reader import StoreReader
from simulators.programs import Program
from tests.packaging.conftest import environment, run

EXAMPLE = Path(__file__).parents[2] / "docs" / "example_driver"
PATIENCE_S = 60.0
LOT = """\
[lot]
id = "0d6f0a8e-5f0c-4c57-8f6e-1c9b4a1f7e34"
name = "Acme's yard"
timezone = "Europe/London"
currency = "GBP"
latitude = 51.4
longitude = -2.6
[api]
port_file = "api.port"
[tariff]
file = "tariff.toml"
[[zones]]
id = "ground"
level = "0"
[[spots]]
zone = "ground"
prefix = "A-"
numbers = ["01-03"]
"""
TARIFF = """\
id = "acme"
version = 1
currency = "GBP"
timezone = "Europe/London"
[[rate]]
price = "3.00"
per_min = 60
"""


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel and the example, which was built from a copy."""
    folder = tmp_path_factory.mktemp("acme")
    shutil.copytree(EXAMPLE, folder / "example", ignore=shutil.ignore_patterns("__pycache__"))
    return environment(folder / "gateway", wheel, folder / "example")


def table() -> str:
    """What the README tells to write."""
    (found,) = re.findall(
        r"```toml\n(.*?)```", (EXAMPLE / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    return str(found)


def lot_of(folder: Path, port: int) -> Path:
    """A lot with the README's table; its concentrator is here."""
    told = table()
    assert 'host = "192.0.2.17"' in told
    here = told.replace('host = "192.0.2.17"', f'host = "127.0.0.1"\nport = {port}')
    (folder / "tariff.toml").write_text(TARIFF)
    lot = folder / "lot.toml"
    lot.write_text(LOT + here)
    return lot


def test_its_own_tests_pass_where_it_is_installed(programs: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_concentrator.py", tmp_path)
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    result = subprocess.run(
        [str(programs / "python"), "-m", "pytest", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d+ passed", result.stdout)


def test_the_readmes_table_is_checked_and_a_wrong_one_is_told_with_its_fix(
    programs: Path, tmp_path: Path
) -> None:
    right = run(programs, "lotgate", "edge", "check", "--config", str(lot_of(tmp_path, 4_100)))
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = run(programs, "lotgate", "edge", "check", "--config", str(lot_of(tmp_path, 70_000)))
    assert wrong.returncode == 1
    assert "its TCP port, 4100 as it comes" in wrong.stdout + wrong.stderr
    schema = run(programs, "lotgate", "edge", "schema")
    assert "acme_concentrator" in schema.stdout
    assert "seconds of silence that mean a dead line" in schema.stdout


async def test_a_real_agent_takes_its_readings_and_acknowledges_what_it_keeps(
    programs: Path, tmp_path: Path
) -> None:
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"17 4021 TAKEN\n")
        async for line in reader:
            told.put_nowait(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        lot = lot_of(tmp_path, server.sockets[0].getsockname()[1])
        agent = Program(
            name="agent",
            command=[str(programs / "lotgate"), "edge", "run", "--config", str(lot)],
            environment={"PATH": os.environ["PATH"]},
            log=tmp_path / "agent.log",
        )
        await agent.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert await told.get() == b"ACK 4021\n"
        finally:
            await agent.stop()
    reader = StoreReader(tmp_path / "ledger.sqlite")
    try:
        (state,) = reader.rows("read_spot_states")
    finally:
        reader.close()
    assert (state["state"], state["source"]) == ("occupied", "17")
