"""A clock that stands still until it is moved."""

from __future__ import annotations

__all__ = ["FixedClock"]


class FixedClock:
    """Call it for the time in seconds, as `time.monotonic` is called."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds
