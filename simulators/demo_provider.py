"""The demo's payment provider: `python -m simulators.payment_provider` as a process of its own, to which the centre and the drivers talk over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx

from simulators.programs import Program

ANSWER_S = 30.0


class DemoProvider:
    """Started before the centre, which is told of it by its environment."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.base = ""
        self._folder = folder
        self._seed = seed
        self._key = f"sk_test_{token_hex(8)}"
        self._webhooks = f"whsec_{token_hex(8)}"
        self._program: Program | None = None

    @property
    def for_centre(self) -> dict[str, str]:
        """What the centre's environment says of it; nothing while it does not run."""
        if not self.base:
            return {}
        return {
            "LOTGATE_CLOUD_STRIPE_KEY": self._key,
            "LOTGATE_CLOUD_STRIPE_BASE": self.base,
            "LOTGATE_CLOUD_STRIPE_WEBHOOK_SECRET": self._webhooks,
        }

    async def start(self, environment: Mapping[str, str], within_s: float) -> None:
        """Start it on a free port.

        Raises:
            ProgramEnded: it does not serve in `within_s` seconds.
        """
        port_file = self._folder / "provider.port"
        command = [sys.executable, "-m", "simulators.payment_provider", "--port", "0"]
        command += ["--port-file", str(port_file), "--seed", str(self._seed), "--api-key", self._key]
        command += ["--record", str(self._folder / "payments.jsonl")]
        self._program = Program(
            name="provider",
            command=command,
            environment=environment,
            log=self._folder / "provider.log",
        )
        await self._program.start()
        self.base = f"http://127.0.0.1:{int(await self._program.wait_for_file(port_file, within_s))}"

    async def stop(self) -> None:
        """End it."""
        if self._program is not None:
            await self._program.stop()

    async def fail_when_it_ends(self) -> None:
        """Watch over it.

        Raises:
            ProgramEnded: it ended.
        """
        if self._program is not None:
            await self._program.fail_when_it_ends()

    async def tell_centre(self, centre: str) -> None:
        """Webhooks go to the centre from now on."""
        url = f"{centre}/api/v1/payments/webhook"
        await self._post("/control/orders", {"do": "webhook", "url": url, "secret": self._webhooks})

    async def intents(self) -> list[Mapping[str, Any]]:
        """Its own books, once no webhook is under way any more."""
        await self._post("/control/settled", {})
        async with httpx.AsyncClient(base_url=self.base, timeout=ANSWER_S) as client:
            answer = await client.get("/control/intents")
        answer.raise_for_status()
        books: list[Mapping[str, Any]] = answer.json()
        return books

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        async with httpx.AsyncClient(base_url=self.base, timeout=ANSWER_S) as client:
            (await client.post(path, json=body)).raise_for_status()
