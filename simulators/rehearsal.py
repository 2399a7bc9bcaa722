"""A lot's TOML played through on any computer, before a cable is laid: `lotgate simulate --config lot.toml` where no simulation.toml stands beside it.

The lot is copied into a folder of its own with what belongs to the place exchanged: cables become pseudo-terminals there, brokers a private one,
tokens are drawn anew (the file has only their hashes), and there is no centre. Everything else, drivers with their settings above all, stays as
the installer wrote it. Beside the simulated lot runs the real agent, `lotgate edge run`. What has no simulated device stays as it is, and its driver
says so. Next file: simulators/lot_process.py.
"""

from __future__ import annotations

import asyncio
import shutil
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from simulators.broker import Broker
from simulators.lot_plan import SIDECAR, PlanRefused
from simulators.programs import Program, lotgate
from simulators.toml_text import toml_text

SERVES_S = 60.0
LISTENS_S = 10.0
OF_THE_PLACE = ("user", "password_file", "ca_file", "certificate_file", "key_file")
"""How a driver reaches a broker elsewhere: the private one knows nobody and speaks plainly."""


def rehearsed(
    lot: Mapping[str, Any], *, config: Path, folder: Path, broker_port: int, tokens: Mapping[str, str]
) -> dict[str, Any]:
    """The lot's document with what belongs to the place exchanged; `tokens` are by device."""
    beside = config.resolve().parent
    copied: dict[str, Any] = {key: value for key, value in lot.items() if key != "cloud"}
    copied["store"] = {**lot.get("store", {}), "path": "ledger.sqlite"}
    copied["api"] = {"host": "127.0.0.1", "port": 0, "port_file": "api.port"}
    copied["tariff"] = {"file": str(beside / lot["tariff"]["file"])}
    if "sensors_file" in lot:
        copied["sensors_file"] = str(beside / lot["sensors_file"])
    copied["devices"] = [
        {**device, "token_sha256": sha256(tokens[device["name"]].encode()).hexdigest()}
        for device in lot.get("devices", ())
    ]
    dev = (folder / "dev").resolve()
    copied["drivers"] = {
        name: _wired_here(table, dev / name, broker_port) for name, table in lot.get("drivers", {}).items()
    }
    return copied


def _wired_here(table: Mapping[str, Any], cable: Path, broker_port: int) -> dict[str, Any]:
    """A driver's table on the folder's own wires: a serial line by its file, a broker by its port, pins without a chip, keys beside them."""
    if table.get("kind") == "gpio":
        units = {
            name: {key: value for key, value in unit.items() if key != "inverted"}
            for name, unit in table["units"].items()
        }
        # A mocked pin rests open: where open means an alarm there would be one.
        return {**table, "factory": "mock", "units": units}
    if "key_files" in table:
        keys = {unit: str(cable.with_name(f"{unit}.key")) for unit in table["key_files"]}
        table = {**table, "key_files": keys}
    if isinstance(table.get("port"), str):
        return {**table, "port": str(cable)}
    if "topics" not in table and table.get("over") != "mqtt":
        return dict(table)
    kept = {key: value for key, value in table.items() if key not in OF_THE_PLACE}
    return {**kept, "host": "127.0.0.1", "port": broker_port}


def write_rehearsal(config: Path, folder: Path, *, broker_port: int, seed: int) -> Path:
    """Write lot.toml and simulation.toml into the folder; the path of the first.

    Raises:
        PlanRefused: `config` cannot be read, or lacks what every lot has.
    """
    try:
        lot = tomllib.loads(config.read_text(encoding="utf-8"))
        draw = Random(f"rehearsal {seed}")
        tokens = {device["name"]: f"{draw.getrandbits(160):040x}" for device in lot.get("devices", ())}
        copied = rehearsed(lot, config=config, folder=folder, broker_port=broker_port, tokens=tokens)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as wrong:
        raise PlanRefused(
            f"{config}: {type(wrong).__name__} {wrong}: run lotgate edge check first"
        ) from wrong
    (folder / "dev").mkdir(parents=True, exist_ok=True)
    for table in copied["drivers"].values():
        for key_file in table.get("key_files", {}).values():
            Path(key_file).write_text(f"{draw.getrandbits(128):032x}\n", encoding="utf-8")
    written = folder / "lot.toml"
    written.write_text(toml_text(copied), encoding="utf-8")
    sidecar = {"traffic": {"plates": 1.0 if _by_plate_alone(lot) else 0.25}, "tokens": tokens}
    (folder / SIDECAR).write_text(toml_text(sidecar), encoding="utf-8")
    return written


def _by_plate_alone(lot: Mapping[str, Any]) -> bool:
    """Whether a camera stands at every entry, and no screen that could give a ticket."""
    entries = {lane["id"] for lane in lot.get("lanes", ()) if lane["kind"] == "entry"}
    at = {
        role: {one.get("lane") for one in lot.get("devices", ()) if one["role"] == role}
        for role in ("camera", "kiosk")
    }
    return bool(entries) and entries <= at["camera"] and not entries & at["kiosk"]


async def _listening(config: Path, broker: Broker) -> None:
    """Wait until the agent's own connections stand at the broker, or no longer than it is worth: a sensor's first word would go to nobody."""
    drivers = tomllib.loads(config.read_text(encoding="utf-8"))["drivers"]
    names = [
        f" as {table.get('identifier', f'lotgate-{name}')} "
        for name, table in drivers.items()
        if "topics" in table
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTENS_S):
            while broker.running and not all(  # noqa: ASYNC110 - the broker tells its log, nobody else
                name in broker.log.read_text(errors="replace") for name in names
            ):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def rehearsing(
    config: Path, folder: Path, *, seed: int, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Path, Program]]:
    """The copied lot's TOML and its agent at work, with a broker where one is installed; all ended afterwards.

    Raises:
        PlanRefused: the lot cannot be copied.
        BrokerFailed: the broker did not start.
        ProgramEnded: the agent ended at once; the message has its last words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(folder)
    if shutil.which("mosquitto") is not None:
        await asyncio.to_thread(broker.start)
    agent: Program | None = None
    try:
        written = write_rehearsal(config, folder, broker_port=broker.port or 1883, seed=seed)
        (folder / "api.port").unlink(missing_ok=True)
        agent = Program(
            name="agent",
            command=lotgate("edge", "run", "--config", str(written)),
            environment=environment,
            log=folder / "agent.log",
        )
        await agent.start()
        await agent.wait_for_file(folder / "api.port", SERVES_S)
        await _listening(written, broker)
        yield written, agent
    finally:
        if agent is not None:
            await agent.stop()
        await asyncio.to_thread(broker.stop)
