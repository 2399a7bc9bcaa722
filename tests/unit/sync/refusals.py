"""For properties of the form: this gives a value, or one named error and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R", bound=Exception)


def refusal(expected: type[R], action: Callable[[], object]) -> R | None:
    """The `expected` error that `action` ends with, None where it succeeds; any other error goes through."""
    try:
        action()
    except expected as error:
        return error
    return None
