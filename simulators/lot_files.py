"""Writes the files of the demo's lot: lot.toml, tariff.toml, sensors.csv for the agent, simulation.toml for the simulation.

A car park of two levels with 150 places of all types, three entries and three exits. Tokens are drawn from the seed that is handed in, so
that two runs write the same files; only paths and ports differ. Nothing here is secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from uuid import UUID

from parking.lot import SpotType

LANES = 3
BAUD = 115_200
ANSWER_MS, KNOWN_MS = 60, 300
"""A real controller answers within milliseconds; the simulated one shares two cores with a whole demo. Before an arm goes down the driver reads
its loop once more in any case."""
ENTRY_BUS, EXIT_BUS = "barriers-entry", "barriers-exit"
CHIRPSTACK, THINGS_STACK = "sensors-chirpstack", "sensors-tts"

ZONES = (("ground", "0"), ("upper", "1"))
PAINTED: tuple[tuple[str, SpotType, str, int, int], ...] = (
    ("ground", SpotType.DISABLED, "A-", 1, 8),
    ("ground", SpotType.EV, "A-", 9, 16),
    ("ground", SpotType.REGULAR, "A-", 17, 70),
    ("ground", SpotType.MOTORCYCLE, "M-", 1, 10),
    ("upper", SpotType.REGULAR, "B-", 1, 50),
    ("upper", SpotType.COMPACT, "B-", 51, 70),
)
"""Zone, type, prefix, first and last number: 150 places."""

CHIRPSTACK_MODELS = ("bosch/tps110", "nwave/nps405", "pni/placepod", "netvox/r719a")
THINGS_STACK_MODELS = ("libelium/smart_parking", "tekzitel/tekzipark", "kkm/las7")

TARIFF = """\
id = "harbour-street"
version = 1
name = "Harbour Street"
currency = "GBP"
timezone = "Europe/London"
free_min = 10
after_free = "charged_from_entry"

[[rate]]
label = "Parking"
price = "1.20"
per_min = 30

[[maximum]]
label = "Day maximum"
every_min = 1440
amount = "14.00"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLot:
    """What differs from one demo to the next. `cloud_url` None: a lot that has no centre."""

    folder: Path
    broker_port: int
    broker_host: str = "127.0.0.1"
    cloud_url: str | None = None
    name: str = "Harbour Street"
    seed: int = 1
    factor: float = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LotFiles:
    """What was written, and the tokens by device name (`kiosk-entry-1`, `camera-exit-2`, `staff`)."""

    lot_id: str
    lot_toml: Path
    sensors_csv: Path
    simulation_toml: Path
    api_port_file: Path
    record: Path
    tokens: dict[str, str]


def write_lot(lot: DemoLot) -> LotFiles:
    """Write the files into the lot's folder, which is made."""
    lot.folder.mkdir(parents=True, exist_ok=True)
    (lot.folder / "dev").mkdir(exist_ok=True)
    draw = Random(f"lot {lot.seed}")
    lot_id = str(UUID(int=draw.getrandbits(128), version=4))
    tokens = {name: f"{draw.getrandbits(64):016x}" for name in _device_names()}
    spots = [
        f"{prefix}{number:03d}" for _, _, prefix, first, last in PAINTED for number in range(first, last + 1)
    ]
    euis = [f"70b3d5{draw.getrandbits(16):04x}{index:06x}" for index in range(len(spots))]
    files = LotFiles(
        lot_id=lot_id,
        lot_toml=lot.folder / "lot.toml",
        sensors_csv=lot.folder / "sensors.csv",
        simulation_toml=lot.folder / "simulation.toml",
        api_port_file=lot.folder / "api.port",
        record=lot.folder / "simulation.jsonl",
        tokens=tokens,
    )
    _write(lot.folder / "tariff.toml", TARIFF)
    _write(
        files.sensors_csv, "device,spot\n" + "".join(f"{e},{s}\n" for e, s in zip(euis, spots, strict=True))
    )
    _write(files.simulation_toml, _sidecar(lot, tokens))
    _write(files.lot_toml, "\n".join(_lot_toml(lot, lot_id, tokens, euis)))
    return files


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _device_names() -> Iterator[str]:
    for lane in _lane_ids():
        yield f"kiosk-{lane}"
        yield f"camera-{lane}"
    yield "staff"


def _lane_ids() -> list[str]:
    return [f"{kind}-{number}" for kind in ("entry", "exit") for number in range(1, LANES + 1)]


def _sidecar(lot: DemoLot, tokens: dict[str, str]) -> str:
    named = "".join(f'{name} = "{token}"\n' for name, token in tokens.items())
    return f"[traffic]\nfactor = {lot.factor}\n\n[tokens]\n{named}"


def _lot_toml(lot: DemoLot, lot_id: str, tokens: dict[str, str], euis: list[str]) -> Iterator[str]:
    yield 'sensors_file = "sensors.csv"\n'
    yield "[lot]"
    yield f'id = "{lot_id}"\nname = "{lot.name}"'
    yield 'timezone = "Europe/London"\ncurrency = "GBP"\nlatitude = 51.3813\nlongitude = -2.3590'
    yield 'address = "1 Harbour Street"\n'
    yield '[store]\npath = "ledger.sqlite"\n'
    if lot.cloud_url is not None:
        yield f'[cloud]\nurl = "{lot.cloud_url}"\nkey_file = "gateway.key"\n'
    yield '[api]\nhost = "127.0.0.1"\nport = 0\nport_file = "api.port"\n'
    yield '[tariff]\nfile = "tariff.toml"\n'
    for zone, level in ZONES:
        yield f'[[zones]]\nid = "{zone}"\nlevel = "{level}"\n'
    for zone, kind, prefix, first, last in PAINTED:
        yield f'[[spots]]\nzone = "{zone}"\ntype = "{kind.value}"\nprefix = "{prefix}"'
        yield f'numbers = ["{first:03d}-{last:03d}"]\n'
    yield from _lanes()
    yield from _devices(tokens)
    yield from _wires(lot)
    yield from _brokers(lot, euis)


def _lanes() -> Iterator[str]:
    for lane in _lane_ids():
        kind, _, number = lane.partition("-")
        yield f'[[lanes]]\nid = "{lane}"\nkind = "{kind}"\nbarrier = "gate-{lane}"'
        if kind == "exit":
            yield f'reader = "reader-{lane}"\nterminal = "terminal-{number}"'
        yield ""


def _devices(tokens: dict[str, str]) -> Iterator[str]:
    for name, token in tokens.items():
        role, _, lane = name.partition("-")
        yield f'[[devices]]\nname = "{name}"\nrole = "{role}"'
        if lane:
            yield f'lane = "{lane}"'
        yield f'token_sha256 = "{sha256(token.encode()).hexdigest()}"\n'


def _wires(lot: DemoLot) -> Iterator[str]:
    dev = (lot.folder / "dev").resolve()
    for bus, kind in ((ENTRY_BUS, "entry"), (EXIT_BUS, "exit")):
        units = ", ".join(f'"gate-{kind}-{number}" = {number}' for number in range(1, LANES + 1))
        yield f'[drivers.{bus}]\nkind = "modbus_barrier"\nport = "{dev / bus}"\nbaud = {BAUD}\nunits = {{ {units} }}'
        yield f"answer_ms = {ANSWER_MS}\nknown_ms = {KNOWN_MS}\n"
    for number in range(1, LANES + 1):
        for name, kind in (
            (f"reader-exit-{number}", "serial_reader"),
            (f"terminal-{number}", "payment_terminal"),
        ):
            yield f'[drivers.{name}]\nkind = "{kind}"\nport = "{dev / name}"\n'


def _brokers(lot: DemoLot, euis: list[str]) -> Iterator[str]:
    """Two thirds of the sensors are heard by a ChirpStack, one third by a Things Stack; both publish on one broker."""
    places = count()
    heard: dict[str, list[str]] = {CHIRPSTACK: [], THINGS_STACK: []}
    for eui in euis:
        place = next(places)
        by, models = (
            (THINGS_STACK, THINGS_STACK_MODELS) if place % 3 == 2 else (CHIRPSTACK, CHIRPSTACK_MODELS)
        )
        heard[by].append(f'"{eui}" = "{models[place // 3 % len(models)]}"')
    for by, form, topic in (
        (CHIRPSTACK, "chirpstack", "application/+/device/+/event/up"),
        (THINGS_STACK, "tts", "v3/+/devices/+/up"),
    ):
        yield f'[drivers.{by}]\nkind = "mqtt"\nhost = "{lot.broker_host}"\nport = {lot.broker_port}'
        yield f'topics = ["{topic}"]\nformat = "{form}"\n\n[drivers.{by}.devices]'
        yield "\n".join(heard[by]) + "\n"
