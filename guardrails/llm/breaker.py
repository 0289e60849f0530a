"""A circuit that opens when an endpoint is away, so that nobody waits for what will not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

__all__ = ["Breaker", "Pass"]


class Breaker:
    """Closed, until `threshold` calls in a row ended in an outage, all within `window_s`; open for
    `pause_s`; then half-open: one call is let through, and what becomes of it decides."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        threshold: int = 5,
        window_s: float = 60.0,
        pause_s: float = 15.0,
    ) -> None:
        self._clock, self._threshold = clock, threshold
        self._window_s, self._pause_s = window_s, pause_s
        self._lock = threading.Lock()
        self._outages: list[float] = []
        self._opened: float | None = None
        self._trial: Pass | None = None

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        opened = self._opened
        if opened is None:
            return "closed"
        return "open" if self._clock() - opened < self._pause_s else "half-open"

    def admit(self) -> Pass | None:
        """A pass for one call, to be used as a context manager; None while the circuit is open."""
        with self._lock:
            if self.state == "closed":
                return Pass(self)
            if self.state == "open" or self._trial is not None:
                return None
            self._trial = Pass(self)
            return self._trial

    def answered(self) -> None:
        """The endpoint answered, whatever it said."""
        with self._lock:
            self._outages.clear()
            self._opened = self._trial = None

    def away(self, call: Pass) -> bool:
        """The endpoint was away for this call. Whether that opened the circuit."""
        with self._lock:
            now = self._clock()
            if self._opened is not None:
                if call is not self._trial:  # a straggler tells nothing new
                    return False
                self._opened, self._trial = now, None
                return True
            self._outages = [at for at in self._outages if now - at < self._window_s] + [now]
            if len(self._outages) < self._threshold:
                return False
            self._opened = now
            return True

    def let_go(self, call: Pass) -> None:
        with self._lock:
            if self._trial is call:  # cancelled or timed out: it showed nothing, the next one may
                self._trial = None


class Pass:
    """One call's leave to ask. What became of it is said inside `with`; silence decides nothing."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> Pass:
        return self

    def __exit__(self, *_: object) -> None:
        self._breaker.let_go(self)

    @property
    def void(self) -> bool:
        """Whether the circuit has opened meanwhile, for others' calls and so for this one."""
        return self._breaker.state == "open"

    def answered(self) -> None:
        self._breaker.answered()

    def away(self) -> bool:
        return self._breaker.away(self)
