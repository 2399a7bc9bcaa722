"""People at the kiosk of the exit lane, who book ahead out of the lot's own places and pay at its terminal; and what must be so of it at rest.

What the screen told each is kept: `sold` with a ticket is a promise, whatever dies afterwards. Whoever saw the screen go dark has no answer, and looks for
none; the terminal's own record says whether his money went, and then a booking must stand for it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from simulators.wire.payment_terminal import TerminalRecord
from sync.chain import unpack_envelope
from sync.events import EventKind
from tests.integration.edge.agent_site import OUT, TOKENS
from tests.proof.town import Town

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.1
DARK = "dark"
HEADERS = {"Authorization": f"Bearer {TOKENS['kiosk-out']}"}
PATH = f"/api/v1/lanes/{OUT}/bookings"
FACTS = "SELECT body FROM log WHERE kind = ?"
PAYMENTS = "SELECT p.id, p.state, p.reference, d.stay FROM payments p JOIN demands d ON d.id = p.demand"
CLAIMS = "SELECT holder_id, state FROM claims WHERE holder_kind = 'reservation' AND sold_by = 'edge'"


@dataclass(slots=True, kw_only=True)
class KioskPeople:
    """One at a time. `told` counts what the screens said, `sold` are the bookings that they promised."""

    town: Town
    told: Counter[str] = field(default_factory=Counter)
    sold: list[str] = field(default_factory=list)

    async def book(self, starts_at: datetime, lasts: timedelta) -> None:
        """Ask for a place, pay, read the screen.

        Raises:
            AssertionError: the screen says that it is being paid, and that never ends.
        """
        asked = {
            "type": "regular",
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + lasts).isoformat(),
        }
        try:
            said = await self._booked(asked)
        except (httpx.HTTPError, ValueError):
            said = {"state": DARK}
        state = str(said.get("reason") or said["state"])
        self.told[state] += 1
        if state == "sold":
            self.sold.append(str(said["id"]))

    async def _booked(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        api = self.town.site.api
        answer = await api.post(PATH, json=asked, headers=HEADERS)
        said: Mapping[str, Any] = answer.json()
        if not answer.is_success:
            return {"state": answer.status_code, "reason": said.get("reason") or said.get("code")}
        until = time.monotonic() + PATIENCE_S
        while said["state"] == "paying":
            assert time.monotonic() < until, f"never paid: {said}"
            await asyncio.sleep(LOOK_EVERY_S)
            looked = await api.get(f"{PATH}/{said['id']}", headers=HEADERS)
            said = looked.json() if looked.is_success else {"state": DARK}
        return said


def till_wrongs(town: Town, people: KioskPeople) -> list[str]:
    """The terminal's record, the lot's and what people were told, at rest; empty where they agree."""
    with closing(sqlite3.connect(f"file:{town.ledger}?mode=ro", uri=True)) as connection:
        facts = connection.execute(FACTS, [str(EventKind.BOOKING_SOLD)]).fetchall()
        payments = {row[0]: row[1:] for row in connection.execute(PAYMENTS)}
        claims = connection.execute(CLAIMS).fetchall()
    booked = Counter(str(unpack_envelope(body).body["reservation"]) for (body,) in facts)
    found = [f"the kiosk sold {name} {times} times" for name, times in booked.items() if times > 1]
    found += [f"told sold, and not on record: {name}" for name in people.sold if name not in booked]
    found += [f"a place of the kiosk's is held for {holder}" for holder, state in claims if state == "held"]
    found += [
        f"on a place and not booked: {holder}"
        for holder, state in claims
        if state == "firm" and holder not in booked
    ]
    return found + _money_wrongs(town.site.terminal.records.values(), payments, booked)


def _money_wrongs(
    records: Iterable[TerminalRecord],
    payments: Mapping[str, tuple[str, str | None, str]],
    booked: Mapping[str, int],
) -> list[str]:
    """Taken exactly where it is booked."""
    taken = {record.key: record.reference for record in records if record.reference is not None}
    found = [
        f"the terminal took {key}, of which the lot knows nothing" for key in taken if key not in payments
    ]
    for key, (state, reference, reservation) in payments.items():
        if (state, reference) != (("completed", taken[key]) if key in taken else ("failed", None)):
            found.append(f"payment {key} is {state} {reference}, at the terminal {taken.get(key)}")
        if (key in taken) is not (reservation in booked):
            found.append(
                f"payment {key} is {state}, and {reservation} booked {booked.get(reservation, 0)} times"
            )
    return found


def pending_payments(town: Town) -> int:
    """Payments of the lot of which it does not know what became of them."""
    with closing(sqlite3.connect(f"file:{town.ledger}?mode=ro", uri=True)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM payments WHERE state = 'pending'").fetchone()
    return int(number)
