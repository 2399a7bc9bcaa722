"""The `lotgate` command: imports only the half that was asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType

__version__ = "0.1.0"

COMMANDS = {
    "edge": "edge.cli",
    "decode": "edge.decode_command",
    "price": "edge.price_command",
    "cloud": "cloud.cli",
    "demo": "simulators.cli",
    "simulate": "simulators.cli",
}


HIDDEN = {"edge": ("rich", "greenlet"), "edge.cli": ("python_multipart",)}
"""What structlog and starlette load where they find it: 6 MB of a gateway's 90, for traces that it never draws, threads that it never runs and
forms that it never takes. (A camera's multipart body has a driver that loads what it needs.)
"""


@contextmanager
def without(package: str) -> Iterator[None]:
    """Let what is imported meanwhile do without a package that it uses where it finds it."""
    hidden: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None is how Python says: not to be had
    if package in hidden:
        yield
        return
    hidden[package] = None
    try:
        yield
    finally:
        del hidden[package]


def main() -> int:
    """Run the subcommand named first; exit 0, 1 (it failed) or 2 (used wrongly)."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--version"]:
        sys.stdout.write(f"lotgate {__version__}\n")
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        wanted = bool(arguments) and arguments[0] in {"-h", "--help"}
        (sys.stdout if wanted else sys.stderr).write(f"usage: lotgate {{{','.join(COMMANDS)}}} … --help\n")
        return 0 if wanted else 2
    name = COMMANDS[arguments[0]]
    try:
        with ExitStack() as hidden:
            for package in (*HIDDEN.get(name.partition(".")[0], ()), *HIDDEN.get(name, ())):
                hidden.enter_context(without(package))
            module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        extra = name.partition(".")[0]
        sys.stderr.write(f"lotgate {arguments[0]} needs {missing.name}: install lotgate[{extra}]\n")
        return 1
    return int(module.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
