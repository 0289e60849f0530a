"""Lines of JSON on standard error: what was asked and how it ended, never what was said."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from guardrails.proxy.passage import ResponseCutError

__all__ = ["access_log", "set_up"]


class JsonLines(logging.Formatter):
    """Records of libraries as well: an exception is told by its type, for its message and its
    traceback may quote what was sent."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)  # as our own logger hands them over
        if isinstance(fields, dict):
            line |= {name: value for name, value in fields.items() if name not in line}
        else:
            line["event"] = record.getMessage().strip()[:2_000]
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, default=str)


def set_up(*, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Let the whole process log in this way. uvicorn's own lines of access are left out."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("guardrails").setLevel(level)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.access").propagate = False


def _is_news(record: logging.LogRecord) -> bool:
    """The gate has told already why a response was cut."""
    cut = record.exc_info is not None and record.exc_info[0] is ResponseCutError
    return record.levelno >= logging.WARNING and not cut


def access_log(stream: TextIO | None = None) -> structlog.typing.FilteringBoundLogger:
    """One line for each request; its fields are ids, numbers and words of closed lists."""
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[_stamped, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger


def _stamped(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"time": time, "level": method, **event}
