"""The whole seam as real processes: two processes of the centre, the agent of a small lot, the line between them, a payment provider.

The provider is a process too, whose books outlive it, behind a line of its own: cut, it is gone for the centre alone. The agent
dials the line, which leads to one process of the centre or the other, as a balancer would. Whoever uses a `Town` kills what it holds; what
buyers and cars do meanwhile is in tests/proof/rivals.py, what must hold afterwards in tests/proof/town_books.py.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx

from cloud.bootstrap import build_cloud
from cloud.settings import CloudSettings
from parking.tariff_document import parse_tariff
from simulators.network import Line
from simulators.programs import Program, lotgate, run_once
from tests.integration.cloud.conftest import STAFF
from tests.integration.edge.agent_site import LOT_ID, Site, site_at
from tests.proof.provider_process import ProviderProcess, provider_process

FAILPOINT = "LOTGATE_FAILPOINT"
WITHIN_S = 60.0
WEBHOOK_SECRET = "whsec_of_the_town"
TARIFF = """\
id = "site"
version = {version}
currency = "GBP"
timezone = "Europe/London"
free_min = 60
after_free = "charged_from_entry"

[[rate]]
label = "Parking"
price = "3.00"
per_min = 60
"""


@dataclass(slots=True, kw_only=True)
class Town:
    """All of it. `centres` are the centre's processes by name; `lead` is the one that the line leads to."""

    folder: Path
    database_url: str
    provider: ProviderProcess
    money: Line
    centres: Mapping[str, Program]
    ports: Mapping[str, int]
    line: Line
    site: Site
    web: httpx.AsyncClient
    lead: str = "a"
    deaths: list[str] = field(default_factory=list)
    armed: dict[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def base(self, name: str) -> str:
        """Where a process of the centre serves."""
        return f"http://127.0.0.1:{self.ports[name]}"

    # Lives and deaths

    async def start_centre(self, name: str, failpoint: str = "") -> None:
        port_file = self.folder / f"centre-{name}.port"
        port_file.unlink(missing_ok=True)
        centre, self.armed[name] = self.centres[name], failpoint
        await centre.start({FAILPOINT: failpoint})
        await centre.wait_for_file(port_file, WITHIN_S)

    async def start_agent(self, failpoint: str = "", *, serving: bool = True) -> None:
        """Start it beside whatever stands at its lanes. `serving` False: it may die before it serves."""
        port_file = self.folder / "api.port"
        port_file.unlink(missing_ok=True)
        self.armed["agent"] = failpoint
        await self.site.agent.start({FAILPOINT: failpoint, "NOTIFY_SOCKET": ""})
        if serving:
            await self.find_agent()

    async def find_agent(self) -> None:
        """Wait until the agent's screens answer.

        Raises:
            ProgramEnded: it died first.
        """
        port = await self.site.agent.wait_for_file(self.folder / "api.port", WITHIN_S)
        self.site.api.base_url = httpx.URL(f"http://127.0.0.1:{port}")

    async def dies(self, who: str, within_s: float = WITHIN_S) -> None:
        """Wait for the death by the failpoint that was armed: so it was reached."""
        program = self.site.agent if who == "agent" else self.centres[who]
        try:
            async with asyncio.timeout(within_s):
                await program.ended()
        except TimeoutError:
            raise AssertionError(f"{who} never came to {self.armed[who]}; {program.obituary()}") from None
        assert program.status == -signal.SIGKILL, program.obituary()
        self.deaths.append(self.armed[who])

    def lead_to(self, name: str) -> None:
        """Let the balancer send the lot to this process from now on."""
        self.lead = name
        self.line.lead_to("127.0.0.1", self.ports[name])

    async def ask(self, centre: str, method: str, path: str, **request: object) -> httpx.Response:
        """One request of a driver's browser to one process of the centre."""
        headers = {"Authorization": f"Bearer {STAFF}"}
        given = request.pop("headers", {})
        assert isinstance(given, dict)
        return await self.web.request(
            method,
            f"{self.base(centre)}/api/v1{path}",
            headers={**headers, **given},
            **request,  # type: ignore[arg-type]  # json alone
        )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def town_at(folder: Path, database_url: str, *, spots: int = 4) -> AsyncIterator[Town]:
    """Everything at work and the lot's link up; nothing is left running."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(provider_process(folder, free_port()))
        money = Line("127.0.0.1", provider.port)
        await money.start()
        stack.push_async_callback(money.stop)
        ports = {name: free_port() for name in ("a", "b")}
        line = Line("127.0.0.1", ports["a"])
        await line.start()
        stack.push_async_callback(line.stop)
        url = f"ws://127.0.0.1:{line.port}/api/v1/link"
        site = await stack.enter_async_context(
            site_at(folder, spots=f"1-{spots}", cloud_url=url, tariff=TARIFF.format(version=1), start=False)
        )
        town = Town(
            folder=folder,
            database_url=database_url,
            provider=provider,
            money=money,
            centres={name: _centre(folder, database_url, name, ports[name], money.port) for name in ports},
            ports=ports,
            line=line,
            site=site,
            web=await stack.enter_async_context(httpx.AsyncClient(timeout=15.0, trust_env=False)),
        )
        for name, centre in town.centres.items():
            stack.push_async_callback(centre.stop)
            await town.start_centre(name)
        await provider.serves()
        await _open(town)
        yield town


def _centre(folder: Path, database_url: str, name: str, port: int, provider_port: int) -> Program:
    return Program(
        name=f"centre {name}",
        command=lotgate(
            "cloud", "serve", "--port", str(port), "--port-file", str(folder / f"centre-{name}.port")
        ),
        environment={
            "LOTGATE_CLOUD_DATABASE_URL": database_url,
            "LOTGATE_CLOUD_TOKENS": STAFF,
            "LOTGATE_CLOUD_KEY_FILE": str(folder / "cloud.key"),
            "LOTGATE_CLOUD_POOL_MIN": "1",
            "LOTGATE_CLOUD_POOL_MAX": "8",
            "LOTGATE_CLOUD_STRIPE_KEY": "sk_test_town",
            "LOTGATE_CLOUD_STRIPE_BASE": f"http://127.0.0.1:{provider_port}",
            "LOTGATE_CLOUD_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        },
        log=folder / f"centre-{name}.log",
    )


async def _open(town: Town) -> None:
    """The lot is enrolled and has its price; the provider knows where its webhooks go; the agent is on the line."""
    settings = CloudSettings(database_url=town.database_url, pool_min=1, pool_max=1)
    built = build_cloud(settings, {})
    async with built.database:
        code = await built.gateways.invite(UUID(LOT_ID))
        await built.gateways.put_tariff(
            UUID(LOT_ID),
            parse_tariff(tomllib.loads(TARIFF.format(version=2))),
            datetime.now(UTC) - timedelta(days=1),
        )
    enrol = lotgate("edge", "enrol", "--config", str(town.folder / "lot.toml"), "--code", code.strip())
    await run_once("enrol", enrol, {}, town.folder / "enrol.log")
    await town.provider.order(
        "webhook",
        url=f"{town.base('a')}/api/v1/payments/webhook",
        secret=WEBHOOK_SECRET,
        pause_s=1.0,
    )
    await town.start_agent()
