"""The list of documents as it arrives: in order, each once. Next in its story: edge/configuration.

Theory. A document is applied when the one before it is durable, so that a power cut leaves the beginning of the list and nothing else. Documents that
arrive meanwhile wait, a bounded number of them. A number that is durable is acknowledged again: its acknowledgement was lost.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from sync.errors import LocalError
from sync.messages import Document

MOST_WAITING = 64


class DocumentMeaning(StrEnum):
    """How an arrived document stands to the list."""

    NEXT = "next"
    WAITS = "waits"
    REPEATED = "repeated"
    GAP = "gap"


class DocumentList:
    """How far the list is."""

    def __init__(self, applied_n: int) -> None:
        self.applied_n = applied_n
        self._waiting: deque[Document] = deque()

    @property
    def next_n(self) -> int:
        """The number that comes next."""
        return (self._waiting[-1].n if self._waiting else self.applied_n) + 1

    def arrived(self, document: Document) -> DocumentMeaning:
        """Take a document in; NEXT is to be applied now."""
        if document.n <= self.applied_n:
            return DocumentMeaning.REPEATED
        if document.n < self.next_n:
            return DocumentMeaning.WAITS
        if document.n > self.next_n or len(self._waiting) >= MOST_WAITING:
            return DocumentMeaning.GAP
        self._waiting.append(document)
        return DocumentMeaning.NEXT if len(self._waiting) == 1 else DocumentMeaning.WAITS

    def applied(self, n: int) -> Document | None:
        """Document `n` is durable; the one to apply now.

        Raises:
            LocalError: it was not the one that was to be applied.
        """
        if not self._waiting or self._waiting[0].n != n:
            raise LocalError(f"document {n} applied after {self.applied_n}")
        self._waiting.popleft()
        self.applied_n = n
        return self._waiting[0] if self._waiting else None
