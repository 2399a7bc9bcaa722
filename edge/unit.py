"""Who this unit is: its key and its enrolment, files outside the ledger, and what to do where a power cut tore one of them.

A torn file never keeps the lot closed. A key that cannot be read is set aside and a new one is made: the unit must be enrolled again,
tickets signed before are no longer known here, stored plates can no longer be read. A torn enrolment is set aside too; then the ledger still
knows in which epoch of which gateway it goes on, and only the line to the centre waits for a new enrolment. A key that others can read is
another matter: a person must act.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from edge.enrolment import Enrolment, EnrolmentFailed
from edge.errors import StoreError
from edge.store.reader import StoreReader
from edge.store.rows import meta_out
from sync.errors import LocalError
from sync.keys import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit we run on. `gateway` and `epoch` are "" and 0 where it never was enrolled; `losses` says what was torn."""

    key: SigningKey
    enrolment: Enrolment | None
    gateway: str
    epoch: int
    losses: tuple[str, ...]


def read_unit(key_file: Path, ledger: Path) -> Unit:
    """The unit whose key is in `key_file`, made where there is none.

    Raises:
        LocalError: others can read the key.
    """
    losses: list[str] = []
    key = _key(key_file, losses)
    enrolment = _enrolment(key_file, losses)
    gateway, epoch = _known_to(ledger) if enrolment is None else (str(enrolment.gateway), enrolment.epoch)
    return Unit(key=key, enrolment=enrolment, gateway=gateway, epoch=epoch, losses=tuple(losses))


def _key(path: Path, losses: list[str]) -> SigningKey:
    try:
        return SigningKey.read_or_make(path)
    except LocalError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise
    aside = _set_aside(path)
    losses.append(
        f"{path.name} was torn and is set aside as {aside.name}: enrol this unit again; tickets issued before and stored plates "
        "cannot be read any more"
    )
    return SigningKey.read_or_make(path)


def _enrolment(key_file: Path, losses: list[str]) -> Enrolment | None:
    try:
        return Enrolment.read(key_file)
    except EnrolmentFailed:
        path = Enrolment.path(key_file)
    aside = _set_aside(path)
    losses.append(f"{path.name} was torn and is set aside as {aside.name}: enrol this unit again")
    return None


def _known_to(ledger: Path) -> tuple[str, int]:
    """The gateway and epoch that the ledger went on in; none where it cannot say."""
    if not ledger.exists():
        return "", 0
    try:
        reader = StoreReader(ledger)
    except StoreError:
        return "", 0
    try:
        meta = meta_out(reader.rows("read_meta"))
    except StoreError:
        return "", 0
    finally:
        reader.close()
    gateway, epoch = meta.get("gateway"), meta.get("epoch")
    return (gateway, epoch) if isinstance(gateway, str) and isinstance(epoch, int) else ("", 0)


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    path.rename(aside)
    return aside
