"""Starts the agent again whenever it dies by a kill or at a failpoint, as systemd does on a gateway; any other end of it is a failure of the demo."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulators.programs import Program, ProgramEnded

FAILPOINT = "LOTGATE_FAILPOINT"
AGAIN_S = 0.1


@dataclass(slots=True, kw_only=True)
class AgentKeeper:
    """Keeps `agent` running from `run` on. `failpoints` has one for each of its first lives; `port_file` appears when it serves.

    `told` hears of each death and each return with the seconds that it took (None: it died).
    """

    agent: Program
    port_file: Path
    failpoints: Sequence[str]
    start_s: float
    told: Callable[[float | None], None] = lambda _: None
    kills: int = 0
    _lives: int = 0
    _serves: asyncio.Event = field(default_factory=asyncio.Event)

    async def serves(self) -> None:
        """Wait until the agent serves."""
        await self._serves.wait()

    async def kill(self) -> None:
        """Kill it with -9 and wait until it serves again."""
        self._serves.clear()
        await self.agent.kill()
        await self.serves()

    async def run(self) -> None:
        """Keep it running for ever.

        Raises:
            ProgramEnded: it ended in another way than by SIGKILL, or did not come to serve.
        """
        while True:
            began_s = time.monotonic()
            self.port_file.unlink(missing_ok=True)
            await self.agent.start({FAILPOINT: self._failpoint()})
            self._lives += 1
            try:
                await self.agent.wait_for_file(self.port_file, self.start_s)
            except ProgramEnded:
                if self.agent.status != -signal.SIGKILL:
                    raise
            else:
                self._serves.set()
                self.told(time.monotonic() - began_s)
                await self.agent.ended()
            if self.agent.status != -signal.SIGKILL:
                raise ProgramEnded(self.agent.obituary())
            self._serves.clear()
            self.kills += 1
            self.told(None)
            await asyncio.sleep(AGAIN_S)

    def _failpoint(self) -> str:
        return self.failpoints[self._lives] if self._lives < len(self.failpoints) else ""
