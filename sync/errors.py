"""Who is to blame when the two tiers do not understand each other.

SyncError
├── LocalError        we were about to do what the protocol forbids: a fault of ours
└── RemoteError       the other side sent what the protocol forbids: answered with an error, counted
    ├── MalformedFrame    not a frame, or a field of it is wrong (`field` names it)
    ├── UnknownKind       a kind of frame that this version does not know
    ├── FrameTooLarge     longer than the bound of its kind
    ├── NotAuthentic      a signature or a challenge does not hold
    ├── StaleSession      of a session or an epoch that is over
    ├── Quarantined       of a gateway that is fenced until a person has recounted
    ├── Gap               rows or documents in between are missing
    └── Busy              not now: come again a little later
"""

from __future__ import annotations


class SyncError(Exception):
    """The two tiers do not understand each other."""


class LocalError(SyncError):
    """We were about to do what the protocol forbids."""


class RemoteError(SyncError):
    """The other side sent what the protocol forbids."""

    code = "protocol"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class MalformedFrame(RemoteError):
    """Not a frame, or a field of it is wrong."""

    code = "malformed"


class UnknownKind(RemoteError):
    """A kind of frame that this version does not know."""

    code = "unknown_kind"


class FrameTooLarge(RemoteError):
    """Longer than the bound of its kind."""

    code = "too_large"


class NotAuthentic(RemoteError):
    """A signature or a challenge does not hold."""

    code = "not_authentic"


class StaleSession(RemoteError):
    """Of a session or an epoch that is over."""

    code = "stale_session"


class Quarantined(RemoteError):
    """Of a gateway that is fenced until a person has recounted."""

    code = "quarantined"


class Gap(RemoteError):
    """Rows or documents in between are missing."""

    code = "gap"


class Busy(RemoteError):
    """Not now: come again a little later."""

    code = "busy"
