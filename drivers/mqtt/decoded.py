"""What a vendor's frame says, in words all share. Story "stuck sensor", next file: edge/translation.py.

A frame has one `kind` and any number of `terms`; a term that the frame does not speak of is absent, a term that it
speaks of and leaves open is None. The terms and their units:

occupied          whether the spot above the sensor is taken; None where the device says that it does not know
temperature_c, battery_v, battery_pct, battery_low, humidity_pct      the device's own health
distance_mm, distance_cm      what a distance sensor measured; occupied follows by a threshold of the lot's settings
count             vehicles counted, wraps at the device's own width
sequence          the device's own message number (8 bit, wraps)
time_unix         seconds since 1970 by the device's clock
previous_state_minutes        how long the spot was in the state before this one, at least
firmware, space, tag_id, tag_battery_v, fault_code, tilted, alarm, usage, value, dr0 … dr5      as the device has them
unparseable       hexadecimal of a tail that the protocol does not describe
suspect           True where the frame is known to be damaged and nothing but its kind is believed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

Term = bool | int | float | str | None


class Kind(StrEnum):
    """What sort of message a frame is."""

    STATUS = "status"
    HEARTBEAT = "heartbeat"
    STARTUP = "startup"
    TELEMETRY = "telemetry"
    COUNT = "count"
    CONFIG_ACK = "config_ack"
    PARAMETERS = "parameters"
    DEVICE_USAGE = "device_usage"
    USER_REGISTRATION = "user_registration"
    FAULT = "fault"
    ERROR_REPORT = "error_report"
    DOWNLINK = "downlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One frame, understood."""

    kind: Kind
    terms: Mapping[str, Term] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Kind, **terms: Term) -> Decoded:
        """Say a frame in one line: `Decoded.of(Kind.STATUS, occupied=True)`."""
        return cls(kind=kind, terms=terms)

    @property
    def occupied(self) -> bool | None:
        """The state of the spot; None where the frame does not say."""
        said = self.terms.get("occupied")
        return said if isinstance(said, bool) else None

    @property
    def distance_mm(self) -> int | None:
        """The measured distance in millimetres; None where the frame has none."""
        for name, factor in (("distance_mm", 1), ("distance_cm", 10)):
            said = self.terms.get(name)
            if isinstance(said, int):
                return said * factor
        return None

    def as_json(self) -> dict[str, Term]:
        """The frame as `lotgate decode` prints it."""
        return {"kind": self.kind.value, **self.terms}


class Decoder(Protocol):
    """A vendor's frame, decoded: what each module in `drivers/mqtt/decoders` offers as `decode`."""

    def __call__(self, payload: bytes, f_port: int) -> Decoded:
        """Decode `payload` as it arrived on LoRaWAN port `f_port`.

        Raises:
            MalformedInput: the device does not send such a frame; names the field and the problem.
        """
        ...
