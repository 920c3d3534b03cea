"""The gateway's log: one JSON object a line on stderr. Built by `bootstrap`, handed to whoever logs."""

import logging
import sys

import structlog
from structlog.typing import FilteringBoundLogger


def json_log(level: str = "info", *, stream: object = None) -> FilteringBoundLogger:
    """A logger of its own, so that nothing global is set; `stream` is where it writes, stderr if not given."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),  # type: ignore[arg-type]
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        context_class=dict,
    ).bind(service="gateway")
    return log
