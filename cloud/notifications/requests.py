"""What a subscriber may say on the WebSocket, each a JSON object with a `type`.

| type | fields | answer |
| --- | --- | --- |
| authenticate | token | authenticated; must come first |
| subscribe | lot, after? | subscribed, then a picture of the lot, or what came after number `after`; then each change |
| subscribe | lat, lng, radius? | the same for the lots with a gateway around the point, as they are now |
| unsubscribe | lot | unsubscribed |
| ping | – | pong |
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cloud.errors import BadRequest
from cloud.parking_lots.schemas import Latitude, Longitude, Radius
from parking.geo import Point

LONGEST_REQUEST = 4_096


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authenticate(_Request):
    """Who asks."""

    type: Literal["authenticate"]
    token: Annotated[str, Field(min_length=1, max_length=1_024)]


class SubscribeLot(_Request):
    """Want a lot's changes, from number `after` on where it is given."""

    type: Literal["subscribe"]
    lot: UUID
    after: Annotated[int, Field(ge=0)] | None = None


class SubscribeAround(_Request):
    """Want the changes of the lots around a point; `radius` in metres."""

    type: Literal["subscribe"]
    lat: Latitude
    lng: Longitude
    radius: Radius = 1_000.0

    @property
    def point(self) -> Point:
        """The middle."""
        return Point(latitude=self.lat, longitude=self.lng)


class Unsubscribe(_Request):
    """Want no more of a lot."""

    type: Literal["unsubscribe"]
    lot: UUID


class Ping(_Request):
    """Asks whether anybody is there."""

    type: Literal["ping"]


Request = Authenticate | SubscribeLot | SubscribeAround | Unsubscribe | Ping
KINDS: dict[str, TypeAdapter[Request]] = {
    "authenticate": TypeAdapter(Authenticate),
    "unsubscribe": TypeAdapter(Unsubscribe),
    "ping": TypeAdapter(Ping),
}


def read_request(text: str) -> Request:
    """What `text` asks.

    Raises:
        BadRequest: nothing that is known; `field` and `fix` say what to change.
    """
    if len(text) > LONGEST_REQUEST:
        raise BadRequest(f"is longer than {LONGEST_REQUEST} characters", "message", "shorten it")
    try:
        peeked = TypeAdapter(dict[str, object]).validate_json(text)
    except ValidationError:
        raise BadRequest("is no JSON object", "message", 'send {"type": …}') from None
    kind = peeked.get("type")
    adapter = KINDS.get(kind) if isinstance(kind, str) else None
    if kind == "subscribe":
        adapter = TypeAdapter(SubscribeLot if "lot" in peeked else SubscribeAround)
    if adapter is None:
        known = ", ".join(["subscribe", *KINDS])
        raise BadRequest("is not known", "type", f"send one of {known}")
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(str(part) for part in wrong["loc"]) or "message"
        raise BadRequest(wrong["msg"], field, "see the table of requests in the API's description") from error
