"""The fleet's routes: the link itself, and enrolment. Next in its story: cloud/gateways/link."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, WebSocket
from pydantic import BaseModel, ConfigDict, Field

from cloud.errors import BadRequest
from cloud.staff import staff
from sync.keys import PUBLIC_BYTES

router = APIRouter(prefix="/api/v1", tags=["gateways"])


class EnrolRequest(BaseModel):
    """A gateway's first words: the one-time code and its public key."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=8, max_length=64)
    public_key: str = Field(
        min_length=43, max_length=64, description="32 bytes of Ed25519, base64 or hexadecimal"
    )


class EnrolAnswer(BaseModel):
    """Who the gateway is from now on, and whom it will talk to."""

    gateway: str
    lot: UUID
    epoch: int
    cloud: str
    cloud_public_key: str


class GatewayView(BaseModel):
    """One gateway of the fleet, as the console shows it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    lot_id: UUID
    lot_name: str
    epoch: int
    session: int
    state: str
    state_reason: str
    hearing: str
    connected: bool
    acknowledged_seq: int
    last_seq: int
    backlog: int
    unexplained: int
    events_applied: int
    events_quarantined: int
    documents_waiting: int
    lane_states: dict[str, str]
    software: str | None
    clock_quality: str | None


@router.websocket("/link")
async def link(socket: WebSocket) -> None:
    """A gateway's one connection."""
    await socket.app.state.cloud.links.serve(socket)


@router.post("/gateways/enrol", summary="A gateway joins with a one-time code")
async def enrol(request: Request, body: EnrolRequest) -> EnrolAnswer:
    """Take the gateway's public key in, as the next epoch of the code's lot."""
    cloud = request.app.state.cloud
    enrolment = await cloud.gateways.enrol(body.code, _public_key(body.public_key))
    return EnrolAnswer(
        gateway=enrolment.gateway,
        lot=enrolment.lot,
        epoch=enrolment.epoch,
        cloud=cloud.settings.name,
        cloud_public_key=base64.b64encode(cloud.signing_key.public).decode(),
    )


@router.get("/admin/gateways", summary="The fleet")
async def gateways(request: Request, _: Annotated[str, Depends(staff)]) -> list[GatewayView]:
    """Who is heard, how far each log and document list is."""
    rows = await request.app.state.cloud.gateways.list_all()
    return [GatewayView.model_validate(row) for row in rows]


def _public_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text) if len(text) == 2 * PUBLIC_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != PUBLIC_BYTES:
        raise BadRequest("is no Ed25519 public key", "public_key", "send its 32 bytes in base64")
    return key
