"""Values as JSON documents, for `--json`: plain dictionaries with the values' own names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from guardrails.verdict import Decision, Verdict

__all__ = ["decision_document", "document"]


def document(value: Any) -> Any:
    """Any of our values as JSON can hold it: dataclasses and models by field, verdicts by name."""
    if isinstance(value, Verdict):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: document(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): document(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [document(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def decision_document(decision: Decision, **more: Any) -> dict[str, Any]:
    """A decision with what would be delivered as `text`; `content` is the same in another type."""
    named = (field.name for field in fields(decision) if field.name != "content")
    return {**more, **{name: document(getattr(decision, name)) for name in named}}
