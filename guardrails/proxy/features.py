"""What a request may not use unless it is listed: beta headers, tools that run at the provider, and
what the provider keeps. Their text would pass nobody who judges it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guardrails.asgi.messages import Headers
from guardrails.proxy.answers import RefusedError
from guardrails.proxy.config import Allowed

__all__ = ["Asked", "check_betas", "read_asked"]

KNOWN_BETAS = frozenset(
    {
        "prompt-caching-2024-07-31",
        "max-tokens-3-5-sonnet-2024-07-15",
        "token-counting-2024-11-01",
        "output-128k-2025-02-19",
        "token-efficient-tools-2025-02-19",
        "extended-cache-ttl-2025-04-11",
        "interleaved-thinking-2025-05-14",
        "fine-grained-tool-streaming-2025-05-14",
        "context-1m-2025-08-07",
        "structured-outputs-2025-11-13",
        "structured-outputs-2025-12-15",
        "effort-2025-11-24",
        "message-threads-2026-08-12",  # SDKs' tool runners send it; `thread` is what keeps, below
    }
)
"""They change how a reply is made or priced, and neither who runs tools nor what is kept where.
Source: Anthropic, "Beta headers"."""

CLIENT_TOOLS = frozenset({"custom", "function"})
"""Types of tools that the application runs itself, so that calls and results pass here."""

PROVIDER_FIELDS = frozenset(
    {
        "background",  # fetched later, past us
        "container",  # files and skills at the provider
        "context_management",
        "conversation",  # turns that nobody here has judged
        "mcp_servers",
        "previous_response_id",
        "prompt",  # a template that the provider keeps
        "prompt_template",
        "thread",  # a conversation as the model answered it, not as we delivered it
        "web_search_options",
    }
)
UNTHREADED = {"error_code": "thread_unsupported_request"}
"""Tells an SDK that keeps threads by itself to send all messages instead.
Source: `ThreadUnsupportedRequestErrorDetails` of anthropic 2.12."""

_NAME = re.compile(r"[A-Za-z0-9._:/@-]{1,100}")
REFERENCES = ("item_reference", None)
EMPTY: tuple[Any, ...] = (None, False, [], {}, "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request's body the proxy itself looks at; nothing of it is text. `model` is empty
    if it does not look like a model's name."""

    model: str = ""
    stream: bool = False


def check_betas(headers: Headers, allowed: Allowed) -> None:
    """Raises RefusedError for a beta that is not listed."""
    for name in ("anthropic-beta", "openai-beta"):
        for said in headers.all(name):
            for beta in said.split(","):
                beta = beta.strip()
                if beta and beta not in KNOWN_BETAS and beta not in allowed.betas:
                    raise RefusedError(
                        403,
                        "beta",
                        f"a value of {name} is not listed here; [serve.allow] betas can list it",
                    )


def read_asked(body: bytes, allowed: Allowed) -> Asked:
    """What a request asks for, whichever case its keys are in: some readers do not tell.

    Raises RefusedError for tools that run at the provider, fields that lead past us, and for what
    cannot be read, for then nobody knows.
    """
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise _unread("the body is not JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise _unread("the body is no JSON object")
    fields = _folded(document)
    _check_fields(fields, allowed)
    _check_references(fields.get("input"), allowed)
    _check_audio(fields.get("messages"), allowed)
    _check_tools(fields.get("tools"), allowed)
    model = fields.get("model")
    return Asked(
        model=model if isinstance(model, str) and _NAME.fullmatch(model) else "",
        stream=fields.get("stream") is True,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _unread("a key stands twice in an object")
    return made


def _folded(said: Mapping[str, Any]) -> dict[str, Any]:
    """By keys without their case."""
    folded = {name.casefold(): value for name, value in said.items()}
    if len(folded) != len(said):
        raise _unread("two keys of an object differ in nothing but their case")
    return folded


def _unread(why: str) -> RefusedError:
    return RefusedError(400, "body", f"{why}, so nobody can tell what it asks for")


def _check_fields(fields: Mapping[str, Any], allowed: Allowed) -> None:
    for name in PROVIDER_FIELDS.intersection(fields):
        if fields[name] not in EMPTY and name not in allowed.fields:
            raise RefusedError(
                403,
                "field",
                f"{name!r} reaches for what the provider keeps or runs, which is not judged here; "
                f"[serve.allow] fields can list it",
                details=UNTHREADED if name == "thread" else None,
            )


def _check_references(items: object, allowed: Allowed) -> None:
    """An item of a response's input may be the id alone of one that the provider keeps."""
    if items is None or isinstance(items, str) or "item_reference" in allowed.fields:
        return
    if not isinstance(items, list):
        raise _unread("'input' is neither a text nor a list")
    for item in items:
        if not isinstance(item, dict):
            raise _unread("an item of 'input' is no object")
        fields = _folded(item)
        if fields.get("type", "item_reference") not in REFERENCES:
            continue
        if "type" not in fields and fields.get("content") is not None:
            continue  # a message, which may leave out its type
        raise RefusedError(
            403,
            "field",
            "an item of the input is the id of one that the provider keeps, which is not "
            "judged here; [serve.allow] fields can list 'item_reference'",
        )


def _check_audio(said: object, allowed: Allowed) -> None:
    """What the assistant said aloud may be an id alone, of what the provider keeps."""
    if not isinstance(said, list) or "audio" in allowed.fields:
        return
    for message in said:
        if isinstance(message, dict) and _folded(message).get("audio") not in EMPTY:
            raise RefusedError(
                403,
                "field",
                "'audio' of a message is the id of one that the provider keeps, which is not "
                "judged here; [serve.allow] fields can list 'audio'",
            )


def _check_tools(tools: object, allowed: Allowed) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise _unread("'tools' is no list")
    for tool in tools:
        if not isinstance(tool, dict):
            raise _unread("a tool is no object")
        _check_tool(_folded(tool), allowed)


def _check_tool(tool: Mapping[str, Any], allowed: Allowed) -> None:
    said = tool.get("type", "custom")
    kind = said if isinstance(said, str) else "?"
    if kind in CLIENT_TOOLS:
        return
    if any(kind == name or kind.startswith(f"{name}_") for name in allowed.tools):
        return
    raise RefusedError(
        403,
        "tool",
        "a tool's type is not one that the application runs itself (custom, function); "
        "[serve.allow] tools can list it",
    )
