"""`lotgate simulate …` and `lotgate demo …`: each command's arguments are its own module's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from simulators.demo_command import demo
from simulators.lot_process import simulate

COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {"demo": demo, "simulate": simulate}


def main(arguments: Sequence[str]) -> int:
    """Run the command named first; exit 0, 1 (it failed) or 2 (used wrongly)."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        sys.stderr.write(f"usage: lotgate {{{','.join(COMMANDS)}}} … --help\n")
        return 2
    return command(arguments[1:])
