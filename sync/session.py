"""The link as h11 has it: frames in, effects out, no socket. This file holds what both ends share; `sync.edge_session` and
`sync.cloud_session` are the two ends. Next in its story: cloud/gateways/link (and edge/link on the other side).

Theory. A shell owns the socket, the store and the clock. It hands a session what arrived, what it read and what became durable, with
the real monotonic instant, and carries out the effects it is given, in their order, before it hands in anything else. A session never
waits: where it needs rows or a commit it says so by an effect, and the shell answers by a method of the session, named in the effect.
`timer()` is the monotonic instant at which the shell calls `wake` although nothing happened.

A frame that cannot be understood is answered with an Error and counted; the session goes on, since new kinds come. A frame that the
table of states does not have at that point ends the session: one side is broken, and a new session begins from what is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync.errors import RemoteError
from sync.message_pack import pack
from sync.messages import (
    Answer,
    Challenge,
    CommandResult,
    Decision,
    DecisionAck,
    Document,
    Error,
    Frame,
    FromCoordinator,
    FromParticipant,
    GateCommand,
    Hello,
    Inquiry,
    LogRow,
    SpotStateRow,
)

MOST_REPORTED_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Put this frame on the line."""

    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Close the line: this session is over. `delay_s` is set where the other side named when to come back (real seconds)."""

    reason: str
    delay_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRefused:
    """Count and log: a frame of the other side was not accepted. `code` is a RemoteError's."""

    code: str
    field: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerComplained:
    """Count and log: the other side did not accept a frame of ours."""

    error: Error


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Edge: the session stands."""

    epoch: int
    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTold:
    """Edge: the cloud's time was `time_us` when it spoke, at most `round_trip_s` real seconds ago."""

    time_us: int
    round_trip_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictGiven:
    """Edge: keep what the centre says of us, "ok" or "fenced", with its reason."""

    verdict: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStates:
    """Edge: read sensor states and counts; all of them where `snapshot`, else at most `limit` that changed. Answer: `states_read`."""

    snapshot: bool
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesStored:
    """Edge: these rows are stored in the centre: mark them so, unless they changed since."""

    rows: tuple[SpotStateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """Edge: read at most `limit` log rows after `after_seq`, and the hash of row `after_seq`. Answer: `page_read`."""

    after_seq: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Edge: keep durably that everything up to `seq`, whose hash is `hash`, is applied in the centre."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDocument:
    """Edge: apply this document and its number in one commit. Answer, when durable: `document_applied`."""

    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Both: hand this frame of the commit (a transfer, a gate command) to its machine. It is of this session and of its epoch, and has
    no answer here: what the machine says to it goes out by `say`.
    """

    frame: FromCoordinator | FromParticipant


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """Cloud: look up the gateway of this hello. Answer: `identified`."""

    hello: Hello


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Cloud: give the gateway its next session number in one transaction, and keep the verdict. Answer: `begun`."""

    gateway: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLayout:
    """Cloud: store the lot's layout. Answer: `layout_stored` or `refused`."""

    hash: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDocuments:
    """Cloud: read at most `limit` documents after number `after_n`. Answer: `documents_read`."""

    after_n: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsAcknowledged:
    """Cloud: keep that the gateway applied every document up to `n`."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Cloud: keep that this gateway is quarantined and why, and alarm."""

    reason: str


def stamped(frame: FromCoordinator | FromParticipant, *, epoch: int, session: int) -> Frame | None:
    """A frame of the commit as it goes out in a session; None where it belongs to another epoch.

    What was decided is told in any epoch; what promises or moves something is of the epoch in which it was made.
    """
    told = isinstance(frame, (Decision, DecisionAck, Inquiry, Answer, GateCommand, CommandResult))
    if not told and frame.epoch != epoch:
        return None
    return replace(frame, epoch=epoch, session=session)


def hello_bytes(challenge: Challenge, hello: Hello) -> bytes:
    """What a gateway signs: the purpose, the cloud's nonce and name, and every field of its hello but the signature."""
    fields = [
        getattr(hello, name)
        for name in (
            "gateway",
            "epoch",
            "boot",
            "protocol",
            "last_seq",
            "acknowledged_seq",
            "acknowledged_hash",
            "document_n",
            "layout_hash",
            "time_us",
            "clock_quality",
            "software",
        )
    ]
    return b"lotgate hello 1\x00" + pack([challenge.nonce, challenge.cloud, challenge.time_us, *fields])


def complaint(
    error: RemoteError, *, about: str, fatal: bool = False, epoch: int = 0, session: int = 0
) -> Error:
    """The frame that tells the other side what was wrong, cut to its bounds."""
    return Error(
        code=error.code,
        field=_told(error.field),
        message=_told(error.problem),
        about=about,
        fatal=fatal,
        epoch=epoch,
        session=session,
    )


def page_bytes(rows: tuple[LogRow, ...]) -> int:
    """How many bytes the bodies of these rows have together."""
    return sum(len(row.body) for row in rows)


def _told(text: str) -> str:
    return text.replace("\x00", "?")[:MOST_REPORTED_CHARACTERS]
