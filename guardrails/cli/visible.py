"""Moved to `guardrails.display.visible`."""

from __future__ import annotations

from guardrails.display.visible import visible

__all__ = ["visible"]
