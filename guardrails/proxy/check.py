"""`POST /v1/check`: judge a text, or a tool's call, without generating one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from guardrails.asgi.messages import (
    BodyTooLongError,
    ClientLeftError,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
)
from guardrails.errors import AuditError
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.proxy.answers import RefusedError, send_json
from guardrails.proxy.config import CheckConfig
from guardrails.proxy.heads import says_longer, too_long
from guardrails.proxy.hosting import Hosting
from guardrails.proxy.keys import credential
from guardrails.proxy.limits import Bucket
from guardrails.proxy.question import Question, read_question
from guardrails.verdict import Decision, Stage

__all__ = ["CHECK_PATH", "CheckEndpoint", "Checked", "openapi"]

CHECK_PATH, OPENAPI_PATH = "/v1/check", "/openapi.json"
INLINE_BYTES = 100_000
"""A longer body is read off the loop."""


class FoundFinding(BaseModel):
    """One breach or doubt. `span` is in code points of the part's text."""

    principle: str
    critic: str
    value: Literal["breach", "undecided", "look"]
    cause: str
    action: str
    severity: str
    part: int | None
    span: tuple[int, int] | None
    reason: str


class Pin(BaseModel):
    id: str
    version: str
    digest: str


class Checked(BaseModel):
    """The decision. `text` is what would be delivered: the text, changed or not, or the
    constitution's reply in its place."""

    verdict: Literal["allow", "flag", "redact", "revise", "block", "escalate"]
    cause: Literal["policy", "outage", "undecided", "limit"] | None
    delivers: bool
    text: str
    arguments: dict[str, Any] | str | None = Field(
        None, description="Of a tool: what it may be called with; null if it may not be called."
    )
    stage: str
    constitution: Pin
    findings: list[FoundFinding]
    uncovered: list[str] = Field(description="Principles that nobody could judge.")
    record: str


class CheckEndpoint:
    """Has a token of its own, that no client's key is, and its own rate."""

    paths = frozenset({CHECK_PATH, OPENAPI_PATH})

    def __init__(
        self,
        config: CheckConfig,
        digest: bytes,
        hosting: Hosting,
        *,
        default: str,
        body_s: float,
    ) -> None:
        self._config, self._digest, self._hosting = config, digest, hosting
        self._default, self._body_s = default, body_s
        self._bucket = Bucket(config.per_minute, config.burst)

    async def __call__(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str
    ) -> None:
        """Raises RefusedError."""
        path, method = scope["path"], scope["method"]
        if path == OPENAPI_PATH:
            if method not in ("GET", "HEAD"):
                raise RefusedError(405, "method", "this path takes GET only")
            await send_json(send, 200, openapi(), request_id)
            return
        if method != "POST":
            raise RefusedError(405, "method", "this path takes POST only")
        self._authenticate(headers)
        wait_s = self._bucket.take()
        if wait_s is not None:
            raise RefusedError(
                429,
                "check_rate",
                f"more than {self._config.per_minute} checks a minute, or {self._config.burst} at "
                f"once; try again in {wait_s} s",
                retry_after_s=wait_s,
            )
        question = await self._question(headers, receive)
        decision = await self._decision(question)
        status, retry = _status(decision)
        await send_json(send, status, _answer(decision), request_id, more=retry)

    def _authenticate(self, headers: Headers) -> None:
        given = credential(headers)
        digest = hashlib.sha256(given.key if given else b"").digest()
        if given is None or not hmac.compare_digest(digest, self._digest):
            raise RefusedError(401, "check_token", "send the token of checks as a bearer token")

    async def _question(self, headers: Headers, receive: Receive) -> Question:
        most = self._hosting[self._default].max_body_bytes
        if says_longer(headers, most):
            raise too_long(most)
        try:
            async with asyncio.timeout(self._body_s):
                body = await read_body(receive, limit=most)
        except TimeoutError:
            raise RefusedError(408, "slow_body", "the body did not come in time") from None
        except BodyTooLongError:
            raise too_long(most) from None
        except ClientLeftError:
            raise asyncio.CancelledError from None
        if len(body) > INLINE_BYTES:
            return await asyncio.to_thread(read_question, body)
        return read_question(body)

    async def _decision(self, question: Question) -> Decision:
        name = question.constitution or self._default
        try:
            hosted = self._hosting[name]
        except KeyError:
            raise RefusedError(404, "constitution", self._not_served()) from None
        context = Context(
            tenant=self._config.tenant,
            session=question.session,
            subject=question.subject,
            language=question.language,
            attributes=question.attributes,
        )
        with hosted.used():
            try:
                return await _judged(hosted.guard, question, context)
            except AuditError:
                raise RefusedError(
                    503, "record", "the check cannot be recorded right now", retry_after_s=5
                ) from None

    def _not_served(self) -> str:
        names = [repr(name) for name in self._hosting.names if "/" not in name][:10]
        known = f"; expected {' or '.join(names)}" if names else ""
        return f"constitution: not one that is served here{known}"


async def _judged(guard: Guard, question: Question, context: Context) -> Decision:
    """Raises AuditError."""
    tool, prompt = question.tool, question.prompt
    if tool is not None:
        return await guard.check_tool_call(
            tool.name, tool.arguments, prompt=prompt, context=context
        )
    if question.messages is not None:
        return await guard.check_input(question.messages, context=context)
    return await guard.check(
        question.text, stage=question.own_stage, prompt=prompt, context=context
    )


def _status(decision: Decision) -> tuple[int, list[tuple[bytes, bytes]]]:
    """A decision is an answer, whatever it says; one that could not be made is none."""
    if decision.cause == "outage" and not decision.delivers:
        return 503, [(b"retry-after", b"5")]
    return 200, []


def _answer(decision: Decision) -> Mapping[str, Any]:
    pin = decision.constitution
    return Checked(
        verdict=str(decision.verdict),  # type: ignore[arg-type]  # pydantic looks at it
        cause=decision.cause,
        delivers=decision.delivers,
        text=decision.text,
        arguments=_arguments(decision),
        stage=str(decision.stage),
        constitution=Pin(id=pin.id, version=pin.version, digest=pin.digest),
        findings=[
            FoundFinding(
                principle=finding.principle,
                critic=finding.critic,
                value=finding.value,
                cause=finding.cause,
                action=finding.action,
                severity=finding.severity,
                part=finding.part,
                span=finding.span,
                reason=finding.reason,
            )
            for finding in decision.findings
        ],
        uncovered=list(decision.coverage.uncovered),
        record=decision.record_id,
    ).model_dump(mode="json")


def _arguments(decision: Decision) -> dict[str, Any] | str | None:
    content = decision.content if decision.stage is Stage.TOOL_CALL and decision.delivers else None
    return content if isinstance(content, dict | str) else None


def openapi() -> dict[str, Any]:
    """What `/v1/check` takes and gives, as OpenAPI 3.1."""
    question = Question.model_json_schema(ref_template="#/components/schemas/{model}")
    checked = Checked.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    schemas = {
        **question.pop("$defs", {}),
        **checked.pop("$defs", {}),
        "Question": question,
        "Checked": checked,
        "Error": _ERROR,
    }

    def told(about: str, schema: str = "Error") -> dict[str, Any]:
        ref = {"$ref": f"#/components/schemas/{schema}"}
        return {"description": about, "content": {"application/json": {"schema": ref}}}

    responses = {
        "200": told("The decision.", "Checked"),
        "400": told("The body is no question; the message says where, and what was expected."),
        "401": told("No token, or another one."),
        "404": told("No such constitution is served."),
        "408": told("The body did not come in time."),
        "413": told("The body is too long."),
        "429": told("Too many checks; `retry-after` says when to come back."),
        "503": {
            "description": "The check is out of reach; `retry-after` says when to come back.",
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/Checked"},
                            {"$ref": "#/components/schemas/Error"},
                        ]
                    }
                }
            },
        },
    }
    ref = {"schema": {"$ref": "#/components/schemas/Question"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Constitutional guardrails: checks", "version": "1"},
        "paths": {
            CHECK_PATH: {
                "post": {
                    "operationId": "check",
                    "summary": "Judge a text, a conversation or a tool's call; generate nothing.",
                    "security": [{"token": []}],
                    "requestBody": {"required": True, "content": {"application/json": ref}},
                    "responses": responses,
                }
            }
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


_ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "type": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
        "request_id": {"type": "string"},
    },
}
