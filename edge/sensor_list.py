"""Which sensor looks at which spot, as a CSV file for lots with many."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = ["device", "spot"]


def read_sensors(path: Path) -> list[tuple[str, str]]:
    """The pairs (device, painted number) in the file's order.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a table with the columns device and spot; the message names the line.
    """
    with path.open(newline="", encoding="utf-8") as opened:
        rows = csv.reader(opened)
        if (header := next(rows, [])) != COLUMNS:
            raise ValueError(f"line 1 is {','.join(header)!r}, not 'device,spot'")
        pairs: list[tuple[str, str]] = []
        for row in rows:
            if not row:
                continue
            if len(row) != len(COLUMNS) or not all(cell.strip() for cell in row):
                raise ValueError(f"line {rows.line_num} is {','.join(row)!r}, not a device and a spot")
            pairs.append((row[0].strip(), row[1].strip()))
    return pairs
