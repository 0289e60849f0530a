"""Moments as people type them: `7d`, `24h`, `2026-11-24`, `2026-11-24T09:30+01:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from guardrails.cli.reading import InputError

__all__ = ["moment"]

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AGO = re.compile(r"([0-9]{1,6})([mhdw])", re.ASCII)


def moment(text: str, *, now: datetime | None = None) -> datetime:
    """So long before `now` (else this moment), or that day or moment, in UTC if it names no zone.
    Raises InputError."""
    try:
        if ago := AGO.fullmatch(text.strip()):
            return (now or datetime.now(UTC)) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{text!r} is no moment: expected so long ago, as 7d, 24h or 30m, or a date, as "
            "2026-11-24 or 2026-11-24T09:30"
        ) from None
