"""`lotgate edge recount`: a person's count of the cars, said to the running agent over its local API. Next file: edge/api/recount_endpoints.py.

The agent is the only writer of the ledger, so it must run. Who asks shows the token of a staff device ([[devices]] of lot.toml), which the file knows by
its hash only: it comes from LOTGATE_STAFF_TOKEN, or is the only line of a file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from edge.errors import EdgeError
from edge.lot_reading import read_settings_file
from edge.settings import ApiSettings
from parking.lot import SpotType

RECOUNT_PATH = "/api/v1/recount"
TOKEN_VARIABLE = "LOTGATE_STAFF_TOKEN"  # noqa: S105 - where the secret stands, not the secret
TIMEOUT_S = 30.0
LONGEST_ANSWER_BYTES = 65_536
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to ask, none is bound


class RecountFailed(EdgeError):
    """The count was not taken."""


def recount(
    config: Path,
    environment: Mapping[str, str],
    *,
    cars: Sequence[str],
    by: str,
    reason: str,
    token_file: Path | None,
) -> int:
    """Tell the agent of a lot's TOML what was counted; exit status 0. `cars` are such as "regular=23".

    Raises:
        SettingsRefused: the TOML cannot be read.
        RecountFailed: the count is none, there is no token, the agent does not answer, or it refuses.
    """
    counted = read_counts(cars)
    settings = read_settings_file(config, environment)
    token = _token(environment, token_file)
    answer = _ask(settings.api, token, {"counted": counted, "by": by, "reason": reason})
    for kind, cars_now in answer["counted"].items():
        sys.stdout.write(f"{kind}: {cars_now} counted, {answer['before'][kind]} were on record\n")
    sys.stdout.write(
        f"{answer['closed']} stays closed, {answer['opened']} opened, {answer['over_count']} of them over the count\n"
    )
    if not answer["durable"]:
        sys.stdout.write(
            "the disk is full or read-only: the count is written as soon as it can be; do not type it in again\n"
        )
    return 0


def read_counts(cars: Sequence[str]) -> dict[str, int]:
    """The cars of each type.

    Raises:
        RecountFailed: a word is not TYPE=CARS, or a type stands twice.
    """
    counted: dict[str, int] = {}
    for word in cars:
        kind, _, number = word.partition("=")
        if kind not in set(SpotType):
            raise RecountFailed(f"{word!r}: {kind!r} is none of {', '.join(SpotType)}")
        if kind in counted:
            raise RecountFailed(f"{word!r}: {kind} stands twice")
        if not (number.isascii() and number.isdecimal() and len(number) <= 6):
            raise RecountFailed(f"{word!r}: {number!r} is no number of cars; write such as {kind}=23")
        counted[kind] = int(number)
    return counted


def _token(environment: Mapping[str, str], token_file: Path | None) -> str:
    try:
        token = environment.get(TOKEN_VARIABLE, "") if token_file is None else token_file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as wrong:
        raise RecountFailed(f"{token_file}: {wrong}") from wrong
    token = token.strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise RecountFailed(
            f"no staff device's token: set {TOKEN_VARIABLE}, or give --token-file; its hash stands under [[devices]]"
        )
    return token


def _ask(api: ApiSettings, token: str, body: Mapping[str, object]) -> dict[str, Any]:
    port = api.port or _port_of(api.port_file)
    connection = HTTPConnection(EVERYWHERE.get(api.host, api.host), port, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    try:
        connection.request("POST", RECOUNT_PATH, json.dumps(body), headers)
        with connection.getresponse() as answer:
            content: dict[str, Any] = json.loads(answer.read(LONGEST_ANSWER_BYTES))
    except (OSError, HTTPException) as error:
        raise RecountFailed(f"the agent does not answer at port {port}: {error}. Does it run?") from error
    except ValueError as error:
        raise RecountFailed(f"at port {port} answers something that is no agent of ours") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise RecountFailed(f"refused ({answer.status}): {content.get('detail')} {content.get('fix') or ''}")
    return content


def _port_of(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError) as wrong:
        raise RecountFailed(f"{path}: {wrong}. The agent writes its port there; does it run?") from wrong
