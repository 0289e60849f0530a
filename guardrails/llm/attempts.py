"""What one attempt at an endpoint came to, and what its headers ask of the next one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

__all__ = ["Failed", "asked_wait", "refused"]

Kind = Literal["status", "unreachable", "foreign", "timed_out", "unsendable"]

OUTAGES = frozenset({401, 402, 403, 404, 405, 407, 408, 409, 410, 425, 429})
"""4xx that no text brings about: the key, the address, the account or the load is wrong."""
PASSING = frozenset({408, 409, 425, 429})
"""4xx that the same request may not get a second time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A failed attempt, as a value: an exception of an SDK would carry what was asked along.

    `wait_s` and `retry` are what the endpoint said about another attempt, `about` what it found
    wrong with this one.
    """

    kind: Kind
    why: str
    status: int | None = None
    wait_s: float | None = None
    retry: bool | None = None
    about: str = field(default="", repr=False)

    @property
    def is_outage(self) -> bool:
        """In doubt it is none: what a text can bring about goes by another rule."""
        if self.status is None:
            return self.kind in ("unreachable", "foreign")
        return self.status in OUTAGES or not 400 <= self.status < 500

    @property
    def is_passing(self) -> bool:
        """Whether another attempt may fare better; also, whether it shows an endpoint in trouble
        (a wrong key or model fails at once and needs no circuit)."""
        if self.status is None:
            return self.kind in ("unreachable", "foreign")
        return self.status in PASSING or self.status >= 500

    @property
    def may_retry(self) -> bool:
        return self.is_passing if self.retry is None else self.retry


def refused(
    status: int, headers: Mapping[str, str], *, now: Callable[[], float] = time.time
) -> Failed:
    """An answer that is none: its status and what its headers say. `headers` ignores case."""
    said = headers.get("x-should-retry", "").strip().lower()
    return Failed(
        kind="status",
        why=f"answered {status}",
        status=status,
        wait_s=asked_wait(headers, now=now),
        retry={"true": True, "false": False}.get(said),
    )


def asked_wait(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that the endpoint asks to wait; None if it does not say, or says nonsense.

    Source: RFC 9110, 10.2.3 (seconds or a date); `retry-after-ms` is what vendors send besides.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _until(value, now()) if name == "retry-after" else math.nan
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _until(date: str, now: float) -> float:
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000": a time in UTC, of no known zone
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return math.nan
