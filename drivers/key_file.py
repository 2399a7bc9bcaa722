"""A key of sixteen bytes (an OSDP reader's, a BLE sensor's), kept in a file of its own and never in the lot's TOML."""

from __future__ import annotations

from pathlib import Path

from drivers.errors import MalformedInput

KEY_BYTES = 16
LONGEST_FILE = 256


def read_key(path: Path) -> bytes:
    """Read 32 hexadecimal digits, the file's first line.

    Raises:
        MalformedInput: they are not there. The message never quotes the file.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        line = file.read(LONGEST_FILE).split(b"\n")[0].strip()
    try:
        key = bytes.fromhex(line.decode("ascii"))
    except ValueError:
        raise MalformedInput("key", "its first line is not hexadecimal") from None
    if len(key) != KEY_BYTES:
        raise MalformedInput("key", f"32 hexadecimal digits are expected, {2 * len(key)} found")
    return key
