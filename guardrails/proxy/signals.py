"""SIGHUP waits until somebody hears it: who does not yet would be ended by it.

A process inherits what its parent holds back, so that a worker that is loading misses nothing.
"""

from __future__ import annotations

import signal

__all__ = ["hear_reloads", "hold_reloads"]


def hold_reloads() -> None:
    """Let it wait, from here on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def hear_reloads() -> None:
    """Its handler is there. One that has waited is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
