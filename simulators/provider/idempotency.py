"""Idempotency keys with Stripe's meaning: the first answer under a key is the answer for 24 hours, an error 500 too.

What was refused before the operation began (not understood, too many requests, key in use) is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.provider.refusals import key_in_use, key_reused

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a body, as JSON values."""

    status: int
    body: dict[str, object]


@dataclass(slots=True, kw_only=True)
class _Key:
    asked: str
    first_at: datetime
    answer: Answer | None = None


class IdempotencyKeys:
    """The keys that were used; `now` is the provider's time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._keys: dict[str, _Key] = {}

    def begin(self, key: str, asked: str) -> Answer | None:
        """The answer that was given under `key`; None: the request is the first, and is now under way.

        Raises:
            Refusal: the key is in use, or came with something else than `asked`.
        """
        known = self._keys.get(key)
        if known is not None and known.first_at + KEPT > self._now():
            if known.asked != asked:
                raise key_reused()
            if known.answer is None:
                raise key_in_use()
            return known.answer
        self._keys[key] = _Key(asked=asked, first_at=self._now())
        return None

    def restore(self, key: str, asked: str, answer: Answer) -> None:
        """Under `key` an earlier process answered this, now."""
        self._keys[key] = _Key(asked=asked, first_at=self._now(), answer=answer)

    def end(self, key: str, answer: Answer | None) -> None:
        """The request is over; None: it never began, so that the key is free again."""
        if answer is None:
            del self._keys[key]
        else:
            self._keys[key].answer = answer
