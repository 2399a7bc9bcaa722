"""The fleet's routes: the link itself, and enrolment. Next in its story: cloud/gateways/link."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response, WebSocket
from pydantic import BaseModel, ConfigDict, Field

from cloud.errors import BadRequest
from cloud.gateways.commands import Command, CommandState, GateCommands, Order
from cloud.gateways.hearing import Hearing
from cloud.staff import staff
from sync.keys import PUBLIC_BYTES

router = APIRouter(prefix="/api/v1", tags=["gateways"])

Staff = Annotated[str, Depends(staff)]
Said = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""Something is said, in one line."""


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
    hearing: Hearing
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


class CommandAsked(BaseModel):
    """What a lane is to do, who wants it and why: both stay on record, here and in the lot's log."""

    model_config = ConfigDict(extra="forbid")

    lane: str = Field(min_length=1, max_length=64, pattern=Said, description="the lane's id, entry-1")
    command: Literal["open"]
    by: str = Field(min_length=1, max_length=80, pattern=Said)
    reason: str = Field(min_length=1, max_length=300, pattern=Said)


class CommandView(BaseModel):
    """A command and what became of it. `detail` says why it was refused, or is not known. Real instants."""

    id: UUID
    gateway: str
    lot: UUID
    lane: str
    command: str
    by: str
    reason: str
    session: int
    state: CommandState
    detail: str
    sent_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, command: Command) -> CommandView:
        """The same for the wire."""
        order = command.order
        return cls(
            id=command.id,
            gateway=order.gateway,
            lot=command.lot,
            lane=order.lane,
            command=order.move,
            by=order.by,
            reason=order.reason,
            session=command.session,
            state=command.state,
            detail=command.detail,
            sent_at=command.sent_at,
            ended_at=command.ended_at,
        )


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


@router.post("/admin/gateways/{gateway}/commands", summary="Open a gate from afar")
async def send_command(  # noqa: PLR0917 - FastAPI hands them over by name
    request: Request,
    response: Response,
    gateway: str,
    asked: CommandAsked,
    who: Staff,
    idempotency_key: Annotated[str, Header(min_length=8, max_length=200, description="one key, one command")],
) -> CommandView:
    """What became of it within 3 s; 202 where it is still on its way. Where the line is down: 409 at once, and nothing is kept."""
    order = Order(gateway=gateway, lane=asked.lane, move=asked.command, by=asked.by, reason=asked.reason)
    commands = _commands(request)
    command = await commands.outcome(await commands.send(who, idempotency_key, order))
    response.status_code = 202 if command.state is CommandState.SENT else 200
    return CommandView.of(command)


@router.get("/admin/gateways/{gateway}/commands/{command}", summary="What became of a command")
async def command_of(request: Request, gateway: str, command: UUID, _: Staff) -> CommandView:
    """Sent, done, refused or unknown; it is never sent again."""
    return CommandView.of(await _commands(request).read(gateway, command))


def _commands(request: Request) -> GateCommands:
    commands: GateCommands = request.app.state.cloud.commands
    return commands


def _public_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text) if len(text) == 2 * PUBLIC_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != PUBLIC_BYTES:
        raise BadRequest("is no Ed25519 public key", "public_key", "send its 32 bytes in base64")
    return key
