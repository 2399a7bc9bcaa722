"""A Bluetooth device's address as people write it."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")


def read_address(text: str) -> bytes:
    """The six bytes of an address, in the order in which it is printed.

    Raises:
        ValueError: it is none.
    """
    if not ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is no Bluetooth address like A4:C1:38:8D:18:B2")
    return bytes.fromhex(text.replace(":", ""))
