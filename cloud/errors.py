"""What the centre refuses, as RFC 9457 problem documents: what is wrong, in which field, and how to mend it.

CloudError                       500
├── MisconfiguredCloud           (at start) an environment variable is missing or wrong
├── NotReady                     503  the database does not answer, or is not migrated
├── Refused                      a request that cannot be met
│   ├── BadRequest               400  a field is missing or wrong
│   ├── NotAuthenticated         401  no token, or one that is not known
│   ├── NotPaid                  402  the money for it is not held
│   ├── NotAllowed               403  the token's role may not do this
│   ├── NotFound                 404  there is no such thing
│   ├── Conflict                 409  it clashes with what is on record
│   │   └── LostRace             409  somebody else has it; alternatives are named
│   ├── TooLarge                 413  the body is longer than its bound
│   └── CodeNotValid             422  an enrolment code that is unknown, used or expired
└── SessionReplaced              (link) a newer session, or another epoch, has taken this gateway's place
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class CloudError(Exception):
    """Something failed in the centre."""

    status = 500
    title = "Internal error"


class MisconfiguredCloud(CloudError):
    """An environment variable is missing or wrong."""


class NotReady(CloudError):
    """The database does not answer, or is not migrated."""

    status = 503
    title = "Not ready"


@dataclass(slots=True)
class Refused(CloudError):
    """A request that cannot be met: `detail` says why, `field` where, `fix` what to do instead."""

    detail: str
    field: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        return self.detail


class BadRequest(Refused):
    """A field is missing or wrong."""

    status = 400
    title = "Bad request"


class NotAuthenticated(Refused):
    """No token, or one that is not known."""

    status = 401
    title = "Not authenticated"


class NotPaid(Refused):
    """The money for it is not held."""

    status = 402
    title = "Payment required"


class NotAllowed(Refused):
    """The token's role may not do this."""

    status = 403
    title = "Not allowed"


class NotFound(Refused):
    """There is no such thing."""

    status = 404
    title = "Not found"


class Conflict(Refused):
    """It clashes with what is on record."""

    status = 409
    title = "Conflict"


@dataclass(slots=True)
class LostRace(Conflict):
    """Somebody else has it, or it cannot be sold now: `reason` in one word, and what may be had instead."""

    title = "Not booked"

    reason: str = ""
    alternatives: tuple[Mapping[str, object], ...] = ()

    def __str__(self) -> str:
        return self.detail


class TooLarge(Refused):
    """The body is longer than its bound."""

    status = 413
    title = "Too large"


class CodeNotValid(Refused):
    """An enrolment code that is unknown, used or expired."""

    status = 422
    title = "Enrolment code not valid"


class SessionReplaced(CloudError):
    """A newer session, or another epoch, has taken this gateway's place."""


def problem(
    *,
    status: int,
    title: str,
    detail: str,
    errors: tuple[Mapping[str, str], ...] = (),
    request_id: str | None = None,
) -> dict[str, object]:
    """An RFC 9457 problem document; `errors` lists one {field, problem, fix} each, `about:blank` means the status says all."""
    document: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        document["errors"] = [dict(error) for error in errors]
    if request_id:
        document["instance"] = f"urn:request:{request_id}"
    return document
