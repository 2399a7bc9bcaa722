"""On which line of a TOML file a value stands. `tomllib` reads values and forgets lines; a person who must fix one needs them.

The text has been read by `tomllib` before, so that it is known to be TOML: only headers, keys, brackets and quotes are looked at.
A path is that of the value in the document: ("lanes", 1, "barrier") is the `barrier` of the second `[[lanes]]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Path = tuple[str | int, ...]

HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*|[\[\]{}]')


def lines_of(text: str) -> Mapping[Path, int]:
    """The line, counted from 1, of every table and every key that begins a line."""
    lines: dict[Path, int] = {(): 1}
    counts: dict[Path, int] = {}
    table: Path = ()
    open_in: _Open = _Open()
    for number, line in enumerate(text.splitlines(), start=1):
        if not open_in.is_open:
            table = _note(line, number, table, lines, counts)
        open_in.read(line)
    return lines


def line_of(lines: Mapping[Path, int], path: Sequence[str | int]) -> int | None:
    """The line of a value, or of the nearest table around it where the value stands inline or is missing."""
    whole = tuple(path)
    found = [lines[whole[:length]] for length in range(len(whole), 0, -1) if whole[:length] in lines]
    return found[0] if found else None


def _note(line: str, number: int, table: Path, lines: dict[Path, int], counts: dict[Path, int]) -> Path:
    """Take one line's header or key in; the table that the next lines belong to."""
    if header := HEADER.match(line):
        table = _table(_parts(header[2]), is_list=header[1] == "[[", counts=counts)
        for length in range(1, len(table) + 1):
            lines.setdefault(table[:length], number)
        return table
    if key := KEY.match(line):
        lines.setdefault((*table, *_parts(key[1])), number)
    return table


def _table(parts: Sequence[str], *, is_list: bool, counts: dict[Path, int]) -> Path:
    """The path of a header: the last entry of each list that it goes through."""
    path: Path = ()
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path])
    path = (*path, parts[-1])
    if is_list:
        counts[path] = counts.get(path, -1) + 1
        return (*path, counts[path])
    return path


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in PART.findall(dotted)]


class _Open:
    """Whether a list, an inline table or a long string goes on over the line's end."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote: str | None = None

    @property
    def is_open(self) -> bool:
        return self._depth > 0 or self._quote is not None

    def read(self, line: str) -> None:
        if not self.is_open and HEADER.match(line):
            return
        at = 0
        while at < len(line):
            if self._quote is not None:
                end = line.find(self._quote, at)
                if end < 0:
                    return
                at, self._quote = end + 3, None
            elif found := TOKEN.search(line, at):
                at = found.end()
                self._take(found[0])
            else:
                return

    def _take(self, sign: str) -> None:
        if sign in {'"""', "'''"}:
            self._quote = sign
        elif sign in "[{":
            self._depth += 1
        elif sign in "]}":
            self._depth -= 1
