"""The centre as a real process, and a gateway that speaks to it frame by frame."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from websockets.asyncio.client import ClientConnection, connect

from cloud.bootstrap import Cloud, build_cloud
from cloud.serving import serve
from cloud.settings import CloudSettings
from sync.chain import genesis
from sync.codec import decode, encode
from sync.instants import to_us
from sync.keys import SigningKey
from sync.layout import layout_body, layout_hash
from sync.messages import Challenge, Frame, Hello, Layout, LayoutAck, Page, PageAck, Welcome
from sync.session import hello_bytes
from tests.integration.cloud.conftest import LOT, NOON, STAFF, GatewayLog, lot_of

F = TypeVar("F", bound=Frame)
ANSWER_WITHIN_S = 60.0


@dataclass
class CloudProcess:
    """`lotgate cloud serve` on a free port."""

    database_url: str
    folder: Path
    failpoint: str = ""
    process: asyncio.subprocess.Process | None = None
    port: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LOTGATE_CLOUD_DATABASE_URL": self.database_url,
            "LOTGATE_CLOUD_TOKENS": STAFF,
            "LOTGATE_CLOUD_KEY_FILE": str(self.folder / "cloud.key"),
            "LOTGATE_CLOUD_POOL_MIN": "1",
            "LOTGATE_CLOUD_POOL_MAX": "8",
            "LOTGATE_FAILPOINT": self.failpoint,
        }

    async def start(self, port: int = 0) -> None:
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        with (self.folder / "cloud.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "lotgate", "cloud", "serve", "--port", str(port), "--port-file", str(port_file),
                env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while not port_file.exists():
                assert self.process.returncode is None, (self.folder / "cloud.log").read_text()
                await asyncio.sleep(0.02)
        self.port = int(port_file.read_text())

    async def ended(self) -> int:
        assert self.process is not None
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await self.process.wait()

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.ended()

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Another `lotgate cloud` command on the same database."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lotgate", "cloud", *arguments,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


@dataclass
class CloudHere:
    """The same in this process, on this loop: quicker to start, and it cannot be killed."""

    database_url: str
    folder: Path
    port: int = 0
    cloud: Cloud | None = None
    serving: asyncio.Task[None] | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, cloud: Cloud | None = None) -> None:
        settings = CloudSettings(
            database_url=self.database_url,
            tokens=STAFF,
            key_file=self.folder / "cloud.key",
            pool_min=1,
            pool_max=8,
        )
        self.cloud = cloud or build_cloud(settings, {})
        port_file = self.folder / "port"
        self.serving = asyncio.create_task(
            serve(self.cloud, host="127.0.0.1", port=0, port_file=port_file, stop=self.stop)
        )
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while not port_file.exists():
                assert not self.serving.done()
                await asyncio.sleep(0.01)
        self.port = int(port_file.read_text())

    async def end(self) -> None:
        assert self.serving is not None
        self.stop.set()
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await self.serving


async def invite(database_url: str) -> str:
    """A one-time code for the lot of these tests."""
    cloud = build_cloud(CloudSettings(database_url=database_url, pool_min=1, pool_max=1), {})
    async with cloud.database:
        return await cloud.gateways.invite(UUID(LOT))


@dataclass
class Gateway:
    """A gateway in the hand of a test."""

    key: SigningKey = field(default_factory=lambda: SigningKey.from_seed(bytes(range(1, 33))))
    id: str = ""
    epoch: int = 0
    cloud: str = ""
    document_n: int = 0
    log: GatewayLog = field(default_factory=lambda: GatewayLog(gateway="", epoch=0))
    acknowledged: PageAck | None = None
    welcome: Welcome | None = None
    socket: ClientConnection | None = None

    async def enrol(self, process: CloudProcess | CloudHere) -> None:
        code = await invite(process.database_url)
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"http://127.0.0.1:{process.port}/api/v1/gateways/enrol",
                json={"code": code.strip(), "public_key": base64.b64encode(self.key.public).decode()},
            )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        self.id, self.epoch, self.cloud = told["gateway"], told["epoch"], told["cloud"]
        self.log = GatewayLog(gateway=self.id, epoch=self.epoch)

    async def connect(self, process: CloudProcess | CloudHere, **changed: object) -> Frame:
        """Say hello (with `changed` fields); the answer."""
        self.socket = await connect(f"ws://127.0.0.1:{process.port}/api/v1/link", compression=None)
        challenge = await self.next(Challenge)
        at = self.acknowledged
        hello = Hello(
            gateway=self.id,
            epoch=self.epoch,
            boot="boot",
            protocol=1,
            last_seq=len(self.log.rows),
            acknowledged_seq=at.seq if at else 0,
            acknowledged_hash=at.hash if at else genesis(self.id, self.epoch),
            document_n=self.document_n,
            layout_hash=layout_hash(layout_body(lot_of())),
            time_us=to_us(NOON),
            clock_quality="synced",
            software="0.1.0",
            signature=b"",
        )
        hello = replace(hello, **changed)  # type: ignore[arg-type]  # a test changes any field
        signed = replace(hello, signature=self.key.sign(hello_bytes(challenge, hello)))
        await self.say(signed)
        answer = await self.any()
        self.welcome = answer if isinstance(answer, Welcome) else None
        return answer

    async def open(self, process: CloudProcess | CloudHere) -> Welcome:
        """Connect and lay the lot out where that is asked for."""
        await self.connect(process)
        assert self.welcome is not None
        body = layout_body(lot_of())
        if self.welcome.layout_hash != layout_hash(body):
            await self.say(
                Layout(epoch=self.epoch, session=self.welcome.session, hash=layout_hash(body), body=body)
            )
            await self.next(LayoutAck)
        return self.welcome

    def page(self, first: int, last: int) -> Page:
        assert self.welcome is not None
        return replace(self.log.page(first, last), session=self.welcome.session)

    async def send_page(self, first: int, last: int) -> PageAck:
        await self.say(self.page(first, last))
        self.acknowledged = await self.next(PageAck)
        return self.acknowledged

    async def say(self, frame: Frame) -> None:
        await self.say_bytes(encode(frame))

    async def say_bytes(self, data: bytes) -> None:
        assert self.socket is not None
        await self.socket.send(data)

    async def any(self) -> Frame:
        assert self.socket is not None
        async with asyncio.timeout(ANSWER_WITHIN_S):
            data = await self.socket.recv()
        assert isinstance(data, bytes)
        return decode(data)

    async def next(self, kind: type[F]) -> F:
        """The next frame of `kind`; documents may come in between."""
        while True:
            frame = await self.any()
            if isinstance(frame, kind):
                return frame
            assert type(frame).__name__ == "Document", f"{frame} came, {kind.__name__} was awaited"

    async def hang_up(self) -> None:
        if self.socket is not None:
            await self.socket.close()
