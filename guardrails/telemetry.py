"""The library's own logger, `guardrails`. It sets up no handler and lets no user text through.

Fields are ids, counts, paths and digests. An exception is logged as the name of its type, since its
message may quote what was judged; a long string as its length.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

__all__ = ["OwnText", "log"]

LONGEST = 200  # characters of a field's value
LONGEST_OWN = 4_000


class OwnText(str):
    """A text of whoever runs the process, such as what is wrong in a constitution's file: logged
    although it is long."""

    __slots__ = ()


def _without_user_text(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in ("exc_info", "stack_info"):
        event.pop(name, None)
    for name, value in event.items():
        if isinstance(value, BaseException):
            event[name] = type(value).__name__
        elif isinstance(value, OwnText):
            event[name] = str(value[:LONGEST_OWN])
        elif isinstance(value, str) and len(value) > LONGEST:
            event[name] = f"<{len(value)} characters>"
    return event


_as_text = structlog.processors.KeyValueRenderer(key_order=["event"])


def _handed_over(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A line for whoever prints lines, and its `fields` for whoever keeps them apart."""
    fields = dict(event)
    return (_as_text(logger, method, event),), {"extra": {"fields": fields}}


log: FilteringBoundLogger = structlog.wrap_logger(
    logging.getLogger("guardrails"),
    processors=[
        structlog.stdlib.filter_by_level,
        _without_user_text,
        _handed_over,
    ],
    # Whose `exception` leaves the traceback to the processors; the standard one would print it.
    wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
    context_class=dict,
    cache_logger_on_first_use=True,
)
