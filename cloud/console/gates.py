"""Opening a lane from the console: what the form needs, and what became of the last commands, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from cloud.console.views import CommandLine
from cloud.console.words import GO, STOP, WAIT, WARN, Tag, duration, lane_name
from cloud.errors import BadRequest
from cloud.gateways.commands import Command, CommandState, Order
from cloud.gateways.endpoints import CommandAsked
from sync.gate_refusal import GateRefusal

TAGS: Mapping[CommandState, Tag] = {
    CommandState.SENT: Tag(state=WAIT, word="Sent", icon="wait"),
    CommandState.DONE: Tag(state=GO, word="Opened", icon="armup"),
    CommandState.REFUSED: Tag(state=STOP, word="Refused", icon="stop"),
    CommandState.UNKNOWN: Tag(state=WARN, word="Unknown", icon="doubt"),
}


def form_key(lot: UUID, commands: Iterable[Command]) -> str:
    """The Idempotency-Key of the page's form: the same until there is a newer command, so that pressing twice opens once."""
    last = next(iter(commands), None)
    return f"console {lot} after {'nothing' if last is None else last.id}"


def order_of(form: Mapping[str, str], gateway: str) -> Order:
    """What a person filled in.

    Raises:
        BadRequest: something is missing.
    """
    given = {name: form.get(name, "").strip() for name in ("lane", "by", "reason")}
    try:
        asked = CommandAsked.model_validate(given | {"command": "open"})
    except ValidationError as error:
        names = ", ".join(str(part["loc"][0]) for part in error.errors())
        raise BadRequest(
            f"not sent: fill in {names}", names, "say which lane, who you are and why"
        ) from error
    return Order(gateway=gateway, lane=asked.lane, move=asked.command, by=asked.by, reason=asked.reason)


def command_line(command: Command, now_real: datetime) -> CommandLine:
    """A command as a person reads it."""
    order = command.order
    return CommandLine(
        lane=lane_name(order.lane),
        by=order.by,
        reason=order.reason,
        tag=TAGS[command.state],
        text=_text(command),
        since=duration((now_real - command.sent_at).total_seconds()),
    )


def _text(command: Command) -> str:
    if command.state is CommandState.REFUSED:
        known = {refusal.value: refusal.sentence for refusal in GateRefusal}
        return f"{known.get(command.detail, command.detail)}.".capitalize()
    if command.state is CommandState.UNKNOWN:
        return f"{command.detail.capitalize()}: it may be open or not. It will not be opened later; look, and ask again."
    if command.state is CommandState.SENT:
        return "On its way; the lot has not answered yet."
    return "The arm is up. It comes down by itself behind the car."
