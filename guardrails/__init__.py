"""Hold any LLM call to a constitution: explicit principles in YAML, judged, revised, on record.

The names below are loaded when they are first used, so that `import guardrails` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrails.clients import wrap
    from guardrails.constitution.model import Constitution
    from guardrails.decorator import guarded
    from guardrails.errors import (
        AuditError,
        ConstitutionError,
        CriticError,
        GuardrailsError,
        SettingsError,
        WireFormatError,
    )
    from guardrails.exchange import Context, Part, context
    from guardrails.guard import Guard
    from guardrails.settings import Settings
    from guardrails.verdict import Blocked, Decision, Finding, Stage, Verdict

__all__ = [
    "AuditError",
    "Blocked",
    "Constitution",
    "ConstitutionError",
    "Context",
    "CriticError",
    "Decision",
    "Finding",
    "Guard",
    "GuardrailsError",
    "Part",
    "Settings",
    "SettingsError",
    "Stage",
    "Verdict",
    "WireFormatError",
    "context",
    "guarded",
    "wrap",
]

_HOMES = {
    "clients": ("wrap",),
    "constitution.model": ("Constitution",),
    "decorator": ("guarded",),
    "errors": (
        "AuditError",
        "ConstitutionError",
        "CriticError",
        "GuardrailsError",
        "SettingsError",
        "WireFormatError",
    ),
    "exchange": ("Context", "Part", "context"),
    "guard": ("Guard",),
    "settings": ("Settings",),
    "verdict": ("Blocked", "Decision", "Finding", "Stage", "Verdict"),
}
_HOME = {name: f"guardrails.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'guardrails' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
