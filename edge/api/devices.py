"""Who is asking: each device of the lot has a token of its own, of which we keep the hash only.

A token comes as `Authorization: Bearer …`, or in a cookie that a page sets once (`?token=…` in its address, then gone from it). One
browser may hold several cookies, one a device, so that a person can watch two lanes side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest

from fastapi import Request, Response

from edge.api.problems import Problem

COOKIE_PREFIX = "lotgate_"
MAX_TOKENS = 16
MAX_TOKEN_CHARS = 256
COOKIE_AGE_S = 400 * 86_400


class Role(StrEnum):
    """What a device may do: a kiosk its own lane, a camera its plates, staff everything."""

    KIOSK = "kiosk"
    CAMERA = "camera"
    STAFF = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that may ask. `lane` None: every lane. `token_sha256` is the hex SHA-256 of its token."""

    name: str
    role: Role
    token_sha256: str
    lane: str | None = None

    def may(self, role: Role, lane: str | None) -> bool:
        """Whether this device may do what `role` does at `lane`; staff may do everything."""
        if self.role is Role.STAFF:
            return True
        return self.role is role and (self.lane is None or self.lane == lane)

    @property
    def cookie(self) -> str:
        """The name of its cookie."""
        return f"{COOKIE_PREFIX}{self.token_sha256[:12]}"


class Devices:
    """The lot's devices; finds the one that a request comes from."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._devices = tuple(devices)

    def with_token(self, token: str) -> Device | None:
        """The device with this token. Every device is compared, in constant time, whatever the token."""
        digest = sha256(token[:MAX_TOKEN_CHARS].encode()).hexdigest()
        found = [device for device in self._devices if compare_digest(device.token_sha256.lower(), digest)]
        return found[0] if found else None

    def asking(self, request: Request, role: Role, lane: str | None = None) -> Device:
        """The device behind the request that may act as `role` at `lane`.

        Raises:
            Problem: 401 where no known device asks, 403 where it may not.
        """
        known = self._known(request)
        allowed = [device for device in known if device.may(role, lane)]
        if allowed:
            return allowed[0]
        wanted = f"{role} of lane {lane}" if lane else role
        raise Problem(
            403,
            "device_not_allowed",
            f"{known[0].name} is a {known[0].role} and may not act as {wanted}.",
            field="Authorization",
            fix="Use the token of a device whose role and lane fit, see [[devices]] in lot.toml.",
        )

    def asking_any(self, request: Request, role: Role) -> Device:
        """The device behind the request that acts as `role` at some lane.

        Raises:
            Problem: as `asking`.
        """
        for device in self._known(request):
            if device.role in {role, Role.STAFF}:
                return device
        return self.asking(request, role)

    def _known(self, request: Request) -> list[Device]:
        """The lot's devices whose tokens came with the request.

        Raises:
            Problem: 401 where there is none.
        """
        known = [device for token in _tokens_of(request) if (device := self.with_token(token)) is not None]
        if not known:
            raise Problem(
                401,
                "device_unknown",
                "No device of this lot sent this.",
                field="Authorization",
                fix="Send the device's token: Authorization: Bearer TOKEN, or open the page once with ?token=TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return known


def keep_token(response: Response, device: Device, token: str, *, secure: bool) -> None:
    """Set the cookie that keeps `device` signed in: out of reach for scripts and for other sites."""
    response.set_cookie(
        device.cookie, token, max_age=COOKIE_AGE_S, httponly=True, samesite="strict", secure=secure, path="/"
    )


def _tokens_of(request: Request) -> list[str]:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    tokens = [bearer.strip()] if scheme.lower() == "bearer" and bearer else []
    tokens += [value for name, value in request.cookies.items() if name.startswith(COOKIE_PREFIX)]
    return tokens[:MAX_TOKENS]
