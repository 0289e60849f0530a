"""Which tool a call means: an allow-list knows exact names, a rule also what looks like one."""

from __future__ import annotations

import re

from guardrails.constitution.forms import TOOL
from guardrails.text.normalise import normalise

__all__ = ["alike", "folded", "is_plain"]

_PLAIN = re.compile(TOOL)
_SEPARATOR = re.compile(r"[\W_]+")


def is_plain(name: str | None) -> bool:
    """Whether a name can be told from all others: of ASCII letters, digits and _ . : / -."""
    return name is not None and len(name) <= 64 and _PLAIN.fullmatch(name) is not None


def folded(name: str) -> str:
    """A name without letter case, separators and what shows nothing."""
    return _SEPARATOR.sub("", normalise(name).text.casefold())


def alike(name: str, other: str) -> bool:
    """Whether two names are one to a careless reader: `send_mail`, `SendMail`, `send-mail`."""
    return name == other or (bool(folded(name)) and folded(name) == folded(other))
