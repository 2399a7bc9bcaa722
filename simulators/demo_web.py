"""The web's part of the demo: who books, and what all sides have on record about it. Next file: simulators/web_traffic.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simulators.booking_evidence import BookingEvidence, read_bookings
from simulators.demo_programs import DemoPrograms
from simulators.demo_provider import DemoProvider
from simulators.demo_tasks import in_thread
from simulators.kiosk_buyers import KioskBuyers
from simulators.lot_files import LotFiles
from simulators.programs import Program
from simulators.record import Record, read_record
from simulators.system_clock import clock_on
from simulators.web_driver import Web
from simulators.web_traffic import Tell, WebNews, WebTraffic

SETTLE_S, LOOK_AGAIN_S = 60.0, 0.5


@dataclass(slots=True, kw_only=True)
class DemoWeb:
    """Nobody books where the plan says so; `lot_id` is known before any of this is asked."""

    programs: DemoPrograms
    provider: DemoProvider
    news: WebNews
    tell: Tell
    lot_id: str = ""
    _browsers: Web | None = None

    @property
    def errors(self) -> int:
        """How many answers to those who book were the centre's fault."""
        return 0 if self._browsers is None else self._browsers.errors

    @property
    def _record(self) -> Path:
        return self.programs.folder / "web.jsonl"

    @asynccontextmanager
    async def traffic(self, files: LotFiles, lot: Program, centre: str) -> AsyncIterator[WebTraffic | None]:
        """Who books on the web; None where nobody is to."""
        plan = self.programs.plan
        if not plan.bookings:
            yield None
            return
        clock = clock_on(self.programs.scale)
        with Record(self._record, clock) as record:
            web = self._browsers = Web(
                centre=centre,
                provider=self.provider.base,
                token=self.programs.token,
                lot=self.lot_id,
                record=record,
            )
            try:
                yield WebTraffic(
                    web=web,
                    kiosks=KioskBuyers(files.api_port_file, _kiosks_with_terminal(files), record),
                    lot=lot,
                    clock=clock,
                    seed=plan.seed,
                    seconds=plan.seconds,
                    news=self.news,
                    tell=self.tell,
                )
            finally:
                await web.close()

    async def settled(self, ledger: Path) -> None:
        """Wait until money has followed its booking; what does not settle in time is told in the report."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while True:
                    if (await self.evidence(ledger)).settled:
                        return
                    await asyncio.sleep(LOOK_AGAIN_S)

    async def evidence(self, ledger: Path) -> BookingEvidence:
        """What is on record now."""
        if not self.programs.plan.bookings:
            return BookingEvidence()
        intents = await self.provider.intents()
        return await in_thread(
            lambda: read_bookings(
                told=read_record(self._record),
                ledger=ledger,
                database_url=self.programs.centre_s_database,
                lot=self.lot_id,
                intents=intents,
            )
        )


def _kiosks_with_terminal(files: LotFiles) -> dict[str, str]:
    """The tokens of the exits' kiosks, by lane: the demo's terminals stand there."""
    return {
        name.removeprefix("kiosk-"): token
        for name, token in files.tokens.items()
        if name.startswith("kiosk-exit")
    }
