"""A ticket or a receipt as the bytes that a printer prints, by python-escpos: text in the printer's code pages, a QR code that it draws itself."""

from __future__ import annotations

from escpos.constants import QR_ECLEVEL_M
from escpos.printer import Dummy

from drivers.ports import PrintSlip

FIRST_PRINTABLE = 0x20
MOST_LINES = 40
MOST_COLUMNS = 64
WORKED_OFF = b"\x1dr\x01"  # GS r 1: answered once everything before it is printed


def slip_bytes(slip: PrintSlip, *, qr_dots: int) -> bytes:
    """Return the bytes of a slip, cut at its end, with the question whether it is worked off. `qr_dots` is the size of a module of the QR code."""
    paper = Dummy()
    paper.hw("INIT")
    paper.set(align="center", bold=True, double_height=True, double_width=True)
    paper.textln(_plain(slip.title))
    paper.set_with_default(align="center")
    for line in slip.lines[:MOST_LINES]:
        paper.textln(_plain(line))
    if slip.code is not None:
        paper.qr(_plain_code(slip.code), ec=QR_ECLEVEL_M, size=qr_dots, native=True)
    paper.cut()
    return bytes(paper.output) + WORKED_OFF


def _plain(text: str) -> str:
    """A line without control characters: none of them may be a command to the printer."""
    return "".join(letter for letter in text if ord(letter) >= FIRST_PRINTABLE)[:MOST_COLUMNS]


def _plain_code(text: str) -> str:
    """A code is printed as it is or not at all.

    Raises:
        ValueError: it holds a control character.
    """
    if any(ord(letter) < FIRST_PRINTABLE for letter in text):
        raise ValueError("a code holds a control character")
    return text
