"""How many files the system lets a process have open: each connection is one."""

from __future__ import annotations

import resource

from guardrails.telemetry import log

__all__ = ["make_room"]

BESIDE = 200
"""The record, listeners, libraries and models."""


def make_room(connections: int) -> None:
    """Raise the limit, where it may be, to so many clients, each with a connection to a provider,
    and warn where it stays below. Processes that are started later inherit it."""
    needed = 2 * connections + BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # a system may have limits beside these
        most = soft
    if most < needed:
        log.warning(
            "fewer files may be open than limits.connections may need: clients would wait to be "
            "taken; raise the process's limit (ulimit -n, LimitNOFILE) or lower limits.connections",
            limit=most,
            needed=needed,
        )
