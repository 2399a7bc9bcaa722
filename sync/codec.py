"""Frames to bytes and back. A frame is one MessagePack map: "v" protocol version, "kind", then the frame's fields by their names.

Rows inside a frame are lists in the order of their fields, since their names would repeat thousands of times. Every field is checked on
receipt and named when wrong; on sending the same checks guard us against ourselves. Each kind has its own bound on length. Fields that we do not
know are ignored, fields with a default may be missing, and a row may be longer than we know: so an older side understands a newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from sync.errors import FrameTooLarge, LocalError, MalformedFrame, RemoteError, UnknownKind
from sync.fields import LARGEST, Check, Fields, binary, flag, integer, optional, plain_map, sequence, text
from sync.instants import LAST_US
from sync.message_pack import pack, unpack
from sync.messages import (
    MAX_FRAME_BYTES,
    MAX_PAGE_ROWS,
    MAX_ROW_BYTES,
    MAX_STATE_ROWS,
    MAX_TRANSFER_SPOTS,
    PROTOCOL_VERSION,
    Answer,
    Challenge,
    CommandResult,
    CountRow,
    Decision,
    DecisionAck,
    Document,
    DocumentAck,
    Drain,
    Error,
    Frame,
    GateCommand,
    Hello,
    Inquiry,
    Layout,
    LayoutAck,
    LogRow,
    Page,
    PageAck,
    Prepare,
    SpotStateRow,
    States,
    StatesAck,
    Transfer,
    TransferRequest,
    Vote,
    Welcome,
)
from sync.rows import claim_from_row

_SEQ = integer()
_SMALL = integer(0, 2**31 - 1)
_TIME = integer(0, LAST_US)
_HASH = binary(32, shortest=32)
_HASH_OR_EMPTY = binary(32)
_WORD = text(64)
_ID = text(64, shortest=1)
_IN_SESSION: dict[str, Check[Any]] = {"epoch": _SMALL, "session": _SEQ}
_OF_TRANSACTION: dict[str, Check[Any]] = {
    **_IN_SESSION,
    "reservation": _ID,
    "revision": integer(1, 2**31 - 1),
}


def _row(make: type[Any], **checks: Check[Any]) -> Check[Any]:
    """A row sent as a list, or given as the row itself when we send."""
    least = sum(1 for field in fields(make) if field.default is MISSING)
    parts = [(name, f".{name}", inner) for name, inner in checks.items()]

    def check(value: object, path: str) -> Any:
        if isinstance(value, make):
            value = [getattr(value, name) for name in checks]
        if not isinstance(value, (list, tuple)) or len(value) < least:
            raise MalformedFrame(path, f"must be a list of at least {least} entries")
        try:
            return make(
                **{
                    name: inner(part, dotted)
                    for (name, dotted, inner), part in zip(parts, value, strict=False)
                }
            )
        except MalformedFrame as error:
            raise MalformedFrame(path + error.field, error.problem) from error

    return check


def _pair(value: object, path: str) -> tuple[str, str]:
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        raise MalformedFrame(path, "must be a list of 2 entries")
    return _ID(value[0], f"{path}[0]"), _WORD(value[1], f"{path}[1]")


def _claim(value: object, path: str) -> Mapping[str, object]:
    """A claim's map, looked at as its reader will."""
    claim_from_row(value, path)
    return plain_map(value, path)


def _window_ends_after_it_starts(frame: Prepare) -> None:
    if frame.ends_us <= frame.starts_us:
        raise MalformedFrame("prepare.ends_us", "must be after the start")


def _yes_names_a_place(frame: Vote) -> None:
    if not frame.yes:
        return
    for name in ("spot", "starts_us", "ends_us"):
        if getattr(frame, name) is None:
            raise MalformedFrame(f"vote.{name}", "must be there with a yes")
    if frame.starts_us is not None and frame.ends_us is not None and frame.ends_us <= frame.starts_us:
        raise MalformedFrame("vote.ends_us", "must be after the start")


def _outcome_is_one(frame: Decision) -> None:
    if frame.outcome not in {"committed", "aborted"}:
        raise MalformedFrame("decision.outcome", f"must be committed or aborted, not {frame.outcome!r}")


def _answer_is_one(frame: Answer) -> None:
    if frame.outcome not in {"committed", "aborted", "undecided"}:
        raise MalformedFrame(
            "answer.outcome", f"must be committed, aborted or undecided, not {frame.outcome!r}"
        )


def _each_field_stands_alone(frame: Any) -> None:
    """Most frames are right when each of their fields is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameForm:
    """How one kind of frame looks on the wire: its name, its bound, its fields, and a last look at what they say together."""

    kind: str
    make: type[Any]
    longest: int
    checks: Mapping[str, Check[Any]]
    last_look: Callable[[Any], None] = _each_field_stands_alone


_LOG_ROW = _row(LogRow, seq=integer(1), hash=_HASH, body=binary(MAX_ROW_BYTES))
_SPOT_STATE = _row(
    SpotStateRow,
    spot=_ID,
    n=_SEQ,
    state=_WORD,
    source=text(200),
    occurred_us=_TIME,
    confidence_1e4=integer(0, 10_000),
)
_COUNT = _row(CountRow, type=_WORD, total=_SMALL, sellable=_SMALL, holds_until_us=optional(_TIME))

_FORMS = (
    FrameForm(
        kind="challenge",
        make=Challenge,
        longest=1_024,
        checks={"nonce": binary(64, shortest=16), "cloud": text(100, shortest=1), "time_us": _TIME},
    ),
    FrameForm(
        kind="hello",
        make=Hello,
        longest=2_048,
        checks={
            "gateway": _ID,
            "epoch": _SMALL,
            "boot": _WORD,
            "protocol": integer(1, 65_535),
            "last_seq": _SEQ,
            "acknowledged_seq": _SEQ,
            "acknowledged_hash": _HASH_OR_EMPTY,
            "document_n": _SEQ,
            "layout_hash": _HASH_OR_EMPTY,
            "time_us": _TIME,
            "clock_quality": _WORD,
            "software": _WORD,
            "signature": binary(64, shortest=64),
        },
    ),
    FrameForm(
        kind="welcome",
        make=Welcome,
        longest=2_048,
        checks={
            **_IN_SESSION,
            "acknowledged_seq": _SEQ,
            "layout_hash": _HASH_OR_EMPTY,
            "time_us": _TIME,
            "verdict": _WORD,
            "reason": text(500),
        },
    ),
    FrameForm(
        kind="layout",
        make=Layout,
        longest=MAX_FRAME_BYTES,
        checks={**_IN_SESSION, "hash": _HASH, "body": binary(MAX_FRAME_BYTES - 1_024)},
    ),
    FrameForm(kind="layout_ack", make=LayoutAck, longest=512, checks={**_IN_SESSION, "hash": _HASH}),
    FrameForm(
        kind="states",
        make=States,
        longest=MAX_FRAME_BYTES,
        checks={
            **_IN_SESSION,
            "n": _SEQ,
            "snapshot": flag,
            "as_of_seq": _SEQ,
            "spots": sequence(_SPOT_STATE, MAX_STATE_ROWS),
            "counts": sequence(_COUNT, 100),
            "lanes": sequence(_pair, 1_000),
            "unexplained": integer(-LARGEST),
            "backlog": _SEQ,
        },
    ),
    FrameForm(
        kind="states_ack", make=StatesAck, longest=512, checks={**_IN_SESSION, "n": _SEQ, "time_us": _TIME}
    ),
    FrameForm(
        kind="page",
        make=Page,
        longest=MAX_FRAME_BYTES,
        checks={
            **_IN_SESSION,
            "first": integer(1),
            "previous_hash": _HASH,
            "rows": sequence(_LOG_ROW, MAX_PAGE_ROWS, least=1),
        },
    ),
    FrameForm(
        kind="page_ack",
        make=PageAck,
        longest=512,
        checks={**_IN_SESSION, "seq": _SEQ, "hash": _HASH_OR_EMPTY},
    ),
    FrameForm(
        kind="document",
        make=Document,
        longest=MAX_FRAME_BYTES,
        checks={**_IN_SESSION, "n": integer(1), "kind": _ID, "body": binary(MAX_FRAME_BYTES - 1_024)},
    ),
    FrameForm(kind="document_ack", make=DocumentAck, longest=512, checks={**_IN_SESSION, "n": _SEQ}),
    FrameForm(
        kind="prepare",
        make=Prepare,
        longest=1_024,
        checks={
            **_OF_TRANSACTION,
            "claim": _ID,
            "type": _WORD,
            "starts_us": _TIME,
            "ends_us": _TIME,
            "left_ms": integer(0, 3_600_000),
            "spot": optional(_ID),
        },
        last_look=_window_ends_after_it_starts,
    ),
    FrameForm(
        kind="vote",
        make=Vote,
        longest=1_024,
        checks={
            **_OF_TRANSACTION,
            "yes": flag,
            "claim": _ID,
            "reason": _WORD,
            "spot": optional(_ID),
            "starts_us": optional(_TIME),
            "ends_us": optional(_TIME),
            "log_seq_before": _SEQ,
        },
        last_look=_yes_names_a_place,
    ),
    FrameForm(
        kind="decision",
        make=Decision,
        longest=4_096,
        checks={**_OF_TRANSACTION, "outcome": _WORD, "reason": _WORD, "claim": optional(_claim)},
        last_look=_outcome_is_one,
    ),
    FrameForm(kind="decision_ack", make=DecisionAck, longest=512, checks=_OF_TRANSACTION),
    FrameForm(kind="inquiry", make=Inquiry, longest=512, checks={**_OF_TRANSACTION, "prepared_us": _TIME}),
    FrameForm(
        kind="answer",
        make=Answer,
        longest=1_024,
        checks={**_OF_TRANSACTION, "outcome": _WORD, "reason": _WORD},
        last_look=_answer_is_one,
    ),
    FrameForm(
        kind="transfer_request",
        make=TransferRequest,
        longest=512,
        checks={**_IN_SESSION, "request": _ID, "type": _WORD, "count": integer(1, MAX_TRANSFER_SPOTS)},
    ),
    FrameForm(
        kind="transfer",
        make=Transfer,
        longest=65_536,
        checks={
            **_IN_SESSION,
            "transfer": _ID,
            "request": _WORD,
            "type": _WORD,
            "spots": sequence(_ID, MAX_TRANSFER_SPOTS),
            "reason": _WORD,
        },
    ),
    FrameForm(
        kind="gate_command",
        make=GateCommand,
        longest=2_048,
        checks={
            **_IN_SESSION,
            "command": _ID,
            "lane": _ID,
            "move": _WORD,
            "by": text(200),
            "reason": text(300, shortest=1),
        },
    ),
    FrameForm(
        kind="command_result",
        make=CommandResult,
        longest=2_048,
        checks={**_IN_SESSION, "command": _ID, "result": _WORD, "detail": text(300)},
    ),
    FrameForm(
        kind="drain", make=Drain, longest=512, checks={**_IN_SESSION, "delay_ms": integer(0, 3_600_000)}
    ),
    FrameForm(
        kind="error",
        make=Error,
        longest=4_096,
        checks={
            "code": _WORD,
            "field": text(200),
            "message": text(500),
            "about": _WORD,
            "fatal": flag,
            **_IN_SESSION,
        },
    ),
)
_BY_KIND = {form.kind: form for form in _FORMS}
_BY_TYPE: dict[type[Any], FrameForm] = {form.make: form for form in _FORMS}
_DEFAULTS = {
    form.kind: {field.name: field.default for field in fields(form.make) if field.default is not MISSING}
    for form in _FORMS
}
# A document's field "kind" would meet the frame's own: on the wire it is "document_kind".
_WIRE_NAMES = {"document": {"kind": "document_kind"}}


def kind_of(frame: Frame) -> str:
    """The word by which a frame's kind goes on the wire."""
    return _BY_TYPE[type(frame)].kind


def encode(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        LocalError: a field is not what the protocol allows, or the frame is longer than the bound of its kind.
    """
    form = _BY_TYPE[type(frame)]
    names = _WIRE_NAMES.get(form.kind, {})
    wire: dict[str, object] = {"v": PROTOCOL_VERSION, "kind": form.kind}
    try:
        for name, check in form.checks.items():
            wire[names.get(name, name)] = _plain(check(getattr(frame, name), f"{form.kind}.{name}"))
        form.last_look(frame)
    except RemoteError as error:
        raise LocalError(f"about to send {error}") from error
    data = pack(wire)
    if len(data) > form.longest:
        raise LocalError(f"about to send {form.kind} of {len(data)} bytes; its bound is {form.longest}")
    return data


def decode(data: bytes) -> Frame:
    """The frame in `data`.

    Raises:
        FrameTooLarge: longer than the bound of its kind.
        UnknownKind: a kind that this version does not know.
        MalformedFrame: anything else that is wrong; `field` names it.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise FrameTooLarge("frame", f"has {len(data)} bytes; no frame has more than {MAX_FRAME_BYTES}")
    outer = Fields(unpack(data, "frame"), "frame")
    outer.take("v", integer(1, 65_535))
    kind = outer.take("kind", _WORD)
    form = _BY_KIND.get(kind)
    if form is None:
        raise UnknownKind("frame.kind", f"{kind!r} is not a kind of frame that this version knows")
    if len(data) > form.longest:
        raise FrameTooLarge(kind, f"has {len(data)} bytes; its bound is {form.longest}")
    return _read(form, outer)


def _read(form: FrameForm, outer: Fields) -> Frame:
    names, defaults = _WIRE_NAMES.get(form.kind, {}), _DEFAULTS[form.kind]
    inner = outer.at(form.kind)
    values: dict[str, Any] = {}
    for name, check in form.checks.items():
        wire_name = names.get(name, name)
        if name in defaults:
            values[name] = inner.take_or(wire_name, check, defaults[name])
        else:
            values[name] = inner.take(wire_name, check)
    frame: Frame = form.make(**values)
    form.last_look(frame)
    return frame


def _plain(value: object) -> object:
    """What MessagePack takes: rows become lists in the order of their fields."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (LogRow, SpotStateRow, CountRow)):
        return [getattr(value, field.name) for field in fields(value)]
    return value
