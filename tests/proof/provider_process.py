"""The payment provider as a process of its own that may be killed: its books are in a file, as a real one's outlive a server of it."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from simulators.programs import Program

WITHIN_S = 60.0
PAYS = {"Authorization": "Bearer pk_test_driver"}


@dataclass(slots=True, kw_only=True)
class ProviderProcess:
    """It keeps its port over its lives. `browser` is what drivers pay with."""

    port: int
    port_file: Path
    program: Program
    browser: httpx.AsyncClient

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.port_file.unlink(missing_ok=True)
        await self.program.start()

    async def serves(self) -> None:
        """Wait until it does."""
        await self.program.wait_for_file(self.port_file, WITHIN_S)

    async def kill(self) -> None:
        await self.program.kill()

    async def order(self, do: str, **fields: object) -> None:
        answer = await self.browser.post(f"{self.base}/control/orders", json={"do": do, **fields})
        answer.raise_for_status()

    async def pay(self, intent: str, secret: str, card: str = "pm_card_visa") -> None:
        """A driver's browser confirms; whoever wants to know what came of it looks at the truth.

        Raises:
            httpx.HTTPError: the provider is dead.
        """
        fields = {"client_secret": secret, "payment_method": card}
        await self.browser.post(f"{self.base}/v1/payment_intents/{intent}/confirm", data=fields, headers=PAYS)

    async def status(self, intent: str) -> str:
        """How an intent stands.

        Raises:
            httpx.HTTPError: the provider is dead.
        """
        answer = await self.browser.get(f"{self.base}/control/intents/{intent}")
        return str(answer.raise_for_status().json()["status"])

    def truths(self) -> dict[str, dict[str, Any]]:
        """What the provider itself has of each intent; it lives."""
        told = httpx.get(f"{self.base}/control/intents", timeout=WITHIN_S, trust_env=False).raise_for_status()
        return {
            one["id"]: {
                "received": one["amount_received"],
                "refunded": sum(back["amount"] for back in one["refunds"] if back["status"] != "failed"),
                "did": [each["did"] for each in one["history"]],
            }
            for one in told.json()
        }


@asynccontextmanager
async def provider_process(folder: Path, port: int) -> AsyncIterator[ProviderProcess]:
    """It is started, and may not serve yet."""
    port_file = folder / "provider.port"
    command = [
        sys.executable, "-m", "simulators.payment_provider", "--port", str(port), "--port-file", str(port_file),
        "--record", str(folder / "payments.jsonl"), "--books", str(folder / "provider.books"),
    ]  # fmt: skip
    program = Program(name="provider", command=command, environment={}, log=folder / "provider.log")
    trusts_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with httpx.AsyncClient(trust_env=False, verify=trusts_nobody, timeout=15.0) as browser:
        one = ProviderProcess(port=port, port_file=port_file, program=program, browser=browser)
        await one.start()
        try:
            yield one
        finally:
            await program.stop()
