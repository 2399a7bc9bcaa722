"""The centre behind TLS, with a certificate authority of our own, seen by machines whose clocks are wrong."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from edge.centre_tls import BUILT_AT, centre_context, judge_dates
from edge.errors import CertificateOutOfDate
from edge.lot_clock import LotClock
from parking.trusted_time import EARLIEST_AT
from sync.instants import to_us
from tests.integration.edge.centre import Centre, listening
from tests.integration.edge.dark_lot import World
from tests.integration.edge.linked_unit import eventually, linked_unit
from tests.unit.sync.two_ends import GATEWAY, KEY

YEAR = timedelta(days=365)
TOMORROW_AT = datetime.now(UTC) + timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs what it is asked to; its own certificate is trusted."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(BUILT_AT - YEAR)
            .not_valid_after(BUILT_AT + 30 * YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(key, certificate)

    def signs(self, folder: Path, starts_at: datetime, ends_at: datetime) -> ssl.SSLContext:
        """A server's context with a certificate of 127.0.0.1 for these dates."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(Random(starts_at.isoformat()).getrandbits(64) + 2)
            .not_valid_before(starts_at)
            .not_valid_after(ends_at)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        pem = folder / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority.made(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@asynccontextmanager
async def centre(context: ssl.SSLContext) -> AsyncIterator[str]:
    async def answers(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(answers, "127.0.0.1", 0, ssl=context) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"wss://127.0.0.1:{port}"


def clock_at(shown: datetime, told: datetime | None = None) -> LotClock:
    """A machine whose civil clock shows this, and what the centre told it before, if it did."""
    world = World(true_at=shown)
    clock = LotClock(world.machine())
    if told is not None:
        clock.hear(to_us(told), 0.0)
    return clock


async def is_accepted(url: str, clock: LotClock | None) -> bool:
    async with connect(url, ssl=centre_context()) as connection:
        tls: ssl.SSLObject = connection.transport.get_extra_info("ssl_object")
        try:
            judge_dates(tls.getpeercert(), clock)
        except CertificateOutOfDate:
            return False
        await connection.send("hello")
        return await connection.recv() == "hello"


async def test_a_machine_before_the_certificates_begin_connects_where_plain_tls_does_not(
    authority: Authority, tmp_path: Path
) -> None:
    async with centre(authority.signs(tmp_path, TOMORROW_AT, TOMORROW_AT + YEAR)) as url:
        with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
            async with connect(url, ssl=ssl.create_default_context()):
                pass
        assert await is_accepted(url, clock_at(EARLIEST_AT))
        assert await is_accepted(url, None)
        assert not await is_accepted(url, clock_at(EARLIEST_AT, told=TOMORROW_AT - YEAR))


async def test_a_certificate_that_has_certainly_ended_is_refused_whatever_the_clock_shows(
    authority: Authority, tmp_path: Path
) -> None:
    async with centre(authority.signs(tmp_path, BUILT_AT - 2 * YEAR, BUILT_AT - YEAR)) as url:
        assert not await is_accepted(url, clock_at(EARLIEST_AT))
        assert not await is_accepted(url, None)
    async with centre(authority.signs(tmp_path, BUILT_AT - YEAR, BUILT_AT + YEAR)) as url:
        assert await is_accepted(url, clock_at(EARLIEST_AT))
        assert await is_accepted(url, clock_at(BUILT_AT + 9 * YEAR)), "nobody has told this clock"
        assert not await is_accepted(url, clock_at(EARLIEST_AT, told=BUILT_AT + 2 * YEAR))


async def test_a_link_comes_up_over_tls_in_1970_and_says_why_it_does_not(
    authority: Authority, tmp_path: Path
) -> None:
    good = authority.signs(tmp_path, TOMORROW_AT, TOMORROW_AT + YEAR)
    clock = clock_at(EARLIEST_AT)
    async with (
        listening(Centre(), good) as url,
        linked_unit(tmp_path / "a.sqlite", url, gateway=GATEWAY, key=KEY, lot_clock=clock) as unit,
    ):
        await eventually(lambda: unit.link.status.state == "up")
    ended = authority.signs(tmp_path, BUILT_AT - 2 * YEAR, BUILT_AT - YEAR)
    async with (
        listening(Centre(), ended) as url,
        linked_unit(tmp_path / "b.sqlite", url, gateway=GATEWAY, key=KEY) as unit,
    ):
        await eventually(lambda: unit.link.refused["certificate_out_of_date"] > 0)
        assert "ended on" in unit.link.status.problem


async def test_somebody_elses_certificate_is_refused_by_tls_itself(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = Authority.made(elsewhere)
    assert other.certificate != authority.certificate
    async with centre(other.signs(elsewhere, BUILT_AT, BUILT_AT + YEAR)) as url:
        with pytest.raises(ssl.SSLCertVerificationError):
            await is_accepted(url, clock_at(EARLIEST_AT))


def test_a_peer_without_a_certificate_is_refused() -> None:
    with pytest.raises(CertificateOutOfDate):
        judge_dates({}, None)


def test_the_software_was_made_before_today() -> None:
    assert datetime.now(UTC) >= BUILT_AT
