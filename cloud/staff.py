"""Who is staff: a development token from LOTGATE_CLOUD_TOKENS, as `Authorization: Bearer …` or the console's cookie.

Accounts, roles and tenants take this place later; routes only say `Depends(staff)`.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from starlette.requests import HTTPConnection

from cloud.errors import NotAuthenticated

COOKIE = "lotgate_staff"


class StaffTokens:
    """The tokens that open staff routes. None configured: nobody is staff."""

    def __init__(self, tokens: frozenset[str]) -> None:
        self._tokens = tuple(token.encode() for token in sorted(tokens))

    def name_of(self, token: str) -> str:
        """The name under which the bearer of `token` stands in the audit log.

        Raises:
            NotAuthenticated: it is none of ours.
        """
        given = token.encode()
        if not any(hmac.compare_digest(given, known) for known in self._tokens):
            raise NotAuthenticated(
                "this token is not known", "Authorization", "send Authorization: Bearer TOKEN"
            )
        return f"token {sha256(given).hexdigest()[:8]}"


def staff(connection: HTTPConnection) -> str:
    """A dependency of staff routes: the caller's name.

    Raises:
        NotAuthenticated: no token, or one that is not known.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        token = connection.cookies.get(COOKIE, "")
    if not token:
        raise NotAuthenticated("this is for staff", "Authorization", "send Authorization: Bearer TOKEN")
    tokens: StaffTokens = connection.app.state.cloud.staff
    return tokens.name_of(token)
