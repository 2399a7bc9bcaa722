"""`lotgate edge enrol`: a unit makes its own key and introduces it to the centre with a one-time code.

The key never leaves the unit; the centre gets its public half. Beside the key, outside the ledger, stands who the unit is from then on (the
same name with the ending `.json`): a restored or emptied ledger cannot change it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from edge.centre_tls import centre_context, judge_dates
from edge.errors import CertificateOutOfDate, EdgeError
from edge.lot_reading import read_settings_file
from parking.ids import GatewayId, LotId
from sync.errors import MalformedFrame
from sync.fields import Fields, integer, text
from sync.keys import PUBLIC_BYTES, SigningKey

ENROL_PATH = "/api/v1/gateways/enrol"
TIMEOUT_S = 30.0
LONGEST_ANSWER_BYTES = 65_536


class EnrolmentFailed(EdgeError):
    """The unit is not enrolled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who this unit is, and whose: what the centre answered."""

    gateway: GatewayId
    lot: LotId
    epoch: int
    cloud: str
    cloud_public_key: bytes

    @staticmethod
    def path(key_file: Path) -> Path:
        """Where the enrolment of the unit with this key stands."""
        return key_file.with_suffix(".json")

    @classmethod
    def read(cls, key_file: Path) -> Enrolment | None:
        """The enrolment beside a key, None where the unit is not enrolled.

        Raises:
            EnrolmentFailed: the file is there and cannot be understood.
        """
        path = cls.path(key_file)
        try:
            return _enrolment(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, MalformedFrame) as error:
            raise EnrolmentFailed(f"{path}: {error}; enrol this unit again") from error

    def write(self, key_file: Path) -> None:
        """Keep it beside the key; an older one is replaced as a whole."""
        path = self.path(key_file)
        row = {
            "gateway": self.gateway,
            "lot": self.lot,
            "epoch": self.epoch,
            "cloud": self.cloud,
            "cloud_public_key": base64.b64encode(self.cloud_public_key).decode(),
        }
        written = path.with_suffix(".json.new")
        with written.open("w", encoding="utf-8") as file:
            json.dump(row, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        written.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def enrol(config: Path, environment: Mapping[str, str], *, code: str, url: str | None) -> int:
    """Enrol the unit of a lot's TOML; the exit status 0. `url` is the centre where it is not that of [cloud].

    Raises:
        SettingsRefused: the TOML cannot be read.
        EnrolmentFailed: there is no centre, it cannot be reached, it refuses the code, or it speaks of another lot.
        LocalError: the key file is there and is not a key that only its owner reads.
    """
    settings = read_settings_file(config, environment)
    centre = url or (settings.cloud.url if settings.cloud else None)
    if centre is None:
        raise EnrolmentFailed(f"{config}: no [cloud] url; write it, or give --url")
    key = SigningKey.read_or_make(settings.key_file)
    enrolment = ask(centre, code=code, public_key=key.public)
    if enrolment.lot != settings.lot.id:
        raise EnrolmentFailed(
            f"the code is for lot {enrolment.lot}, {config} describes {settings.lot.id}; ask for a code of this lot"
        )
    enrolment.write(settings.key_file)
    sys.stdout.write(f"enrolled as {enrolment.gateway} of {enrolment.cloud}, epoch {enrolment.epoch}\n")
    return 0


def ask(centre: str, *, code: str, public_key: bytes) -> Enrolment:
    """Send the code and the public key to the centre at `centre` (ws, wss, http or https; its path does not matter).

    Raises:
        EnrolmentFailed: it cannot be reached, refuses, or answers what cannot be understood.
    """
    address = urlsplit(centre)
    body = json.dumps({"code": code, "public_key": base64.b64encode(public_key).decode()})
    connection = _connection(address, centre)
    try:
        connection.connect()
        if isinstance(connection.sock, ssl.SSLSocket):
            judge_dates(connection.sock.getpeercert(), None)
        connection.request("POST", ENROL_PATH, body, {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            content = answer.read(LONGEST_ANSWER_BYTES)
    except (OSError, HTTPException, CertificateOutOfDate) as error:
        raise EnrolmentFailed(f"{address.netloc} cannot be reached: {error}") from error
    finally:
        connection.close()
    if answer.status not in {200, 201}:
        raise EnrolmentFailed(f"{address.netloc} refuses ({answer.status}): {_reason(content)}")
    try:
        return _enrolment(json.loads(content))
    except (ValueError, MalformedFrame) as error:
        raise EnrolmentFailed(f"{address.netloc} answers what we do not understand: {error}") from error


def _connection(address: SplitResult, centre: str) -> HTTPConnection:
    if not address.hostname:
        raise EnrolmentFailed(f"{centre!r} names no host; write it as wss://host/api/v1/link")
    match address.scheme:
        case "ws" | "http":
            return HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_S)
        case "wss" | "https":
            return HTTPSConnection(
                address.hostname, address.port, timeout=TIMEOUT_S, context=centre_context()
            )
        case other:
            raise EnrolmentFailed(f"{centre!r}: {other!r} is not ws, wss, http or https")


def _enrolment(answer: object) -> Enrolment:
    fields = Fields(answer, "enrolment")
    try:
        public_key = base64.b64decode(fields.take("cloud_public_key", text(64)), validate=True)
    except binascii.Error as error:
        raise MalformedFrame("enrolment.cloud_public_key", "is not base64") from error
    if len(public_key) != PUBLIC_BYTES:
        raise MalformedFrame("enrolment.cloud_public_key", f"must have {PUBLIC_BYTES} bytes")
    return Enrolment(
        gateway=GatewayId(fields.take("gateway", text(64, shortest=1))),
        lot=LotId(fields.take("lot", text(36, shortest=36))),
        epoch=fields.take("epoch", integer(0, 2**31 - 1)),
        cloud=fields.take("cloud", text(100, shortest=1)),
        cloud_public_key=public_key,
    )


def _reason(content: bytes) -> str:
    """The sentence of an RFC 9457 problem, or the beginning of what came instead."""
    try:
        problem = json.loads(content)
    except ValueError:
        return content[:200].decode(errors="replace")
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem)
    return str(problem)
