"""What is spoken over one broker connection, without the connection. Next: drivers/mqtt/client.py, which is the connection.

A dialect turns a message into readings, and knows what is said in return: a Sparkplug host asks for a birth, a network server is
handed a downlink and tells later what became of it. Most dialects only listen (`Listening`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.errors import CommandRefused
from drivers.ports import Command, Reading

Translate = Callable[[str, bytes], list[Reading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A message to be published."""

    topic: str
    body: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of the order `key`: carried out, or refused with a reason."""

    key: str
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one message meant: what it reads, what is said in return, and which orders it answers."""

    readings: Sequence[Reading] = ()
    replies: Sequence[Saying] = ()
    answers: Sequence[Answer] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command as it is published; `key` comes back in the message that answers it."""

    key: str
    saying: Saying


class Dialect(Protocol):
    """One language over one connection. It outlives the connection: what it knows of its devices stays."""

    topics: tuple[str, ...]  # filters that it needs beside those of the settings
    wants_retained: (
        bool  # whether the broker repeats what is retained at each connection, or at the first one only
    )

    def hear(self, topic: str, body: bytes, *, retained: bool) -> Heard:
        """Understand a message; a retained one was kept by the broker from before we listened.

        Raises:
            MalformedInput: it is not this language; it is kept and acknowledged.
        """
        ...

    def will(self) -> Saying | None:
        """What the broker says for us where the connection breaks; asked before each connection."""
        ...

    def greeting(self) -> Sequence[Saying]:
        """What is said as soon as we listen."""
        ...

    def farewell(self) -> Sequence[Saying]:
        """What is said when we leave in order: the broker says no will then."""
        ...

    def order(self, command: Command) -> Order:
        """Put a command into words.

        Raises:
            CommandRefused: these devices take no such command.
        """
        ...


class Listening:
    """A dialect that says nothing; `translate` raises `MalformedInput` where a message is not its format."""

    topics: tuple[str, ...] = ()
    wants_retained = False

    def __init__(self, translate: Translate) -> None:
        self._translate = translate

    def hear(self, topic: str, body: bytes, *, retained: bool) -> Heard:  # noqa: ARG002 - one signature for all dialects
        """Understand a message, see `Dialect.hear`."""
        return Heard(readings=self._translate(topic, body))

    def will(self) -> Saying | None:
        """Nothing."""
        return None

    def greeting(self) -> Sequence[Saying]:
        """Nothing."""
        return ()

    def farewell(self) -> Sequence[Saying]:
        """Nothing."""
        return ()

    def order(self, command: Command) -> Order:
        """Refuse: sensors that are only listened to take no commands."""
        raise CommandRefused(f"a sensor connection cannot do {command}")
