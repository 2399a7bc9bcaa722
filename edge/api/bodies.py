"""What strangers may send to the local API: every field bounded, nothing besides."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from drivers.ports import SensorOrder
from parking.lot import SpotType
from sync.transaction import Outcome

ScannedText = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
PlateText = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[^\x00-\x1f\x7f]+$")]
SpokenText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
]


class Body(BaseModel):
    """A body is taken as it is meant: unknown fields are refused, values are not bent into shape."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class ButtonBody(Body):
    """A touch that asks for a ticket, for a space of one type where the screen offered a choice."""

    spot_type: SpotType | None = None


class CodeBody(Body):
    """The text of a ticket, pass or permit, as scanned."""

    text: ScannedText


class PlateBody(Body):
    """A plate as a camera read it, and how sure it is (0 to 1)."""

    plate: PlateText
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class BookingBody(Body):
    """A space of one type for a window, to be booked at a kiosk. Instants carry an offset."""

    type: SpotType
    starts_at: AwareDatetime
    ends_at: AwareDatetime


class OpenBody(Body):
    """Why a person opens a lane by hand, and who it is."""

    reason: SpokenText
    by: SpokenText


class RecountBody(Body):
    """The cars that a person counted, by type of space, why, and who it is. Whether so many fit is asked of the lot."""

    counted: dict[SpotType, Annotated[int, Field(strict=True, ge=-(10**6), le=10**6)]]
    reason: SpokenText
    by: SpokenText


class SensorOrderBody(Body):
    """What a sensor is told; `seconds` belongs to report_every. What its device can be told is asked of its driver."""

    order: SensorOrder
    seconds: Annotated[int, Field(strict=True, ge=1, le=7 * 86_400)] | None = None


class DoubtBody(Body):
    """How a person ends a doubt about a booking, why, and who it is."""

    outcome: Outcome
    reason: SpokenText
    by: SpokenText
