"""Which messages were taken already: the newest keys of sources that number their messages, bounded."""

from __future__ import annotations

from collections.abc import Iterable

MOST_KEYS = 20_000


class RecentKeys:
    """A set of (source, key) that forgets its oldest; a source repeats what is young."""

    __slots__ = ("_keys", "_most")

    def __init__(self, keys: Iterable[tuple[str, str]] = (), *, most: int = MOST_KEYS) -> None:
        self._most = most
        self._keys: dict[tuple[str, str], None] = dict.fromkeys(keys)
        self._forget()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._keys

    def add(self, source: str, key: str) -> bool:
        """Take a key; False where it was taken before."""
        if (source, key) in self._keys:
            return False
        self._keys[source, key] = None
        self._forget()
        return True

    def _forget(self) -> None:
        while len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]
