"""Lotgate's own GATT profile of a barrier: one service, a characteristic to command and one that tells the contacts. Sans-IO.

    service   6c6f7467-6174-4501-8000-626172726965
    command   6c6f7467-6174-4502-8000-626172726965   write with response: 1 open, 2 close, 3 stop; an ATT error is a refusal
    state     6c6f7467-6174-4503-8000-626172726965   read and notify: known contacts, closed contacts, counter; a byte each

Bits of both contact bytes: 0 arm down, 1 arm up, 2 arming loop, 3 safety loop, 4 button, 5 fault. The controller notifies at each change,
and at least every 50 ms: what was last said counts for 100 ms and no longer. A contact that it does not have is known to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.errors import MalformedInput
from drivers.ports import Input, Move

SERVICE = "6c6f7467-6174-4501-8000-626172726965"
COMMAND = "6c6f7467-6174-4502-8000-626172726965"
STATE = "6c6f7467-6174-4503-8000-626172726965"
MOVES: Mapping[Move, int] = {Move.OPEN: 1, Move.CLOSE: 2, Move.STOP: 3}
CONTACTS = (
    Input.ARM_DOWN,
    Input.ARM_UP,
    Input.ARMING_LOOP,
    Input.SAFETY_LOOP,
    Input.BUTTON,
    Input.FAULT,
)
STATE_BYTES = 3


def read_state(data: bytes) -> dict[Input, bool | None]:
    """The contacts of one notification; None: the controller does not know it.

    Raises:
        MalformedInput: it is no state.
    """
    if len(data) != STATE_BYTES:
        raise MalformedInput("state", f"{STATE_BYTES} bytes expected, {len(data)} found")
    known, closed = data[0], data[1]
    if (known | closed) >> len(CONTACTS) or closed & ~known:
        raise MalformedInput("state", f"contacts {closed:08b} of {known:08b} do not exist")
    return {
        contact: bool(closed >> bit & 1) if known >> bit & 1 else None for bit, contact in enumerate(CONTACTS)
    }


def write_state(closed: Mapping[Input, bool], counter: int) -> bytes:
    """The notification of a controller that has these contacts."""
    known = sum(1 << bit for bit, contact in enumerate(CONTACTS) if contact in closed)
    shut = sum(1 << bit for bit, contact in enumerate(CONTACTS) if closed.get(contact))
    return bytes([known, shut, counter & 0xFF])
