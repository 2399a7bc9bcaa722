"""A broker that wants a certificate from whoever listens."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drivers.errors import DeviceUnreachable
from simulators.broker import Broker
from tests.contract.drivers.ears import Ears
from tests.contract.drivers.rigs import MqttRig

YEAR = timedelta(days=365)


class Authority:
    """A certificate authority for one test, with one certificate for the broker and one for us."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self._write("ca", self._name, self._key, constraints)
        for name in ("broker", "agent"):
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            key = ec.generate_private_key(ec.SECP256R1())
            self._write(name, subject, key, x509.BasicConstraints(ca=False, path_length=None))

    def _write(
        self,
        name: str,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        constraints: x509.BasicConstraints,
    ) -> None:
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - YEAR)
            .not_valid_after(now + YEAR)
            .add_extension(constraints, critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / f"{name}.key").write_bytes(secret)


@pytest.fixture
def closed_broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Authority(folder)
        lines = [f"cafile {folder}/ca.pem", f"certfile {folder}/broker.pem", f"keyfile {folder}/broker.key"]
        broker = Broker(folder, extra=[*lines, "require_certificate true", "use_identity_as_username true"])
        broker.start()
        yield broker
        broker.stop()


def certificates(broker: Broker, *names: str) -> dict[str, object]:
    folder = broker.log.parent
    files = {"ca_file": "ca.pem", "certificate_file": "agent.pem", "key_file": "agent.key"}
    return {name: str(folder / files[name]) for name in names}


async def test_with_our_certificate_the_broker_lets_us_listen(closed_broker: Broker) -> None:
    rig = MqttRig(closed_broker, **certificates(closed_broker, "ca_file", "certificate_file", "key_file"))
    ears = Ears()
    task = asyncio.create_task(rig.driver.run(ears))
    await ears.until(lambda: ears.alive_count > 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("names", [(), ("ca_file",)])
async def test_without_it_the_broker_is_unreachable_and_the_driver_says_so(
    closed_broker: Broker, names: tuple[str, ...]
) -> None:
    rig = MqttRig(closed_broker, answer_s=0.5, **certificates(closed_broker, *names))
    with pytest.raises(DeviceUnreachable):
        await asyncio.wait_for(rig.driver.run(Ears()), 5)
