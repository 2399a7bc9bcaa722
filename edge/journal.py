"""How the agent writes its journal: one line an event on standard error, JSON for journald, words for a person at a terminal."""

from __future__ import annotations

import logging
import sys

import structlog


def keep_journal(*, on_terminal: bool) -> None:
    """Configure the loggers of this process."""
    # A plain trace: a rich one with every variable holds the loop for a tenth of a second.
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if on_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
