"""People who book at a kiosk, out of the lot's own spots, over the lot's own API: choose, pay at the lane's terminal, get a ticket.

What each was told goes on record (simulators/record.py):

    kiosk_answered  lane reservation type status reason     status: sold, declined, refused, unknown, or the HTTP status of the refusal
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from parking.lot import SpotType
from simulators.record import Record

ANSWER_S = 10.0
PAYS_S = 15.0
LOOK_EVERY_S = 0.1
SOLD = "sold"


class KioskBuyers:
    """The lot's kiosks that have a terminal, by lane; `tokens` are those of the kiosks."""

    def __init__(self, port_file: Path, tokens: Mapping[str, str], record: Record) -> None:
        self.lanes = tuple(sorted(tokens))
        self._port_file = port_file
        self._tokens = tokens
        self._record = record

    async def book(self, lane: str, kind: SpotType, starts_at: datetime, lasts: timedelta) -> str:
        """Book at a lane's kiosk; why not, "" where it is sold. An agent that is down sells nothing."""
        asked = {
            "type": kind.value,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + lasts).isoformat(),
        }
        try:
            told = await self._sold(lane, asked)
        except (httpx.TransportError, OSError, ValueError) as error:
            told = {"state": "unknown", "reason": type(error).__name__}
        status, reason = str(told["state"]), str(told.get("reason") or "")
        self._record.note(
            "kiosk_answered",
            lane=lane,
            reservation=told.get("id"),
            type=kind.value,
            status=status,
            reason=reason,
        )
        return "" if status == SOLD else reason or status

    async def _sold(self, lane: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
        base = f"http://127.0.0.1:{int(self._port_file.read_text(encoding='utf-8'))}"
        path = f"/api/v1/lanes/{lane}/bookings"
        headers = {"Authorization": f"Bearer {self._tokens[lane]}"}
        async with httpx.AsyncClient(base_url=base, timeout=ANSWER_S, headers=headers) as client:
            answer = await client.post(path, json=asked)
            told: Mapping[str, Any] = answer.json()
            if not answer.is_success:
                return {"state": answer.status_code, "reason": told.get("reason") or told.get("code")}
            until_s = time.monotonic() + PAYS_S
            while told["state"] == "paying" and time.monotonic() < until_s:
                await asyncio.sleep(LOOK_EVERY_S)
                told = (await client.get(f"{path}/{told['id']}")).json()
            return told
