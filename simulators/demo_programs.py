"""The demo's processes and commands, each with the environment that makes them one system. Next file: simulators/programs.py."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from parking.clock import CivilScale
from simulators.database import DatabaseCluster
from simulators.demo_plan import DemoPlan
from simulators.demo_provider import DemoProvider
from simulators.lot_files import LotFiles
from simulators.lot_plan import read_plan
from simulators.lot_process import write_inside
from simulators.programs import Program, lotgate, run_once

SCALE_VARIABLE = "LOTGATE_CIVIL_SCALE"
DATABASE = "lotgate"


@dataclass(slots=True, kw_only=True)
class DemoPrograms:
    """Makes them. `scale` is that of all that is started from now on; `folder` takes logs and files."""

    plan: DemoPlan
    folder: Path
    token: str
    cluster: DatabaseCluster
    scale: CivilScale
    provider: DemoProvider

    @property
    def centre_s_database(self) -> str:
        """The address of the centre's database, once its server runs."""
        return self.cluster.url(DATABASE)

    async def migrate(self) -> None:
        """Bring the schema to its newest revision."""
        log = self.folder / "migrate.log"
        await run_once("migrate", lotgate("cloud", "migrate"), self.environment(), log)

    async def enrol(self, files: LotFiles, cloud_port: int) -> None:
        """The lot's gateway is invited by the centre, and accepts."""
        inviting = lotgate("cloud", "gateways", "invite", "--lot", files.lot_id)
        code = await run_once("invite", inviting, self.environment(), self.folder / "invite.log")
        enrolling = lotgate("edge", "enrol", "--config", str(files.lot_toml), "--code", code)
        enrolling += ["--url", f"http://127.0.0.1:{cloud_port}"]
        await run_once("enrol", enrolling, self.environment(), self.folder / "enrol.log")

    async def take_over(self, files: LotFiles) -> Path:
        """The cars that are inside already become stays with tickets, by the command that an operator has for it."""
        inside, tickets = self.folder / "inside.csv", self.folder / "tickets.csv"
        now = self.scale.at(time.monotonic())
        write_inside(read_plan(files.lot_toml), self.plan.seed, self.scale, inside, now)
        taking = lotgate("edge", "takeover", "--config", str(files.lot_toml))
        taking += ["--inside", str(inside), "--tickets", str(tickets)]
        await run_once("takeover", taking, self.environment(), self.folder / "takeover.log")
        return tickets

    def lot(self, files: LotFiles, tickets: Path) -> Program:
        """The lot that takes orders, with the cars inside."""
        arguments = ["simulate", "--config", str(files.lot_toml), "--seed", str(self.plan.seed)]
        arguments += ["--tickets", str(tickets), "--record", str(files.record), "--orders"]
        return self.program("lot", *arguments, talks=True)

    def program(self, name: str, *arguments: str, talks: bool = False) -> Program:
        """One of ours, with its own log."""
        return Program(
            name=name,
            command=lotgate(*arguments),
            environment=self.environment(),
            log=self.folder / f"{name}.log",
            talks=talks,
        )

    def environment(self) -> dict[str, str]:
        """Of every process that is started now."""
        return {
            "LOTGATE_CLOUD_DATABASE_URL": self.cluster.url(DATABASE),
            "LOTGATE_CLOUD_TOKENS": self.token,
            "LOTGATE_CLOUD_KEY_FILE": str(self.folder / "cloud.key"),
            "LOTGATE_CLOUD_POOL_MAX": "20",
            **self.provider.for_centre,
            SCALE_VARIABLE: str(self.scale),
            **self.plan.environment,
        }

    async def put_tariff(self, files: LotFiles) -> None:
        """The centre sells by the tariff that the lot has."""
        putting = lotgate("cloud", "documents", "put-tariff", "--lot", files.lot_id)
        putting.append(str(files.lot_toml.with_name("tariff.toml")))
        await run_once("tariff", putting, self.environment(), self.folder / "tariff.log")
