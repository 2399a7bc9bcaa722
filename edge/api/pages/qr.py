"""A QR code as inline SVG: black on white in every theme, with its four modules of quiet zone.

The mask is always the same one. To try all eight and keep the prettiest, as ISO/IEC 18004 (7.8.3) advises, takes six times as long, on the loop on which
lanes wait; a ticket's text is a signature, as good as random, and random data looks alike under every mask.
"""

from __future__ import annotations

from functools import lru_cache

import segno
from markupsafe import Markup

QUIET_MODULES = 4
MAX_CHARS = 1024
MASK = 0


def qr_svg(text: str, label: str) -> Markup:
    """The QR code of `text` (error correction M), scaling with its box; `label` is what a screen reader says.

    Raises:
        ValueError: the text is empty or longer than 1,024 characters.
    """
    if not 0 < len(text) <= MAX_CHARS:
        raise ValueError(f"a QR code holds 1 to {MAX_CHARS} characters, not {len(text)}")
    modules, path = _drawn(text)
    svg = (
        '<svg class="qr" role="img" aria-label="{label}" viewBox="0 0 {n} {n}" shape-rendering="crispEdges">'
        '<path d="{path}"/></svg>'
    )
    return Markup(svg).format(label=label, n=modules, path=path)  # noqa: S704 - a constant, and format() escapes the rest


@lru_cache(maxsize=32)
def _drawn(text: str) -> tuple[int, str]:
    """How many modules wide the code is with its quiet zone, and its dark ones as a path."""
    code = segno.make(text, error="m", micro=False, boost_error=False, mask=MASK)
    path = "".join(
        f"M{x + QUIET_MODULES} {y + QUIET_MODULES}h{run}v1h-{run}z"
        for y, row in enumerate(code.matrix)
        for x, run in _dark_runs(row)
    )
    return len(code.matrix) + 2 * QUIET_MODULES, path


def _dark_runs(row: bytes | bytearray) -> list[tuple[int, int]]:
    """The dark stretches of one row of modules: where each begins and how long it is."""
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if not dark:
            continue
        if runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((x, 1))
    return runs
