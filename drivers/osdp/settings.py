"""The table of an OSDP bus.

[drivers.readers]
kind = "osdp_reader"
port = "/dev/lotgate-readers"
units = { reader-entry = 1, reader-exit = 2 }
default_key = ["reader-exit"]     # a new reader: met with the factory's key once, and given its own

[drivers.readers.key_files]
reader-entry = "${CREDENTIALS_DIRECTORY}/osdp-entry"     # 32 hexadecimal digits, never in this file
reader-exit = "${CREDENTIALS_DIRECTORY}/osdp-exit"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from drivers.errors import DriverMisconfigured, MalformedInput
from drivers.key_file import read_key
from drivers.osdp.bus_watch import UNSET_KEY
from drivers.osdp.secure_channel import DEFAULT_KEY
from drivers.serial_port.port import LineSettings
from drivers.wiegand import Layout37

Address = Annotated[int, Field(ge=0, le=126)]


class OsdpSettings(LineSettings):
    """Readers on one RS-485 line, each with its address and its key."""

    units: dict[str, Address] = Field(
        min_length=1, description="each reader's name and its address (0 to 126) on this line"
    )
    key_files: dict[str, Path] = Field(
        description="for each reader a file with its key (SCBK), 32 hexadecimal digits; a credential of the unit"
    )
    default_key: frozenset[str] = Field(
        default=frozenset(),
        description="readers that may be met with the factory's default key; they are given their own at once",
    )
    silent_ms: int = Field(
        default=2_000,
        ge=500,
        le=60_000,
        description="milliseconds without an answer after which a reader is gone",
    )
    retry_ms: int = Field(
        default=5_000, ge=500, le=600_000, description="milliseconds between two attempts to reach a reader"
    )
    cards_37: Layout37 = Field(
        default=Layout37.H10304,
        description='cards of 37 bits: "h10304" has a facility of 16 bits, "h10302" none',
    )

    @model_validator(mode="after")
    def _readers_have_addresses_and_keys(self) -> OsdpSettings:
        if len(set(self.units.values())) < len(self.units):
            raise ValueError("two readers share one address")
        for field, names in (("key_files", set(self.key_files)), ("default_key", set(self.default_key))):
            if strangers := sorted(names - set(self.units)):
                raise ValueError(f"{field} names {', '.join(strangers)}, units does not")
        if missing := sorted(set(self.units) - set(self.key_files)):
            raise ValueError(
                f"{', '.join(missing)} has no file in key_files: readers without a key are not used"
            )
        return self

    def keys(self) -> dict[int, bytes]:
        """Read every reader's key, by its address.

        Raises:
            DriverMisconfigured: a file holds no key, or the one that everybody has.
        """
        return {address: self._key(name) for name, address in self.units.items()}

    def _key(self, name: str) -> bytes:
        field = f"key_files.{name}"
        try:
            key = read_key(self.key_files[name])
        except OSError as refused:
            raise DriverMisconfigured(field, str(refused), "name a file that the agent may read") from refused
        except MalformedInput as wrong:
            fix = "put 32 hexadecimal digits on its first line (openssl rand -hex 16)"
            raise DriverMisconfigured(field, wrong.problem, fix) from wrong
        if key in {DEFAULT_KEY, UNSET_KEY}:
            fix = "make a key of its own (openssl rand -hex 16) and name the reader in default_key until it has it"
            raise DriverMisconfigured(field, "it holds the factory's default key, which is public", fix)
        return key
