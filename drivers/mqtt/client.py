"""Spot sensors and gateways over MQTT. Story "stuck sensor", next file: drivers/mqtt/network_server.py. What
is spoken over it: drivers/mqtt/dialect.py.

Theory. The broker keeps a message until we acknowledge it, and we acknowledge only when every reading that it carried is
durable (`Sink.deliver`). The session is persistent (QoS 1, our own identifier, no clean start), so what was published
while we were away, and what was not acknowledged when we died, comes again at the next connection. Acknowledgements
leave in the order of arrival (MQTT 5.0, MQTT-4.6.0-2): a message that is durable waits for those before it.
ReceiveMaximum bounds what may be unacknowledged, and with it every queue here: a store that is slow makes the broker
wait, nothing is dropped. Messages of QoS 0 obey no such bound; beyond `UNASKED_LIMIT` they are counted and left.

A malformed message is a reading too (`MalformedReading`): kept, and then acknowledged, or it would come for ever. So is a
message in whose translation this driver died: the next run keeps it undecoded and goes on.

That the broker lives is proved by subscribing again: a round trip through its own code, which needs no right that we do
not have anyhow. An answer that does not come ends the run.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import Field, model_validator

from drivers.errors import (
    CommandRefused,
    CommandUnanswered,
    DeviceUnreachable,
    DriverMisconfigured,
    MalformedInput,
)
from drivers.mqtt.acknowledger import Acknowledger
from drivers.mqtt.dialect import Answer, Dialect, Heard, Saying
from drivers.ports import Command, Done, MalformedReading, Sink
from drivers.settings import DriverSettings

RAW_LIMIT = 4096
UNASKED_LIMIT = 1_000
POISON_LIMIT = 100


class ConnectionSettings(DriverSettings):
    """How to reach the broker, and what to listen to."""

    host: str = Field(default="127.0.0.1", min_length=1, description="the broker's host name or address")
    port: int = Field(
        default=1883, ge=1, le=65_535, description="the broker's port, usually 1883, with TLS 8883"
    )
    topics: tuple[str, ...] = Field(
        min_length=1, description='topic filters, such as ["application/+/device/+/event/up"]'
    )
    identifier: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="our name at the broker, the same at each start and unique",
    )
    user: str | None = Field(default=None, description="the broker's user, with password_file")
    password_file: Path | None = Field(
        default=None, description="a file that holds the password in its first line"
    )
    ca_file: Path | None = Field(
        default=None, description="a PEM file with the broker's authority; switches TLS on"
    )
    certificate_file: Path | None = Field(
        default=None, description="a PEM file with our certificate, with key_file"
    )
    key_file: Path | None = Field(default=None, description="a PEM file with our key, with certificate_file")
    session_days: int = Field(
        default=14, ge=1, le=365, description="days for which the broker keeps messages for us"
    )
    in_flight: int = Field(
        default=100, ge=1, le=65_535, description="messages that may wait for their acknowledgement"
    )
    answer_s: float = Field(
        default=5.0, gt=0, le=60, description="seconds that the broker may take to answer"
    )
    alive_every_s: float = Field(
        default=15.0, gt=0, le=600, description="seconds between two proofs that it lives"
    )

    @model_validator(mode="after")
    def _pairs_are_complete(self) -> ConnectionSettings:
        if (self.user is None) is not (self.password_file is None):
            raise ValueError("user and password_file belong together")
        if (self.certificate_file is None) is not (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        return self


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """The client library's queue. It is never full for a message that must be acknowledged."""

    left_out = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos == 0 and self.qsize() >= UNASKED_LIMIT:
            self.left_out += 1
            return
        super().put_nowait(item)


class ManualClient(aiomqtt.Client):
    """An aiomqtt client that acknowledges when it is told to.

    aiomqtt has no switch for it; the paho client under it has (pinned: docs/adr).
    """

    def __init__(self, settings: ConnectionSettings, identifier: str, *, will: Saying | None = None) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho annotates only half
        properties.SessionExpiryInterval = settings.session_days * 86_400
        properties.ReceiveMaximum = settings.in_flight
        super().__init__(
            settings.host,
            settings.port,
            identifier=identifier,
            username=settings.user,
            password=_first_line(settings.password_file),
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            queue_type=_Inbox,
            timeout=settings.answer_s,
            keepalive=30,
            tls_context=_tls(settings),
            will=None if will is None else aiomqtt.Will(will.topic, will.body, will.qos, will.retain),
        )
        self._client.manual_ack_set(True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave, and look at why the connection ended: aiomqtt does so only while it waits for a message."""
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            if self._disconnected.done() and not self._disconnected.cancelled():
                self._disconnected.exception()

    def take_left_out(self) -> int:
        """Return how many messages of QoS 0 were left out, because too many waited, since this was asked last."""
        if not isinstance(self._queue, _Inbox):
            return 0
        left_out, self._queue.left_out = self._queue.left_out, 0
        return left_out

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that a message is durable; a connection that is gone brings it again."""
        self._client.ack(message.mid, message.qos)


def _first_line(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError as refused:
        raise DriverMisconfigured(
            "password_file", str(refused), "name a file that the agent may read"
        ) from refused


def _tls(settings: ConnectionSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as refused:  # SSLError is one
        raise DriverMisconfigured(
            "ca_file", str(refused), "name PEM files that the agent may read"
        ) from refused
    return context


class MqttSource:
    """The driver of one broker connection, over which `dialect` is spoken."""

    def __init__(self, name: str, settings: ConnectionSettings, dialect: Dialect) -> None:
        self._name = name
        self._settings = settings
        self._dialect = dialect
        self._topics = (*settings.topics, *dialect.topics)
        self._retained: int = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        if dialect.wants_retained:
            self._retained = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        self._hearing: bytes | None = None
        self._poison: deque[bytes] = deque(maxlen=POISON_LIMIT)
        self._client: ManualClient | None = None
        self._orders: dict[str, asyncio.Future[Answer]] = {}

    async def run(self, sink: Sink) -> None:
        """Connect, listen and acknowledge until cancelled, see `Driver.run`."""
        if self._hearing is not None:
            self._poison.append(self._hearing)
            self._hearing = None
        identifier = self._settings.identifier or f"lotgate-{self._name}"
        try:
            async with ManualClient(self._settings, identifier, will=self._dialect.will()) as client:
                await self._subscribe(client, self._retained)
                await _say(client, self._dialect.greeting())
                sink.alive()
                await self._converse(client, sink)
        except aiomqtt.MqttError as lost:
            raise DeviceUnreachable(f"broker {self._settings.host}:{self._settings.port}: {lost}") from lost

    async def command(self, command: Command, *, timeout_s: float) -> Done:
        """Publish an order and wait for the message that answers it, see `Driver.command`."""
        order = self._dialect.order(command)
        if self._client is None:
            raise DeviceUnreachable(f"broker {self._settings.host}:{self._settings.port}: not connected")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._orders[order.key] = answered
        try:
            async with asyncio.timeout(timeout_s):
                await _say(self._client, (order.saying,))
                answer = await answered
        except (TimeoutError, aiomqtt.MqttError) as silence:
            raise CommandUnanswered(f"no answer to {order.key} within {timeout_s} s") from silence
        finally:
            del self._orders[order.key]
        if answer.refused is not None:
            raise CommandRefused(answer.refused)
        return Done(reference=order.key)

    async def _converse(self, client: ManualClient, sink: Sink) -> None:
        self._client = client
        try:
            await _first_to_end(self._listen(client, sink), self._prove_life(client, sink))
        except asyncio.CancelledError:
            with suppress(aiomqtt.MqttError):  # a broker that is gone has said our will
                await _say(client, self._dialect.farewell())
            raise
        finally:
            self._client = None

    async def _subscribe(self, client: ManualClient, retain_handling: int) -> None:
        options = SubscribeOptions(qos=1, retainHandling=retain_handling)
        answers = await client.subscribe([(topic, options) for topic in self._topics])
        for topic, answer in zip(self._topics, answers, strict=True):
            if isinstance(answer, ReasonCode) and answer.is_failure:
                raise DeviceUnreachable(f"the broker refuses topic {topic}: {answer}")

    async def _prove_life(self, client: ManualClient, sink: Sink) -> None:
        while True:
            await asyncio.sleep(self._settings.alive_every_s)
            await self._subscribe(client, SubscribeOptions.RETAIN_DO_NOT_SEND)
            sink.alive()
            left_out = client.take_left_out()
            if left_out:
                problem = f"{left_out} of QoS 0 were left out, publish with QoS 1"
                sink.deliver(MalformedReading(device=self._name, field="messages", problem=problem, raw=b""))

    async def _listen(self, client: ManualClient, sink: Sink) -> None:
        acknowledger = Acknowledger(client.acknowledge)
        try:
            async for message in client.messages:
                heard = self._hear(str(message.topic), bytes(message.payload), retained=message.retain)
                acknowledger.arrived(message, [sink.deliver(reading) for reading in heard.readings])
                self._settle(heard.answers)
                await _say(client, heard.replies)
        finally:
            acknowledger.close()

    def _hear(self, topic: str, body: bytes, *, retained: bool) -> Heard:
        fingerprint = hashlib.blake2b(topic.encode() + b"\0" + body, digest_size=16).digest()
        if fingerprint in self._poison:
            return _malformed(topic, body, MalformedInput("payload", "its decoder failed; kept undecoded"))
        self._hearing = fingerprint  # stays where a decoder fails in a way of its own: `run` finds it
        try:
            heard = self._dialect.hear(topic, body, retained=retained)
        except MalformedInput as wrong:
            heard = _malformed(topic, body, wrong)
        self._hearing = None
        return heard

    def _settle(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            waiting = self._orders.get(answer.key)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)


async def _say(client: ManualClient, sayings: Sequence[Saying]) -> None:
    for saying in sayings:
        await client.publish(saying.topic, saying.body, qos=saying.qos, retain=saying.retain)


def _malformed(topic: str, body: bytes, wrong: MalformedInput) -> Heard:
    reading = MalformedReading(device=topic, field=wrong.field, problem=wrong.problem, raw=body[:RAW_LIMIT])
    return Heard(readings=(reading,))


async def _first_to_end(*parts: Coroutine[None, None, None]) -> None:
    """Run the parts side by side until one ends, end the others, and fail as that one failed."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
