"""A reply beside its request: what repeats the request, and what was asked to be told beside."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from guardrails.wire.logprobs import MOST_ALTERNATIVES
from guardrails.wire.numerals import may_be_text
from guardrails.wire.place import Place
from guardrails.wire.shapes import Shape

__all__ = ["alternatives_asked", "beside_request", "is_as_asked", "reply_place"]

EXACT = frozenset({"metadata", "user"})
"""Fields that come back as they were. What a provider knows it tells with its defaults."""

_WORDS = (
    "US additionalProperties allowed_tools always any approximate auto background city "
    "code_interpreter container country custom defer_loading description developer disabled "
    "enabled file_search filters format function grammar high id image_generation "
    "input_fidelity input_image input_text json_object json_schema low max_num_results mcp "
    "medium message mode model moderation n name never none null number object opaque "
    "output_compression output_format parameters partial_images png properties quality ranker "
    "ranking_options region require_approval required role schema score_threshold "
    "search_context_size server_description server_label server_url size standard strict string "
    "system text timezone tool_choice tools type user user_location variables vector_store_ids "
    "verbosity version web_search web_search_preview "
)
WORDS = frozenset(_WORDS.split())
"""What providers add to what they repeat: names and values of settings."""


def reply_place(shape: Shape, told: Mapping[str, Any], asked: Mapping[str, Any]) -> Place:
    """How to read a whole reply of a provider's to a request."""
    return Place(
        role="assistant",
        reads=beside_request(shape, told, asked),
        alternatives=alternatives_asked(asked),
    )


def beside_request(shape: Shape, told: Mapping[str, Any], asked: Mapping[str, Any]) -> Shape:
    """The shape of a reply to a request: what it repeats otherwise than it was asked is text."""
    new = [key for key in shape.silent if told.get(key) and not is_as_asked(key, told, asked)]
    return replace(shape, silent=shape.silent.difference(new)) if new else shape


def is_as_asked(key: str, told: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a field of a reply says nothing that the request's field of that name does not."""
    value, said = told[key], asked.get(key)
    try:
        if not value or value == said:
            return True
        if key in EXACT:
            return False
        return _is_known(value, WORDS) or _is_known(value, WORDS.union(_texts(said)))
    except RecursionError:  # whoever reads it says that it is nested too deeply
        return False


def alternatives_asked(asked: Mapping[str, Any]) -> int:
    """How many other tokens may stand beside each of a reply's."""
    most = asked.get("top_logprobs")
    return min(most, MOST_ALTERNATIVES) if type(most) is int and most > 0 else 0


def _is_known(value: object, known: Collection[str]) -> bool:
    """Whether all texts in a value, names of fields and long numbers among them, are known ones."""
    if isinstance(value, str):
        return value in known
    if isinstance(value, dict):
        return all(key in known and _is_known(item, known) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_known(item, known) for item in value)
    return type(value) not in (int, float) or not may_be_text(value) or str(value) in known


def _texts(value: object) -> Iterator[str]:
    """All texts in a value, names of fields and long numbers among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif type(value) in (int, float) and may_be_text(value):
        yield str(value)
