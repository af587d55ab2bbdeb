"""Logs: one line an event on standard error, an action name with ids as fields; JSON where nobody watches."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

MAX_LINES = 80


def _where_it_was_raised(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The traceback of `exc_info` without what the errors say: their words carry customers' data, as do locals."""
    info = event.pop("exc_info", None)
    if not info:
        return event
    from hub.db.errors import describe  # noqa: PLC0415 - commands that log no error need no SQLAlchemy

    error = info if isinstance(info, BaseException) else sys.exc_info()[1]
    lines: list[str] = []
    while error is not None and len(lines) < MAX_LINES:
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}: {describe(error)}")
        lines += [
            f"  {frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if lines:
        event["exception"] = "\n".join(lines[:MAX_LINES])
    return event


def set_up_logs(*, quiet: bool = False) -> None:
    """Set up structlog and the libraries' loggers. `quiet`: warnings and worse only (commands)."""
    level = logging.WARNING if quiet else logging.INFO
    terminal = sys.stderr.isatty()
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    # What ticks raise is logged by `Process`; the scheduler would show a traceback for each one cut by a stop.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    # It shows what could not be read as HTTP, with a traceback: strangers' bytes, as often as they like.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # A pipeline that ends with an error says so a second time; the error itself is raised, and dealt with.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _where_it_was_raised,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
