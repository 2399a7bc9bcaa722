"""A payment terminal on the wire, with its own record of what it took: the demo compares it with what the lot believes.

It does a key once, whatever happens to the answer. Its faults are knobs: decline what comes, think for a while, lose answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from drivers.errors import MalformedInput
from drivers.terminal.messages import LONGEST_LINE, Answer, Lookup, Pay, Ping, Result, read_request
from simulators.wire.pty import Pty


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRecord:
    """One key as the terminal remembers it; `reference` only where money moved."""

    key: str
    amount_minor: int
    currency: str
    reference: str | None


class PaymentTerminalWire:
    """One terminal on one cable.

    `decline` refuses new payments, `think_s` is how long a customer takes, `lose_answers` drops that many answers to
    payments: the payment is done and nobody is told. `on_record` hears of each key as it is decided, before anybody is told.
    """

    def __init__(
        self,
        pty: Pty,
        *,
        think_s: float = 0.0,
        on_record: Callable[[TerminalRecord], None] = lambda _record: None,
    ) -> None:
        self.records: dict[str, TerminalRecord] = {}
        self.decline = False
        self.lose_answers = 0
        self.think_s = think_s
        self._pending: set[str] = set()
        self._on_record = on_record
        self._pty = pty
        self._rest = b""

    @property
    def taken_minor(self) -> int:
        """Return the money that moved, in minor units."""
        return sum(record.amount_minor for record in self.records.values() if record.reference is not None)

    @property
    def customers(self) -> int:
        """Return how many payments are under way."""
        return len(self._pending)

    def start(self) -> None:
        """Plug the cable in and answer; call it on the running loop."""
        self._rest = b""
        self._pty.plug(self._received)

    def stop(self) -> None:
        """Pull the plug; what a customer is at goes on inside the terminal."""
        self._pty.unplug()

    def _received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LONGEST_LINE:]
        for line in lines:
            try:
                self._obey(read_request(line))
            except MalformedInput as wrong:
                self._say(Answer(result=Result.DECLINED, reason=str(wrong)))

    def _obey(self, request: Pay | Lookup | Ping) -> None:
        match request:
            case Ping():
                self._say(Answer(result=Result.ALIVE))
            case Lookup(key=key):
                self._say(self._known(key))
            case Pay(key=key) if key in self.records or key in self._pending:
                self._again(request)
            case Pay():
                self._begin(request)

    def _begin(self, pay: Pay) -> None:
        if not self.think_s:
            self._finish(pay)
            return
        self._pending.add(pay.key)
        asyncio.get_running_loop().call_later(self.think_s, self._finish, pay)

    def _finish(self, pay: Pay) -> None:
        self._pending.discard(pay.key)
        reference = None if self.decline else f"T-{len(self.records) + 1:06d}"
        self.records[pay.key] = TerminalRecord(
            key=pay.key, amount_minor=pay.amount_minor, currency=pay.currency, reference=reference
        )
        self._on_record(self.records[pay.key])
        if self.lose_answers:
            self.lose_answers -= 1
        else:
            self._say(self._known(pay.key))

    def _again(self, pay: Pay) -> None:
        """Say of a repeated key what is known; while it is pending its end answers both."""
        record = self.records.get(pay.key)
        if record is not None and (record.amount_minor, record.currency) != (pay.amount_minor, pay.currency):
            self._say(
                Answer(key=pay.key, result=Result.DECLINED, reason="this key was used for another amount")
            )
        elif record is not None:
            self._say(self._known(pay.key))

    def _known(self, key: str) -> Answer:
        if key in self._pending:
            return Answer(key=key, result=Result.PENDING)
        record = self.records.get(key)
        if record is None:
            return Answer(key=key, result=Result.UNKNOWN)
        if record.reference is None:
            return Answer(key=key, result=Result.DECLINED, reason="card refused")
        return Answer(key=key, result=Result.APPROVED, reference=record.reference)

    def _say(self, answer: Answer) -> None:
        self._pty.write(answer.line())
