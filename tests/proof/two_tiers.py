"""One gateway and one centre as real processes, with nothing around them: what a failpoint kills and what is on record afterwards."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from simulators.differences import log_differences
from simulators.evidence import read_cloud, read_edge
from simulators.gateway_watch import GatewayWatch
from simulators.lot_files import DemoLot, LotFiles, write_lot
from simulators.programs import Program, lotgate, run_once

WITHIN_S = 60.0
QUIET_S = 0.5
FAILPOINT = "LOTGATE_FAILPOINT"
LANES = ("entry-1", "entry-2", "entry-3", "exit-1", "exit-2")


@dataclass(slots=True)
class TwoTiers:
    """Use as an asynchronous context: the centre serves and the gateway is enrolled; `start_agent` begins."""

    database_url: str
    folder: Path
    called: int = 0
    deaths: list[str] = field(default_factory=list)
    _files: LotFiles | None = None
    _centre: Program | None = None
    _agent: Program | None = None
    _port: str = "0"

    @property
    def files(self) -> LotFiles:
        assert self._files is not None
        return self._files

    @property
    def ledger(self) -> Path:
        return self.files.lot_toml.with_name("ledger.sqlite")

    async def __aenter__(self) -> Self:
        await self.start_centre()
        url = f"ws://127.0.0.1:{self._port}/api/v1/link"
        self._files = write_lot(DemoLot(folder=self.folder / "lot", broker_port=9, cloud_url=url))
        invite = lotgate("cloud", "gateways", "invite", "--lot", self.files.lot_id)
        code = await run_once("invite", invite, self._environment(), self.folder / "invite.log")
        enrol = lotgate("edge", "enrol", "--config", str(self.files.lot_toml), "--code", code)
        await run_once("enrol", enrol, {}, self.folder / "enrol.log")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in (self._agent, self._centre):
            if program is not None:
                await program.stop()

    async def start_centre(self, failpoint: str = "") -> None:
        port_file = self.folder / "cloud.port"
        port_file.unlink(missing_ok=True)
        command = lotgate("cloud", "serve", "--port", self._port, "--port-file", str(port_file))
        environment = {**self._environment(), FAILPOINT: failpoint}
        self._centre = Program(
            name="centre", command=command, environment=environment, log=self.folder / "centre.log"
        )
        await self._centre.start()
        self._port = await self._centre.wait_for_file(port_file, WITHIN_S)

    async def stop_centre(self) -> None:
        assert self._centre is not None
        await self._centre.stop()

    async def start_agent(self, failpoint: str = "", *, serving: bool = True) -> None:
        self.files.api_port_file.unlink(missing_ok=True)
        command = lotgate("edge", "run", "--config", str(self.files.lot_toml))
        self._agent = Program(
            name="agent", command=command, environment={FAILPOINT: failpoint}, log=self.folder / "agent.log"
        )
        await self._agent.start()
        if serving:
            await self._agent.wait_for_file(self.files.api_port_file, WITHIN_S)

    async def dies(self, who: str) -> None:
        """Wait for a death by the failpoint that was armed: it was reached."""
        program = self._agent if who == "agent" else self._centre
        assert program is not None
        await program.ended()
        assert program.status == -signal.SIGKILL, program.obituary()
        self.deaths.append(who)

    async def call_help(self) -> None:
        """Let five lanes call a person: five facts."""
        port = self.files.api_port_file.read_text().strip()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/api/v1/lanes", timeout=WITHIN_S
        ) as api:
            for lane in LANES:
                headers = {"Authorization": f"Bearer {self.files.tokens[f'kiosk-{lane}']}"}
                answer = await api.post(f"/{lane}/help", headers=headers)
                assert answer.status_code == 202, answer.text

    async def set_share(self, percent: str) -> None:
        """From now on the centre is to own this much of the regular places."""
        command = lotgate(
            "cloud", "share", "--lot", self.files.lot_id, "--type", "regular", "--percent", percent
        )
        await run_once("share", command, self._environment(), self.folder / "share.log")

    async def stop_agent(self) -> None:
        assert self._agent is not None
        await self._agent.stop()

    async def settle(self) -> None:
        """Wait until the centre has all that the gateway has on record, and nothing more comes."""
        seen, last = -1, self._last_seq()
        async with GatewayWatch(self.database_url, self.files.lot_id) as watch:
            while seen != last:
                seen = last
                await watch.wait_until(lambda state, last=last: state.acknowledged_seq >= last, WITHIN_S)  # type: ignore[misc]  # bound now
                await asyncio.sleep(QUIET_S)
                last = self._last_seq()

    def _last_seq(self) -> int:
        return read_edge(self.ledger).log[-1].seq

    def assert_one_system(self) -> None:
        """Every row of the gateway's log is at the centre once, and every document is in the gateway once."""
        edge, centre = read_edge(self.ledger), read_cloud(self.database_url, self.files.lot_id)
        differences = log_differences(edge.log, centre.inbox)
        assert (differences.lost, differences.duplicated) == (0, 0)
        assert len(centre.inbox) == len(edge.log)
        assert centre.outcomes.get("quarantined", 0) == 0
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as connection:
            count, last = connection.execute("SELECT count(*), max(n) FROM documents").fetchone()
        assert count == last >= 2, "the keys and the centre's share, and nothing twice"

    def _environment(self) -> dict[str, str]:
        return {
            "LOTGATE_CLOUD_DATABASE_URL": self.database_url,
            "LOTGATE_CLOUD_KEY_FILE": str(self.folder / "cloud.key"),
            "LOTGATE_CLOUD_POOL_MIN": "1",
            "LOTGATE_CLOUD_POOL_MAX": "4",
        }
