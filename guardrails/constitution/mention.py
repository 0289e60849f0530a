"""The critics that a file names, each held against its own model of settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from guardrails.constitution.forms import EMPTY, ENTITY, UNIQUE, different
from guardrails.constitution.model import Catalogue, CriticConfig, Tier
from guardrails.constitution.spelling import did_you_mean
from guardrails.errors import CriticError

__all__ = [
    "Critics",
    "Entity",
    "Mention",
    "failing",
    "mention",
    "read_configs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A critic named by a principle; `config` has passed the critic's own model."""

    name: str
    tier: Tier
    config: CriticConfig


@lru_cache(maxsize=256)
def _adapter(config: type[CriticConfig]) -> TypeAdapter[dict[str, CriticConfig]]:
    """Validates `{name: config}`, so that the name is in the place of an error."""
    return TypeAdapter(dict[str, config])  # type: ignore[valid-type]  # known at run time only


def read_configs(config: type[CriticConfig], values: Mapping[str, Any]) -> dict[str, CriticConfig]:
    """Hold `{name: values}` against a critic's model, strictly, as JSON: a list may be its tuple.

    Raises pydantic's ValidationError.
    """
    return _adapter(config).validate_json(json.dumps(values), strict=True)


def mention(name: str, catalogue: Catalogue, config: Mapping[str, Any] | None = None) -> Mention:
    """A critic of the catalogue with its configuration checked. Raises what pydantic expects."""
    entry = _look_up(name, catalogue)
    try:
        checked = read_configs(entry.config, {name: {} if config is None else config})[name]
        checked.model_dump(mode="json")
    except ValidationError:
        raise
    except Exception as error:  # a foreign critic's own checks may fail in any way
        raise PydanticCustomError("critic", "{error}", {"error": failing(name, error)}) from None
    return Mention(name=name, tier=entry.tier, config=checked)


def failing(name: str, error: Exception) -> str:
    """What is said of a critic that fails where it should tell what is wrong."""
    return f"the critic {name!r} fails on its settings: {type(error).__name__}: {error}"


def _mention(value: Any, info: ValidationInfo) -> Mention:
    catalogue: Catalogue = info.context or {}
    if isinstance(value, str):
        return mention(value, catalogue)
    if not isinstance(value, dict) or len(value) != 1:
        raise PydanticCustomError(
            "critic", "expected a critic's name, or one name with its configuration below it"
        )
    ((name, config),) = value.items()
    if config is None:
        raise PydanticCustomError(
            "empty", "has no configuration; write it as '- {name}'", {"name": name}
        )
    _refuse_empty(name, config)
    return mention(name, catalogue, config)


def _refuse_empty(name: str, config: Any) -> None:
    """An empty setting is an error as it is anywhere in a file, never a quiet default."""
    if isinstance(config, dict) and (empty := [key for key in config if config[key] is None]):
        wrong = [InitErrorDetails(type=EMPTY, loc=(name, key), input=None) for key in empty]
        raise ValidationError.from_exception_data("critic", wrong)


def _as_written(said: Mention) -> Any:
    config = said.config.model_dump(mode="json", exclude_unset=True)
    return {said.name: config} if config else said.name


def _look_up(name: str, catalogue: Catalogue) -> Any:
    if name not in catalogue:
        near = did_you_mean(name, catalogue)
        known = ", ".join(catalogue)
        raise PydanticCustomError(
            "critic", "unknown critic; {hint}", {"hint": near or f"known are {known}"}
        )
    try:
        return catalogue[name]
    except CriticError as error:
        raise PydanticCustomError("critic", "{error}", {"error": str(error)}) from None


def _each_once(mentions: list[Mention]) -> list[Mention]:
    different([mention.name for mention in mentions])
    return mentions


def _entity(name: str, info: ValidationInfo) -> str:
    """The kind of personal data must be one that the critic `pii` can find."""
    config = _look_up("pii", info.context or {}).config
    config.model_validate_json(json.dumps({"entity": name}))
    return name


Entity = Annotated[str, StringConstraints(pattern=ENTITY, max_length=60), AfterValidator(_entity)]
Critics = Annotated[
    list[
        Annotated[
            Mention,
            PlainValidator(_mention),
            PlainSerializer(_as_written),
            WithJsonSchema({}),  # `schema` says it
        ]
    ],
    Field(min_length=1, max_length=50),
    UNIQUE,
    AfterValidator(_each_once),
]
