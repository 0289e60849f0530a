"""What a client sees where the application's own response does not go on.

A status says whether asking again may help. SDKs ask again by themselves after 408, 409, 429 and
whatever is 500 or more, each time at the full cost of a call, so what the same request would come
to again has none of these, or says `x-should-retry: false` as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from guardrails.asgi.messages import Headers, Send
from guardrails.budget.daily import seconds_to_next_day
from guardrails.errors import AuditError
from guardrails.telemetry import log
from guardrails.verdict import ConstitutionPin, Decision
from guardrails.wire.body import Body
from guardrails.wire.formats import Answer, BodyFormat, problem

__all__ = [
    "RETRY_AFTER_S",
    "UNRECORDED",
    "ErrorBody",
    "Errors",
    "decision_headers",
    "instead",
    "pending_headers",
    "send_answer",
    "send_unrecorded",
    "status_of",
    "waiting",
]

RETRY_AFTER_S = 5
"""What a client is told to wait after an outage, in seconds."""

UNRECORDED = "the check cannot be recorded right now"

Fields = tuple[tuple[str, str], ...]
ErrorBody = Callable[[int, str], Mapping[str, object]]
"""An error as JSON, from its status and what is to be said."""

_ALWAYS = frozenset(
    {
        *("budget.max_chars", "budget.max_calls", "budget.max_tokens", "budget.max_cost_usd"),
        "format.readable",
    }
)
"""Limits that the same texts would reach again."""
_TITLES = {
    400: "The request cannot be read",
    403: "Stopped by the constitution",
    413: "Too large to be checked",
    429: "Over the limit of what may be checked",
    503: "The check is unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """How errors are written: by `body` if there is one, else as the format has them, else as
    problems (RFC 9457)."""

    format: BodyFormat | None = None
    body: ErrorBody | None = field(default=None, repr=False)

    def answer(self, status: int, detail: str, request: Body | None = None) -> Answer:
        """`detail` holds nobody's text."""
        title = _TITLES.get(status, "The request cannot be judged")
        return self._own(status, detail, request) or problem(status, title, detail)

    def of(self, status: int, decision: Decision, request: Body | None) -> Answer:
        """Of a decision that has a status of its own."""
        return self._own(status, decision.text, request) or _problem(status, decision)

    def refusal(self, decision: Decision) -> Answer:
        """403, where a format has no place for a reply or none is to stand there."""
        made = self.body
        return _problem(403, decision) if made is None else _json(403, made(403, decision.text))

    def _own(self, status: int, detail: str, request: Body | None) -> Answer | None:
        if self.body is not None:
            return _json(status, self.body(status, detail))
        return None if self.format is None else self.format.trouble(status, detail, request)


def status_of(decision: Decision) -> int | None:
    """The status of an outage or a limit; None for what the constitution stopped."""
    if decision.cause == "outage":
        return 503
    if decision.cause != "limit":
        return None
    reached = {finding.principle for finding in decision.findings if finding.cause == "limit"}
    return 413 if reached & _ALWAYS else 429


def instead(
    decision: Decision,
    format: BodyFormat,
    errors: Errors,
    *,
    request: Body | None,
    response: Body | None,
    refuse: str,
) -> Answer:
    """The answer to a blocked exchange: in the format's own shape where it has one."""
    status = status_of(decision)
    if status is not None:
        return errors.of(status, decision, request)
    if refuse == "reply":
        made = format.refusal(decision.text, request, response)
        if made is not None:
            return made
    return errors.refusal(decision)


def decision_headers(decision: Decision) -> Fields:
    pin = decision.constitution
    return (
        ("guardrails-verdict", str(decision.verdict)),
        ("guardrails-record", decision.record_id),
        ("guardrails-constitution", f"{pin.id}@{pin.version}"),
    )


def pending_headers(pin: ConstitutionPin, record_id: str) -> Fields:
    """Of a stream that leaves before all of it is judged."""
    return (
        ("guardrails-verdict", "pending"),
        ("guardrails-record", record_id),
        ("guardrails-constitution", f"{pin.id}@{pin.version}"),
    )


def waiting(status: int, decision: Decision | None = None) -> Fields:
    """When to ask again, and whether an SDK should by itself: not before the next day, if the
    day's budget is spent."""
    if status not in (429, 503):
        return ()
    findings = decision.findings if decision is not None and decision.cause == "limit" else ()
    if any(finding.principle.startswith("daily.") for finding in findings):
        return (("retry-after", str(seconds_to_next_day())), ("x-should-retry", "false"))
    return (("retry-after", str(RETRY_AFTER_S)),)


async def send_unrecorded(error: AuditError, errors: Errors, send: Send) -> None:
    """What cannot be recorded is not delivered."""
    log.error("a decision could not be recorded", problem=str(error))
    await send_answer(send, errors.answer(503, UNRECORDED))


async def send_answer(send: Send, answer: Answer, decision: Decision | None = None) -> None:
    """`decision` is what it is the answer of."""
    media = answer.media_type
    if media.startswith("text/"):
        media += "; charset=utf-8"
    headers = Headers(()).plus(
        ("content-type", media),
        ("content-length", str(len(answer.data))),
        ("cache-control", "no-store"),
        *(() if decision is None else decision_headers(decision)),
        *waiting(answer.status, decision),
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": headers.raw()})
    await send({"type": "http.response.body", "body": answer.data})


def _json(status: int, document: Mapping[str, object]) -> Answer:
    data = json.dumps(document).encode()
    return Answer(status=status, media_type="application/json", data=data)


def _problem(status: int, decision: Decision) -> Answer:
    return problem(
        status,
        _TITLES[status],
        decision.text,
        verdict=str(decision.verdict),
        record=decision.record_id,
    )
